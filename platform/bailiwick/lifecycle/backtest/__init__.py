"""What a strategy would have done: the periods of a dated file replayed, and nothing of the future.

`open_stream` reads the file, `Refits` trains models in processes of their own and remembers them
by content, `replay` walks the strategies of `lifecycle.strategies` through the periods.
"""

from bailiwick.lifecycle.backtest.learner import Judged, Learner, Rows
from bailiwick.lifecycle.backtest.periods import Span, Unit, spans_of
from bailiwick.lifecycle.backtest.recipe_choice import regularised
from bailiwick.lifecycle.backtest.refits import Refits
from bailiwick.lifecycle.backtest.replay import replay
from bailiwick.lifecycle.backtest.report import Outcome, recovered_ratio, regret_answers
from bailiwick.lifecycle.backtest.stream import Stream, open_stream
from bailiwick.lifecycle.backtest.walk import Plan, Result, walk

__all__ = [
    "Judged",
    "Learner",
    "Outcome",
    "Plan",
    "Refits",
    "Result",
    "Rows",
    "Span",
    "Stream",
    "Unit",
    "open_stream",
    "recovered_ratio",
    "regret_answers",
    "regularised",
    "replay",
    "spans_of",
    "walk",
]
