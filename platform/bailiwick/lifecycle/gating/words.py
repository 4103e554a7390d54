"""What was measured for a gate, in a line for whoever reads an evaluation."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from bailiwick.lifecycle.comparing import Paired
from bailiwick.lifecycle.gating.quality import named

Figures = Mapping[str, Any]


def in_words(gate: str, figures: Figures) -> str:
    """One line about the figures of a gate; why there are none, where there are none."""
    for why in ("unknown", "not_required"):
        if why in figures:
            return str(figures[why])
    try:
        return _WORDS[gate](figures)
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return "what was measured cannot be read"


def _golden_set(figures: Figures) -> str:
    return f"{figures['accuracy']:.1%} of {figures['rows']:,} rows right{_beside(figures)}"


def _beside(figures: Figures) -> str:
    if figures["paired"] is None:
        return ""
    paired = Paired(**figures["paired"])
    low, high = paired.cautious_interval()
    return f", {paired.gain:+.1%} beside the champion ({low:+.1%} to {high:+.1%})"


def _slices(figures: Figures) -> str:
    compared = [one for one in figures["slices"] if one["paired"] is not None]
    said = f"{len(figures['slices'])} classes and segments"
    if not compared:
        return said
    worst = min(compared, key=lambda one: Paired(**one["paired"]).gain * one["rows"])
    lost = -Paired(**worst["paired"]).gain * worst["rows"]
    if lost <= 0:
        return f"{said}, none with fewer rows right than by the champion"
    where = f"{worst['by']} {worst['value']!r}"
    return f"{said}; most lost on {where}: {lost:.0f} of {worst['rows']:,} rows"


def _calibration(figures: Figures) -> str:
    champion = figures["champion_error"]
    beside = f", the champion's by {champion:.1%}" if champion is not None else ""
    return f"confidence is off by {figures['error']:.1%} on average{beside}"


def _latency(figures: Figures) -> str:
    champion = figures["champion_p95_ms"]
    beside = f", the champion's {champion:.1f} ms" if champion is not None else ""
    return f"95 % of requests within {figures['p95_ms']:.1f} ms{beside}"


def _size(figures: Figures) -> str:
    champion = figures["champion_bytes"]
    beside = f", the champion's {champion:,}" if champion is not None else ""
    return f"{figures['bytes']:,} bytes{beside}"


def _robustness(figures: Figures) -> str:
    changes = [f"{one['accuracy']:.1%} with {named(one['change'])}" for one in figures["changes"]]
    return f"{figures['accuracy']:.1%} right as they are; {', '.join(changes)}"


def _data_checks(figures: Figures) -> str:
    return (
        f"{figures['duplicate_rows']:,} of {figures['train_rows']:,} training rows repeat; of "
        f"{figures['holdout_rows']:,} judged on, {figures['leaked_rows']:,} were learned from, "
        f"{figures['repeated_text_rows']:,} have a text that was"
    )


def _membership(figures: Figures) -> str:
    attacks = (
        f"{one['auc']:.1%} by {one['attack']} ({one['low']:.1%} to {one['high']:.1%})"
        for one in figures["attacks"]
    )
    alone = figures["alone"]
    rare = f"; where a text is alone {alone['auc']:.1%}" if alone is not None else ""
    return f"told from rows not learned from: {', '.join(attacks)}{rare}; 50 % is guessing"


def _reproducibility(figures: Figures) -> str:
    return (
        f"trained twice, {'the same digests' if figures['same'] else 'other digests'}, "
        f"{figures['seconds']:.0f} s"
    )


_WORDS: Mapping[str, Callable[[Figures], str]] = MappingProxyType(
    {
        "golden_set": _golden_set,
        "slices": _slices,
        "calibration": _calibration,
        "latency": _latency,
        "size": _size,
        "robustness": _robustness,
        "data_checks": _data_checks,
        "membership": _membership,
        "reproducibility": _reproducibility,
    }
)
