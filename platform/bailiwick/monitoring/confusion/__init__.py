"""Labels as mergeable counts: feedback notes what it changed, whoever watches counts it by hour."""

from bailiwick.monitoring.confusion.changes import Change, note_changes
from bailiwick.monitoring.confusion.counting import (
    begin_ledger,
    count_changes,
    open_ledger,
    sought_in_archive,
)
from bailiwick.monitoring.confusion.counts import MOST_LABELS, OTHER, LabelCounts
from bailiwick.monitoring.confusion.reading import (
    Arrivals,
    LabelledHour,
    arrivals_between,
    counts_between,
    first_arrival,
    hours_between,
    label_names,
)
from bailiwick.monitoring.confusion.tables import (
    LabelArrival,
    LabelChange,
    LabelHour,
    LabelLedger,
)

__all__ = [
    "MOST_LABELS",
    "OTHER",
    "Arrivals",
    "Change",
    "LabelArrival",
    "LabelChange",
    "LabelCounts",
    "LabelHour",
    "LabelLedger",
    "LabelledHour",
    "arrivals_between",
    "begin_ledger",
    "count_changes",
    "counts_between",
    "first_arrival",
    "hours_between",
    "label_names",
    "note_changes",
    "open_ledger",
    "sought_in_archive",
]
