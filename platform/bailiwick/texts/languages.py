"""Which language a text is in, offline: py3langid, in our words.

langid.py's naive Bayes on byte n-grams (Lui, Baldwin, ACL 2012), the model of py3langid 0.4 (BSD):
142 languages, about 30 microseconds a line, half a second and 100 MB once, at the first question.
"""

from functools import lru_cache

from py3langid.langid import MODEL_FILE, LanguageIdentifier

UNDETERMINED = "und"
# Three words of an invoice are no evidence for one of 142 languages: below this it is `und`.
CERTAIN = 0.5
_READ_CHARACTERS = 1_000


def language_of(text: str) -> str:
    """The ISO 639 code of a text's language, `und` where the model is less than half certain.

    Texts without words of any language are `zxx` or `und`.

    >>> language_of("Hvorfor blev min betaling afvist i går?"), language_of("Vehicle Fuel")
    ('da', 'und')
    """
    language, certainty = _identifier().classify(text[:_READ_CHARACTERS])
    return str(language) if certainty >= CERTAIN else UNDETERMINED


@lru_cache(maxsize=1)
def _identifier() -> LanguageIdentifier:
    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
