"""Recognisers of personal data: pure functions from text to spans, in linear time.

Patterns propose, checksums and word lists dispose. What no pattern can find (names, places,
organisations in running text) is not found; `docs/personal-data.md` has the measured figures.
"""

from bailiwick.lineage.recognisers.contact import CONTACT
from bailiwick.lineage.recognisers.moments import MOMENTS
from bailiwick.lineage.recognisers.national import NATIONAL
from bailiwick.lineage.recognisers.payment import PAYMENT
from bailiwick.lineage.recognisers.people import PEOPLE
from bailiwick.lineage.recognisers.places import PLACES
from bailiwick.lineage.recognisers.spans import (
    IMPERSONAL,
    LIKELY,
    Entity,
    Recogniser,
    Span,
    strongest,
)

RECOGNISERS: tuple[Recogniser, ...] = (
    *CONTACT,
    *PAYMENT,
    *NATIONAL,
    *MOMENTS,
    *PLACES,
    *PEOPLE,
)
_BY_NEED = {
    needs: [one for one in RECOGNISERS if one.needs == needs]
    for needs in dict.fromkeys(one.needs for one in RECOGNISERS)
}

__all__ = ["IMPERSONAL", "LIKELY", "RECOGNISERS", "Entity", "Recogniser", "Span", "find"]


def find(text: str, hint: str = "", *, least: float = LIKELY) -> list[Span]:
    """What stands in `text`, in its order; of overlapping finds the surest.

    `hint` is read as context (a column's name). Finds below the score `least` are left out.

    >>> [(str(span.entity), span.recogniser) for span in find("write to ada@example.org")]
    [('EMAIL_ADDRESS', 'email')]
    """
    return strongest(
        [
            span
            for needs, recognisers in _BY_NEED.items()
            if needs is None or needs.search(text)
            for recogniser in recognisers
            for span in recogniser.spans(text, hint)
            if span.score >= least
        ]
    )
