"""What the drift benchmark writes down, and whether it meets the bar; nothing here measures."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from math import inf, isfinite
from typing import Any

OURS = "Bailiwick"
ALARMS, DELAY = "false alarms a year", "delay in windows"
CPU, SUMMARISING = "CPU s a check", "CPU s to summarise"
PROCESS, ADDED = "peak MB of a process that checks", "MB a check adds"
ABSENT = "absent"

MILLION, THOUSAND = 1_000_000, 1_000
ALARMS_BAR = 1.0
NUMERIC_BAR = {"iid": 8.0, "seasonal": 8.0, "autocorrelated": 60.0}
LABEL_BAR, NAMED_BAR = 5.0, 0.95
RATIO_BAR, SECONDS_BAR, MEGABYTES_BAR, FLATNESS_BAR = 100.0, 0.050, 100.0, 2.0
SMALLEST, LABELS = "abrupt 0.1 sd", "abrupt 5 points"


@dataclass(frozen=True, slots=True)
class Row:
    """One figure. `sample` says what it is a mean or median of; `named` the right ones first.

    `bar`: whether the bar speaks of it. A delay of infinity means never in the time given.
    """

    measured: str
    detector: str
    world: str
    rows: int
    what: str
    sample: str
    value: float
    note: str = ""
    named: float | None = None
    bar: bool = True

    def published(self) -> dict[str, Any]:
        """As the table shows it and JSON can hold it."""
        shown = {field.name: getattr(self, field.name) for field in fields(self)[:8]}
        if self.measured == ABSENT:
            return shown | {"value": ABSENT}
        return shown | ({} if isfinite(self.value) else {"value": "never"})


def absent(detector: str, what: str, reason: str, world: str = "all") -> Row:
    """A peer that could not be measured, and why."""
    return Row(ABSENT, detector, world, 0, what, "nothing", inf, reason)


def failures(rows: Sequence[Row]) -> list[str]:
    """What of ours lies below the bar, or was not measured, as sentences."""
    ours = [row for row in rows if row.detector == OURS and row.bar]
    found = [
        f"{row.value:.2f} false alarms a year: {row.world}, {row.rows:,} rows"
        for row in ours
        if row.measured == ALARMS and row.value > ALARMS_BAR
    ]
    for row in ours:
        if row.measured != DELAY or row.rows != THOUSAND or row.world not in NUMERIC_BAR:
            continue
        bars = {SMALLEST: NUMERIC_BAR[row.world], LABELS: LABEL_BAR}
        if row.value > bars.get(row.what, inf):
            found.append(f"{row.value:g} windows to the alarm: {row.world}, {row.what}")
        if row.what in bars and (row.named or 0) < NAMED_BAR:
            found.append(f"right feature first in {row.named or 0:.0%}: {row.world}, {row.what}")
    return found + _dear(rows)


def _dear(rows: Sequence[Row]) -> list[str]:
    check, small = _figure(rows, CPU, MILLION), _figure(rows, CPU, THOUSAND)
    memory, ratio = _figure(rows, ADDED, MILLION), cpu_ratio(rows)
    if check is None or small is None or memory is None:
        return ["the cost of a check was not measured"]
    found = []
    if check > SECONDS_BAR:
        found.append(f"{check * 1_000:.1f} ms a check of {MILLION:,} rows")
    if check > FLATNESS_BAR * small:
        found.append(f"{check / small:.1f} times the CPU of a check of {THOUSAND:,} rows")
    if memory > MEGABYTES_BAR:
        found.append(f"{memory:.0f} MB for a check of {MILLION:,} rows")
    if ratio is None:
        found.append("no ratio to Evidently, which was not measured")
    elif ratio < RATIO_BAR:
        found.append(f"only {ratio:.0f} times less CPU than Evidently")
    return found


def cpu_ratio(rows: Sequence[Row], *, summarising: bool = False) -> float | None:
    """How many times our CPU Evidently's check of a million rows takes."""
    ours, theirs = _figure(rows, CPU, MILLION), _figure(rows, CPU, MILLION, "Evidently")
    once = _figure(rows, SUMMARISING, MILLION) if summarising else 0.0
    if ours is None or theirs is None or once is None:
        return None
    return theirs / (ours + once)


def worst(rows: Iterable[Row]) -> dict[str, float]:
    """The most false alarms a year of each detector, over the worlds of the bar."""
    found: dict[str, float] = {}
    for row in rows:
        if row.measured == ALARMS and row.bar:
            found[row.detector] = max(row.value, found.get(row.detector, 0.0))
    return found


def ending(rows: Sequence[Row], *, kind: str) -> str:
    """The one line: false alarms, delays, CPU, who is missing, and whether the bar was met."""
    alarms = worst(rows)
    peers = ", ".join(
        f"{name.replace(', ', ' by ')} {value:,.0f}"
        for name, value in alarms.items()
        if name != OURS
    )
    parts = [
        f"worst {alarms.get(OURS, inf):g} false alarms a deployment-year ({peers or 'no peers'})",
        f"0.1 sd seen after {_delays(rows, SMALLEST)} windows",
        f"5 points of labels after {_delays(rows, LABELS)}",
        f"right feature first in {_named(rows)}",
        _cost(rows),
    ]
    missing = sorted({f"{row.detector} ({row.note})" for row in rows if row.measured == ABSENT})
    if missing:
        parts.append("not measured everywhere: " + ", ".join(missing))
    below = failures(rows)
    parts.append("BELOW THE BAR: " + ", ".join(below) if below else "the bar is met")
    return f"{kind}: " + "; ".join(parts)


def _delays(rows: Sequence[Row], what: str) -> str:
    found = {
        row.world: row.value
        for row in rows
        if row.detector == OURS and row.measured == DELAY and row.what == what
    }
    return ", ".join(
        f"{found[world]:g} ({world})" if world in found else f"? ({world})" for world in NUMERIC_BAR
    )


def _named(rows: Sequence[Row]) -> str:
    found = [
        row.named
        for row in rows
        if row.detector == OURS and row.named is not None and row.what in {SMALLEST, LABELS}
    ]
    return f"{min(found):.0%}" if found else "?"


def _cost(rows: Sequence[Row]) -> str:
    check, small = _figure(rows, CPU, MILLION), _figure(rows, CPU, THOUSAND)
    memory, process = _figure(rows, ADDED, MILLION), _figure(rows, PROCESS, MILLION)
    if check is None or small is None or memory is None or process is None:
        return "no cost measured"
    bare, whole = cpu_ratio(rows), cpu_ratio(rows, summarising=True)
    ratio = "CPU ratio to Evidently unknown"
    if bare and whole:
        ratio = (
            f"{bare:,.0f} times less CPU than Evidently at {MILLION:,} rows "
            f"({whole:,.0f} times with summarising, paid once at intake)"
        )
    return (
        f"{ratio}; a check of them {check * 1_000:.1f} ms and {memory:.0f} MB in a process of "
        f"{process:.0f} MB, {check / small:.2f} times one of {THOUSAND:,}"
    )


def _figure(rows: Sequence[Row], measured: str, size: int, detector: str = OURS) -> float | None:
    """The figure of `detector`, under whichever verdict."""
    found = [
        row.value
        for row in rows
        if row.measured == measured and row.rows == size and row.detector == detector
    ]
    return found[0] if found else None
