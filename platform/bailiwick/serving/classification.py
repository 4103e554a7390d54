"""The answer of a model for one text, shared by the model server and those who ask it."""

from dataclasses import dataclass

from bailiwick.monitoring.descriptors import Descriptors


@dataclass(frozen=True, slots=True)
class Seen:
    """What else is measured where the text and the model are; the names are a record's fields.

    `entropy` of the probabilities of all labels is in nats, `tokens_per_word` counts the model's
    own tokens, `embedding` is that of its encoder as `embeddings.packed` makes it; neither is there
    for a model without an encoder.
    """

    entropy: float
    tokens_per_word: float | None
    non_letter_ratio: float
    language: str
    text_key: str
    form_key: str
    embedding: bytes | None


@dataclass(frozen=True, slots=True)
class Classification:
    """The most likely label, its probability (0 to 1) and what the text looked like.

    `seen` is there where a model is served, not where it is judged.
    """

    label: str
    confidence: float
    descriptors: Descriptors
    seen: Seen | None = None
