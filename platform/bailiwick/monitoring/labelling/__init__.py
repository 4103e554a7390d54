"""The queue of requests that are worth a label: chosen, handed out, labelled or skipped."""

from bailiwick.monitoring.labelling.choosing import Candidate, Reason, chosen
from bailiwick.monitoring.labelling.queue import (
    ask_for_labels,
    picked_for_doubt,
    skip_item,
    state_of,
)
from bailiwick.monitoring.labelling.tables import LabellingItem, LabellingRound

__all__ = [
    "Candidate",
    "LabellingItem",
    "LabellingRound",
    "Reason",
    "ask_for_labels",
    "chosen",
    "picked_for_doubt",
    "skip_item",
    "state_of",
]
