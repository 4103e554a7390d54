"""What is measured of a text where the text is: in the model server, at intake, at the client.

One definition of each measure, for all three. Nothing of the platform is imported here, and
`languages`, which loads a model, only by those who ask for a text's language.
"""

from bailiwick.texts.measures import (
    REFUSALS,
    TextMeasures,
    is_refusal,
    measures_of,
    repetition_ratio,
    words_of,
)

__all__ = [
    "REFUSALS",
    "TextMeasures",
    "is_refusal",
    "measures_of",
    "repetition_ratio",
    "words_of",
]
