"""What a recogniser is: a pattern, a check of what it matched, and words that speak for it."""

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

BEFORE_CHARACTERS, AFTER_CHARACTERS = 48, 12
# What must be there at all; `find` looks once for all recognisers that need the same.
ANY_DIGIT = re.compile(r"\d")
FOUR_DIGITS = re.compile(r"\d(?:[^\d\n]{0,2}\d){3}")
SIX_DIGITS = re.compile(r"\d(?:[^\d\n]{0,2}\d){5}")
# What is found with less than this could as well be something else; `find` leaves it out.
LIKELY = 0.5


class Entity(StrEnum):
    """Kinds of things that are found, by the names that Presidio has made usual."""

    EMAIL_ADDRESS = "EMAIL_ADDRESS"
    PHONE_NUMBER = "PHONE_NUMBER"
    URL = "URL"
    IP_ADDRESS = "IP_ADDRESS"
    MAC_ADDRESS = "MAC_ADDRESS"
    CREDIT_CARD = "CREDIT_CARD"
    IBAN_CODE = "IBAN_CODE"
    BIC = "BIC"
    CRYPTO = "CRYPTO"
    VAT_NUMBER = "VAT_NUMBER"
    US_SSN = "US_SSN"
    US_DRIVER_LICENSE = "US_DRIVER_LICENSE"
    UK_NHS = "UK_NHS"
    UK_NINO = "UK_NINO"
    NATIONAL_ID = "NATIONAL_ID"
    DATE_TIME = "DATE_TIME"
    DATE_OF_BIRTH = "DATE_OF_BIRTH"
    AGE = "AGE"
    POSTCODE = "POSTCODE"
    ADDRESS = "ADDRESS"
    PREFIX = "PREFIX"
    PERSON = "PERSON"
    ORGANIZATION = "ORGANIZATION"


# They say something about a person only beside something else that does.
IMPERSONAL = frozenset(
    {Entity.URL, Entity.BIC, Entity.VAT_NUMBER, Entity.DATE_TIME, Entity.ORGANIZATION}
)


@dataclass(frozen=True, slots=True)
class Span:
    """Something found: `text[start:end]`. `score` is how sure one may be, from 0 to 1."""

    start: int
    end: int
    entity: str  # an `Entity`, or what a second opinion calls it
    score: float
    recogniser: str

    def overlaps(self, other: "Span") -> bool:
        """Whether they share a character."""
        return self.start < other.end and other.start < self.end


@dataclass(frozen=True, slots=True)
class Recogniser:
    """Finds one entity: group 1 of `pattern` (or all of it) that passes `check`.

    `score` holds without context; `in_context` where a word of `context` stands within 48
    characters before the match or 12 after it, or in the column's name. A score of 0 finds
    nothing. Where `needs` finds nothing there is nothing to search.
    Patterns run in linear time: every repetition is bounded or starts where nothing before it
    could belong to it.
    """

    name: str
    entity: Entity
    pattern: re.Pattern[str]
    score: float
    check: Callable[[str], bool] = bool
    context: re.Pattern[str] | None = None
    in_context: float = 0.0
    needs: re.Pattern[str] | None = None

    def spans(self, text: str, hint: str = "") -> Iterator[Span]:
        """What there is in `text`; `hint` is read as context, too."""
        place = self.pattern.groups and 1
        hinted = self.context is not None and bool(self.context.search(hint))
        for match in self.pattern.finditer(text):
            start, end = match.span(place)
            score = self._score(text, start, end, hinted=hinted)
            if score and self.check(match[place]):
                yield Span(start, end, self.entity, score, self.name)

    def _score(self, text: str, start: int, end: int, *, hinted: bool) -> float:
        if self.context is None:
            return self.score
        near = (
            hinted
            or self.context.search(text[max(0, start - BEFORE_CHARACTERS) : start])
            or self.context.search(text[end : end + AFTER_CHARACTERS])
        )
        return max(self.score, self.in_context) if near else self.score


def words(*alternatives: str) -> re.Pattern[str]:
    """A context: any of these words; `_` and digits end a word, as they do in column names."""
    return re.compile(rf"(?i)(?<![^\W\d_])(?:{'|'.join(alternatives)})(?![^\W\d_])")


def strongest(spans: list[Span]) -> list[Span]:
    """Of spans that overlap only the best: the surer one, then the longer one. In text order."""
    kept: list[Span] = []
    for span in sorted(spans, key=lambda one: (-one.score, one.start - one.end, one.start)):
        place = bisect_left(kept, span.start, key=lambda one: one.start)
        beside = kept[max(0, place - 1) : place + 1]
        if not any(span.overlaps(other) for other in beside):
            kept.insert(place, span)
    return kept
