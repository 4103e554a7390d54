"""The demo's story: a model is trained, watched, drifts, and is replaced with proof.

`stage` runs the real processes on a clock that can be moved, `traffic` brings the rows, `acts`
are the steps, `ledger` adds up what happened.
"""

from bailiwick.cli.story.acts import Story
from bailiwick.cli.story.ledger import Ledger, PeriodResult
from bailiwick.cli.story.settings import StorySettings
from bailiwick.cli.story.stage import Stage, set_stage
from bailiwick.cli.story.traffic import Columns, Traffic, load_traffic

__all__ = [
    "Columns",
    "Ledger",
    "PeriodResult",
    "Stage",
    "Story",
    "StorySettings",
    "Traffic",
    "load_traffic",
    "set_stage",
]
