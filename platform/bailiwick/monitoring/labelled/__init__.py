"""Watching labels: held to a reference, each step of arrivals judged once, losses explained."""

from bailiwick.monitoring.labelled.course import (
    LATENESS,
    advance,
    archived_answers,
    count,
    has_work,
    labels_judged,
    loss_stands,
)
from bailiwick.monitoring.labelled.decided import declare_reference
from bailiwick.monitoring.labelled.explaining import held_to
from bailiwick.monitoring.labelled.overview import (
    Estimated,
    LabelledPeriod,
    LabelsOverview,
    labelled_of_rows,
    labels_overview,
)
from bailiwick.monitoring.labelled.tables import (
    LabelCheck,
    LabelIncident,
    LabelReference,
    LabelWatch,
)

__all__ = [
    "LATENESS",
    "Estimated",
    "LabelCheck",
    "LabelIncident",
    "LabelReference",
    "LabelWatch",
    "LabelledPeriod",
    "LabelsOverview",
    "advance",
    "archived_answers",
    "count",
    "declare_reference",
    "has_work",
    "held_to",
    "labelled_of_rows",
    "labels_judged",
    "labels_overview",
    "loss_stands",
]
