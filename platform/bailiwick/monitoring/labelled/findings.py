"""What an alarm of labels says: accuracy before and after, since when, in which classes and slices.

Words name labels and values of declared segments, which describe the model and its users' own
cuts; never the text of a request. Pure.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from bailiwick.core.errors import Invalid
from bailiwick.monitoring.confusion import OTHER, LabelCounts
from bailiwick.monitoring.labelled.references import start_of
from bailiwick.monitoring.performance import Drop, Expected, LabelledWindow, drop_of
from bailiwick.monitoring.performance.drops import LONGEST_HISTORY
from bailiwick.monitoring.performance.slices import Excess, Slice, worst_slices
from bailiwick.monitoring.statistics import wilson_interval

LABEL, PREDICTED = "label", "predicted"
MOST_TOLD = 3
_NORMAL_95 = 1.96
_OTHERS = "other"


@dataclass(frozen=True, slots=True)
class Level:
    """An accuracy with its 95 % interval, of so many labelled rows."""

    accuracy: float
    lower: float
    upper: float
    rows: int


@dataclass(frozen=True, slots=True)
class Loss:
    """A loss of accuracy by labels; moments are of the requests, not of their labels' arrival.

    `first`, `last`: of the requests whose labels raised the alarm.
    """

    before: Level
    after: Level
    drop: Drop
    since: datetime
    since_earliest: datetime
    since_latest: datetime
    first: datetime
    last: datetime
    worth_waking: bool

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "before": asdict(self.before),
            "after": asdict(self.after),
            "size": self.drop.size,
            "lower": self.drop.lower,
            "upper": self.drop.upper,
            "gradual": self.drop.gradual,
            "first": self.first.isoformat(),
            "last": self.last.isoformat(),
        }


def loss_in(
    expected: Expected,
    accuracy: float,
    history: Sequence[LabelledWindow],
    told_by: Sequence[LabelledWindow],
    *,
    smallest_drop: float,
) -> Loss:
    """What the test's alarm comes to.

    `history`: windows of requests that start well before it, with labels as they stand; `told_by`:
    those whose labels arrived since evidence began to grow. A loss whose interval reaches
    `smallest_drop` is worth waking somebody for.
    """
    length = round(expected.window_hours)
    windows = list(history)[-LONGEST_HISTORY:]
    try:
        drop = drop_of(expected, windows)
    except Invalid:  # all of it in one window
        drop = _of_one(expected, windows or told_by)
    since = [own for own in windows or told_by if own.window >= drop.onset]
    wrong, rows = sum(own.wrong for own in since), sum(own.rows for own in since)
    half = _NORMAL_95 * expected.error
    return Loss(
        before=Level(accuracy, max(accuracy - half, 0), min(accuracy + half, 1), expected.rows),
        after=Level(1 - wrong / rows, *wilson_interval(rows - wrong, rows, 0.95), rows),
        drop=drop,
        since=start_of(drop.onset, length),
        since_earliest=start_of(drop.earliest, length),
        since_latest=start_of(drop.latest, length),
        first=start_of(min(own.window for own in told_by), length),
        last=start_of(max(own.window for own in told_by) + 1, length),
        worth_waking=drop.upper >= smallest_drop,
    )


def worst_of(
    before: LabelCounts,
    after: LabelCounts,
    names: Sequence[str],
    values: Mapping[str, Sequence[str]],
) -> tuple[list[Excess], list[Excess]]:
    """The classes (true, or answered) and the slices (segments, also by answer) that lost most."""
    known = {"wrong_before": before.rows - before.correct, "rows_before": before.rows}
    classes = worst_slices(_paired(*(_classes(one, names) for one in (before, after))), **known)
    slices = worst_slices(
        _paired(*(_slices(one, names, values) for one in (before, after))), **known
    )
    return classes, slices


def sentence(loss: Loss, classes: Sequence[Excess], slices: Sequence[Excess], of: str) -> str:
    """For the person on call; `of` says what accuracy is held to."""
    length = loss.since_latest - loss.since_earliest
    between = (
        f" (between {loss.since_earliest:%Y-%m-%d} and {loss.since_latest:%Y-%m-%d})"
        if length > timedelta(days=1)
        else ""
    )
    before, after = loss.before, loss.after
    held = f"{before.accuracy:.1%} ({before.lower:.1%} to {before.upper:.1%}; {of})"
    fell = f"{after.accuracy:.1%} ({after.lower:.1%} to {after.upper:.1%}, {after.rows:,} labels)"
    since = f"{loss.since:%Y-%m-%d %H:%M} UTC{between}"
    told = [
        f"Accuracy fell from {held} to {fell} for requests since {since}.",
        f"Labels of requests from {loss.first:%Y-%m-%d} to {loss.last:%Y-%m-%d} tell so.",
    ]
    worst = [*classes[:MOST_TOLD], *slices[:MOST_TOLD]]
    if worst:
        told.append(f"Worst: {'; '.join(map(_told, worst))}.")
    return " ".join(told)


def _told(one: Excess) -> str:
    named = " and ".join(f"{column} '{value}'" for column, value in one.name)
    return (
        f"{named}, {one.error_after:.0%} wrong ({one.size * 100:+.0f} points, "
        f"{one.lower * 100:.0f} to {one.upper * 100:.0f}, {one.rows:,} rows)"
    )


def _of_one(expected: Expected, windows: Sequence[LabelledWindow]) -> Drop:
    """Of a single window: the loss in it."""
    [own, *_] = windows
    size = own.wrong / own.rows - expected.loss
    base = expected.loss * (1 - expected.loss)
    half = _NORMAL_95 * (base * (1 / own.rows + expected.rho) + expected.error**2) ** 0.5
    return Drop(own.window, own.window, own.window, size, size - half, size + half, gradual=False)


Name = tuple[tuple[str, str], ...]
Tallied = Counter[tuple[Name, bool]]


def _classes(counts: LabelCounts, names: Sequence[str]) -> Tallied:
    found: Tallied = Counter()
    for (said, true), rows in counts.cells.items():
        wrong = said != true or true == OTHER
        found[((LABEL, _name(names, true)),), wrong] += rows
        found[((PREDICTED, _name(names, said)),), wrong] += rows
    return found


def _slices(
    counts: LabelCounts, names: Sequence[str], values: Mapping[str, Sequence[str]]
) -> Tallied:
    found: Tallied = Counter()
    for (segment, value, said, wrong), rows in counts.slices.items():
        own = (segment, _OTHERS if value is None else values[segment][value])
        found[(own,), bool(wrong)] += rows
        found[(own, (PREDICTED, _name(names, said))), bool(wrong)] += rows
    return found


def _name(names: Sequence[str], place: int) -> str:
    return names[place] if place < len(names) else _OTHERS


def _paired(before: Tallied, after: Tallied) -> Iterable[Slice]:
    rows: defaultdict[Name, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for first, tallied in ((0, before), (2, after)):
        for (name, wrong), count in tallied.items():
            rows[name][first] += count
            rows[name][first + 1] += count * wrong
    return (Slice(name, *counts) for name, counts in sorted(rows.items()))
