"""The answer of a model for one text, shared by the model server and those who ask it."""

from dataclasses import dataclass

from bailiwick.monitoring.descriptors import Descriptors


@dataclass(frozen=True, slots=True)
class Classification:
    """The most likely label, its probability (0 to 1) and what the text looked like."""

    label: str
    confidence: float
    descriptors: Descriptors
