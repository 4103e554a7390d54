"""Watching traffic: baselines, each window judged once, incidents that explain themselves."""

from bailiwick.monitoring.watching.course import (
    LATENESS,
    advance,
    has_work,
    pause,
    standing_incident,
)
from bailiwick.monitoring.watching.decided import accept, fix_baseline
from bailiwick.monitoring.watching.records import without_examples
from bailiwick.monitoring.watching.stored import baseline_in
from bailiwick.monitoring.watching.tables import (
    DriftIncident,
    TrafficBaseline,
    Watch,
    WindowCheck,
)
from bailiwick.monitoring.watching.told import weigh

__all__ = [
    "LATENESS",
    "DriftIncident",
    "TrafficBaseline",
    "Watch",
    "WindowCheck",
    "accept",
    "advance",
    "baseline_in",
    "fix_baseline",
    "has_work",
    "pause",
    "standing_incident",
    "weigh",
    "without_examples",
]
