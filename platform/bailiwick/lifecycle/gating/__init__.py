"""The further gates, each a pure function from what was measured of it to reasons to reject.

What a job process measured arrives as `{gate: figures}`. Figures are plain values; instead of
them stands `{"unknown": why}` where measuring failed, or `{"not_required": why}` where nothing
asks for it. A gate without figures, with a number that is none, or with figures it cannot read
is unknown, and what is unknown is rejected.
"""

import math
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

from bailiwick.lifecycle.gating.comparisons import golden_set, slices
from bailiwick.lifecycle.gating.data import data_checks
from bailiwick.lifecycle.gating.quality import calibration, robustness
from bailiwick.lifecycle.gating.running import latency, reproducibility, size
from bailiwick.lifecycle.gating.secrets import membership
from bailiwick.lifecycle.gating.words import in_words
from bailiwick.lifecycle.tiers import Tier

__all__ = ["FURTHER_GATES", "Standing", "further_reasons", "standings"]

Figures = Mapping[str, Any]

FURTHER_GATES: Mapping[str, str] = MappingProxyType(
    {
        "golden_set": "Not worse on the golden set",
        "slices": "Not worse on any class or declared segment",
        "calibration": "As sure as it is right",
        "latency": "Answers fast enough",
        "size": "Its files are small enough",
        "robustness": "Stands typos, other casing and cut texts",
        "data_checks": "What it learned from and is judged on are apart",
        "membership": "Does not give away what it learned from",
        "reproducibility": "The same seed gives the same model",
    }
)
_JUDGES: Mapping[str, Callable[[Figures, Tier], Iterator[str]]] = MappingProxyType(
    {
        "golden_set": golden_set,
        "slices": slices,
        "calibration": calibration,
        "latency": latency,
        "size": size,
        "robustness": robustness,
        "data_checks": data_checks,
        "membership": membership,
        "reproducibility": reproducibility,
    }
)


def further_reasons(measured: Mapping[str, Figures], tier: Tier) -> Iterator[tuple[str, str]]:
    """(gate, reason) for each that was not passed; the gate `evidence` where it is unknown."""
    for gate, judge in _JUDGES.items():
        figures = measured.get(gate)
        if figures is not None and "not_required" in figures:
            continue
        why = _unknown(figures)
        try:
            reasons = list(judge(figures or {}, tier)) if why is None else []
        except (KeyError, TypeError, ValueError, ZeroDivisionError):
            why = "what was measured cannot be read"
            reasons = []
        if why is not None:
            yield "evidence", f"{gate} is unknown: {why}"
        yield from ((gate, reason) for reason in reasons)


@dataclass(frozen=True, slots=True)
class Standing:
    """How a further gate stands in an evaluation, for whoever reads it."""

    gate: str
    asks: str
    standing: Literal["passed", "rejected", "unknown", "not required"]
    figures: str  # in words


def standings(measured: Mapping[str, Figures], rejected: Collection[str]) -> list[Standing]:
    """The further gates of an evaluation, given those that `rejected` it.

    None for an evaluation of before there were any: it was judged without them.
    """
    if not measured:
        return []
    return [
        Standing(
            gate,
            asks,
            _standing(measured.get(gate), rejected=gate in rejected),
            _said(measured, gate),
        )
        for gate, asks in FURTHER_GATES.items()
    ]


def _standing(
    figures: Figures | None, *, rejected: bool
) -> Literal["passed", "rejected", "unknown", "not required"]:
    if figures is not None and "not_required" in figures:
        return "not required"
    if _unknown(figures) is not None:
        return "unknown"
    return "rejected" if rejected else "passed"


def _said(measured: Mapping[str, Figures], gate: str) -> str:
    return in_words(gate, measured.get(gate, {"unknown": "it was not measured"}))


def _unknown(figures: Figures | None) -> str | None:
    """Why nothing can be said of a gate; None if something can."""
    if figures is None:
        return "it was not measured"
    if "unknown" in figures:
        return str(figures["unknown"])
    return None if _finite(figures) else "a figure is not a number"


def _finite(value: object) -> bool:
    if isinstance(value, Mapping):
        return all(map(_finite, value.values()))
    if isinstance(value, list | tuple):
        return all(map(_finite, value))
    return not isinstance(value, float) or math.isfinite(value)
