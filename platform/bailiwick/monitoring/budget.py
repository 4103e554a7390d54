"""The false alarms that a monitor may raise in a year, split between its traffic and its labels.

Both tests bound their own: at most N (1 - r) a year from traffic and N r from labels, so that
together at most N, on average, whatever one has to do with the other.
"""

from dataclasses import replace

from bailiwick.core.errors import Invalid
from bailiwick.monitoring.eprocess import Sensitivity
from bailiwick.monitoring.tables import Monitor

LEAST, MOST = 0.001, 12.0  # a year, of both
MOST_FOR_LABELS = 0.95


def sensitivity_to_traffic(monitor: Monitor) -> Sensitivity:
    """What the monitor's settings ask of the detector of drift."""
    return _sensitivity(monitor, 1 - monitor.label_alarms_ratio)


def sensitivity_to_labels(monitor: Monitor) -> Sensitivity:
    """What they ask of the test on labels; `Invalid` if labels have no share."""
    return _sensitivity(monitor, monitor.label_alarms_ratio)


def check_budget(monitor: Monitor) -> None:
    """Raise `Invalid` if the settings cannot be."""
    if not LEAST <= monitor.false_alarms_per_year <= MOST:
        raise Invalid("Between 0.001 and 12 false alarms a year can be asked for.")
    if not 0 <= monitor.label_alarms_ratio <= MOST_FOR_LABELS:
        raise Invalid(
            "label_alarms_ratio is the labels' share of the false alarms: between 0 (labels are "
            "not watched) and 0.95"
        )
    sensitivity_to_traffic(monitor)


def _sensitivity(monitor: Monitor, share: float) -> Sensitivity:
    asked = Sensitivity(
        monitor.false_alarms_per_year * share,
        monitor.smallest_change_sd,
        monitor.smallest_change_share,
    )
    ratio = monitor.smallest_change_requests
    return asked if ratio is None else replace(asked, smallest_change_requests=ratio)
