"""The measures of one text.

Of a request its length, its words, what is no letter, and whether it repeats another; of a
generated answer whether it refuses and how much of it is repetition.

The two keys are 64-bit BLAKE2b hashes. They are NOT a protection against somebody who guesses a
text: the platform keeps only their hashes under the installation's key.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b

_WORD = re.compile(r"\w+")
_DIGITS = re.compile(r"\d+")
_KEY_BYTES = 8
_REFUSED_WITHIN = 300  # characters: an answer that refuses says so at its beginning
_GRAM = 3

# English; an answer in another language needs phrases of its own.
REFUSALS = (
    "i can't help",
    "i cannot help",
    "i can't assist",
    "i cannot assist",
    "i can't answer",
    "i cannot answer",
    "i can't provide",
    "i cannot provide",
    "i can't fulfill",
    "i cannot fulfill",
    "i'm not able to",
    "i am not able to",
    "i'm unable to",
    "i am unable to",
    "i won't be able to",
    "i must decline",
    "i have to decline",
    "as an ai",
    "as a language model",
)


@dataclass(frozen=True, slots=True)
class TextMeasures:
    """One request's text in numbers and keys; the names are those of a record's fields.

    `characters` are code points, `words` runs of letters, digits and _; `non_letter_ratio` the
    share of the characters that are no letters, spaces not counted (0 of an empty text).
    `text_key` is equal for equal texts, `form_key` for texts that are equal apart from letter
    case, the digits of numbers and the width of spaces.
    """

    characters: int
    words: int
    non_letter_ratio: float
    text_key: str
    form_key: str


def words_of(text: str) -> list[str]:
    """The words of a text, letter case ignored."""
    return _WORD.findall(text.casefold())


def measures_of(text: str) -> TextMeasures:
    """The measures of a request's text; about 5 microseconds for a line.

    >>> one, other = measures_of("Invoice 4711 "), measures_of("INVOICE  12")
    >>> one.characters, one.words, round(one.non_letter_ratio, 2)
    (13, 2, 0.36)
    >>> one.text_key == other.text_key, one.form_key == other.form_key
    (False, True)
    """
    seen = "".join(text.split())
    letters = sum(map(str.isalpha, seen))
    return TextMeasures(
        characters=len(text),
        words=len(_WORD.findall(text)),
        non_letter_ratio=1 - letters / len(seen) if seen else 0.0,
        text_key=_key(text),
        form_key=_key(_DIGITS.sub("0", " ".join(text.casefold().split()))),
    )


def is_refusal(answer: str, phrases: Iterable[str] = REFUSALS) -> bool:
    """Whether one of the phrases is in the first 300 characters of a generated answer.

    Letter case, the width of spaces and the kind of apostrophe do not matter.

    >>> is_refusal("Sorry, but I  CAN'T help with that."), is_refusal("Help is near.")
    (True, False)
    """
    start = _plain(answer[:_REFUSED_WITHIN])
    return any(_plain(phrase) in start for phrase in phrases)


def repetition_ratio(answer: str) -> float:
    """1 - different / all runs of three words; 0 of an answer with fewer words.

    The n-gram repetition of Welleck et al., "Neural text generation with unlikelihood training"
    (2019, arXiv 1908.04319), with n = 3.

    >>> repetition_ratio("a b c a b c a b c"), repetition_ratio("no loop in here")
    (0.5714285714285714, 0.0)
    """
    words = words_of(answer)
    grams: Sequence[tuple[str, ...]] = list(zip(*(words[at:] for at in range(_GRAM)), strict=False))
    return 1 - len(set(grams)) / len(grams) if grams else 0.0


def _plain(text: str) -> str:
    return " ".join(text.casefold().replace("\u2019", "'").split())


def _key(text: str) -> str:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_KEY_BYTES).hexdigest()
