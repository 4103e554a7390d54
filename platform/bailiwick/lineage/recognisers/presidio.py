"""A second opinion: Presidio's own patterns, where the extra `scan` is installed.

The only file that knows Presidio. No language model is loaded and nothing is fetched, so names
and places are not found by it either, and context does not raise its scores. It is loaded when
it is first asked for, which takes seconds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from bailiwick.lineage.recognisers.spans import Span, strongest

RECOGNIZERS = (
    "CreditCardRecognizer",
    "CryptoRecognizer",
    "DateRecognizer",
    "EmailRecognizer",
    "IbanRecognizer",
    "IpRecognizer",
    "MacAddressRecognizer",
    "NhsRecognizer",
    "PhoneRecognizer",
    "UkNinoRecognizer",
    "UrlRecognizer",
    "UsItinRecognizer",
    "UsLicenseRecognizer",
    "UsSsnRecognizer",
)
LEAST = 0.4  # the score of its telephone numbers; what is below would be found nearly anywhere


@dataclass(frozen=True, slots=True)
class SecondOpinion:
    """Presidio's recognizers, loaded."""

    recognizers: Sequence[Any]

    def find(self, text: str) -> list[Span]:
        """What Presidio finds in `text`; of overlapping finds the surest."""
        spans = [
            Span(found.start, found.end, found.entity_type, found.score, "presidio")
            for recognizer in self.recognizers
            for found in recognizer.analyze(text, recognizer.supported_entities, None)
            if found.score >= LEAST
        ]
        return strongest(spans)


@lru_cache(maxsize=1)
def second_opinion() -> SecondOpinion | None:
    """Presidio, or None where it is not installed."""
    if find_spec("presidio_analyzer") is None:
        return None
    domains: Any = import_module("tldextract.tldextract")
    # Its own would fetch a newer list of domains from the network at the first e-mail address.
    domains.TLD_EXTRACTOR = domains.TLDExtract(cache_dir=None, suffix_list_urls=())
    known = import_module("presidio_analyzer.predefined_recognizers")
    found = (getattr(known, name, None) for name in RECOGNIZERS)
    return SecondOpinion([recognizer() for recognizer in found if recognizer is not None])
