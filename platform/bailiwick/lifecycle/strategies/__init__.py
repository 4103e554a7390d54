"""When to retrain: rules that are pure functions of what is known, for backtests and live alike.

A rule gets `Known` (the serving model's periods, trials of challengers, what is left of the plan)
and answers with a `Decision` and its reason. It reads no clock, no database and no model. Each
rule states its assumptions where it is written.
"""

from bailiwick.lifecycle.strategies.cost_aware import DEFAULT_PRICE_ANSWERS, CostAware
from bailiwick.lifecycle.strategies.known import (
    LEAST_TRIED,
    TRIED_RATIO,
    Decision,
    Known,
    Lived,
    Retrained,
    Strategy,
    Trial,
)
from bailiwick.lifecycle.strategies.names import FORMS, Hindsight, strategy_named
from bailiwick.lifecycle.strategies.simple import Frozen, Periodic
from bailiwick.lifecycle.strategies.threshold import DEFAULT_POINTS, Threshold, alarm

__all__ = [
    "DEFAULT_POINTS",
    "DEFAULT_PRICE_ANSWERS",
    "FORMS",
    "LEAST_TRIED",
    "TRIED_RATIO",
    "CostAware",
    "Decision",
    "Frozen",
    "Hindsight",
    "Known",
    "Lived",
    "Periodic",
    "Retrained",
    "Strategy",
    "Threshold",
    "Trial",
    "alarm",
    "strategy_named",
]
