"""What an alarm says of traffic: which features moved, since when, by how much, and in words. Pure.

Words name features and, of predictions and segments, their categories, which describe the model
and its users' declared cuts; never the text of a request.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from bailiwick.monitoring.baselines import Baseline, total
from bailiwick.monitoring.contrasts import (
    DIRECTION,
    LEVEL,
    REPEATED,
    REQUESTS,
    SHARE_OF,
    Contrast,
)
from bailiwick.monitoring.eprocess import Detector, DetectorState, Judgement, Sensitivity
from bailiwick.monitoring.explanations import (
    LONGEST_HISTORY,
    MEAN,
    Move,
    Shift,
    Suspect,
    likely_cause,
    moves,
    onset_guess,
    shift_of,
    suspects,
)
from bailiwick.monitoring.hours import SEGMENT, SHARES
from bailiwick.monitoring.seasons import Array
from bailiwick.monitoring.shapes import is_cut
from bailiwick.monitoring.summaries import Summary
from bailiwick.monitoring.verdicts import subject_of

FEWEST_WINDOWS = 168  # looked back at, even if the alarm came at once
MOST_FEATURES = 3
SCHEMA, VOLUME, ONE_SEGMENT = "schema", "volume", "one-segment"
RATIO = "of the usual number"
_BACK = 4  # times as far as the guessed onset
_SHORT = 2  # windows that an interval of the onset may have to be told as one moment
# A field itself is gone, or another one, where so many rows miss a value or hold a new one.
_GONE = {"missing-values": 0.5, "new-categories": 0.9}

Windows = Sequence[tuple[datetime, Summary | None]]


@dataclass(frozen=True, slots=True)
class FeatureMove:
    """How one feature changed; `size` with its 95 % interval, in `unit` of its contrast."""

    feature: str
    what: str
    direction: str
    confirmed: bool
    size: float
    lower: float
    upper: float
    unit: str
    since: datetime
    since_earliest: datetime
    since_latest: datetime
    gradual: bool
    worth_waking: bool
    figures: tuple[Move, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        moments = {name: getattr(self, name).isoformat() for name in _MOMENTS}
        return {**asdict(self), **moments, "figures": [asdict(one) for one in self.figures]}


_MOMENTS = ("since", "since_earliest", "since_latest")


@dataclass(frozen=True, slots=True)
class Explanation:
    """What is known at an alarm; `moved` has the likeliest feature first."""

    cause: str
    sentence: str
    moved: tuple[FeatureMove, ...]

    @property
    def first(self) -> FeatureMove:
        """The feature with the most evidence against it."""
        return self.moved[0]

    @property
    def worth_waking(self) -> bool:
        """Whether any of the changes may reach the smallest change worth waking somebody for."""
        return any(one.worth_waking for one in self.moved)


def look_back(state: DetectorState, suspect: Suspect) -> int:
    """How many windows before the alarm should be handed to `explain`."""
    return min(max(_BACK * onset_guess(state, suspect), FEWEST_WINDOWS), LONGEST_HISTORY)


def explain(
    baseline: Baseline,
    detector: Detector,
    judgement: Judgement,
    sensitivity: Sensitivity,
    history: Windows,
) -> Explanation:
    """What has moved; `history` are the windows up to the alarm, the newest last."""
    found = suspects(detector, baseline.contrasts, judgement)
    told = [one for place, one in enumerate(found) if place == 0 or one.confirmed][:MOST_FEATURES]
    shifts = [_shift(baseline, detector, one, sensitivity, history) for one in told]
    moved = tuple(
        _move(baseline, one, shift, history) for one, shift in zip(told, shifts, strict=True)
    )
    causes = [
        _cause(baseline.contrasts[one.contrast], one, shift, move)
        for one, shift, move in zip(told, shifts, moved, strict=True)
    ]
    cause = min(causes, key=_TELLING.index)  # of equals the likeliest feature's
    return Explanation(cause, " ".join(map(_sentence, moved)) + f" {_LIKELY[cause]}", moved)


# Causes, what explains most first.
_TELLING = (
    SCHEMA,
    "one-source",
    "missing-values",
    "new-categories",
    VOLUME,
    ONE_SEGMENT,
    "gradual-change",
    "abrupt-change",
)
_LIKELY = {
    "new-categories": "Likely cause: categories that the baseline does not know.",
    "missing-values": "Likely cause: a field that is no longer filled in everywhere.",
    SCHEMA: "Likely cause: a field that is no longer sent, or holds something else.",
    "one-source": "Likely cause: another mix of sources.",
    ONE_SEGMENT: "Likely cause: something that only this segment has.",
    VOLUME: "Likely cause: a sender that is new or gone, or other use.",
    "gradual-change": "It came gradually.",
    "abrupt-change": "It came at once.",
}


def _cause(contrast: Contrast, suspect: Suspect, shift: Shift, move: FeatureMove) -> str:
    if suspect.feature == REQUESTS:
        return VOLUME
    guess = likely_cause(contrast, suspect, shift).replace(" ", "-")
    if guess in _GONE and move.lower >= _GONE[guess]:
        return SCHEMA
    if is_cut(suspect.feature):
        return ONE_SEGMENT
    if suspect.feature.startswith(SEGMENT) and guess != "missing-values":
        return "one-source"
    return guess


def _observed(baseline: Baseline, place: int, history: Windows) -> tuple[Array, Array]:
    """Contrast `place` in each window, and the rows that it is of: 0 where nothing came in."""
    seen = [baseline.observe(summary) for _, summary in history]
    return np.array([x[place] for x, _ in seen]), np.array([rows[place] for _, rows in seen])


def _shift(
    baseline: Baseline,
    detector: Detector,
    suspect: Suspect,
    sensitivity: Sensitivity,
    history: Windows,
) -> Shift:
    x, rows = _observed(baseline, suspect.contrast, history)
    design = baseline.design([start for start, _ in history])
    return shift_of(
        detector,
        baseline.contrasts[suspect.contrast],
        suspect.contrast,
        x=x,
        rows=rows,
        expected=np.array([detector.model.expected(row)[suspect.contrast] for row in design]),
        sensitivity=sensitivity,
    )


def _move(baseline: Baseline, suspect: Suspect, shift: Shift, history: Windows) -> FeatureMove:
    contrast = baseline.contrasts[suspect.contrast]
    since, earliest, latest = (
        history[place][0] for place in (shift.onset, shift.earliest, shift.latest)
    )
    sizes, unit = np.array([shift.size, shift.lower, shift.upper]), str(contrast.unit)
    if unit == "share":
        sizes = np.clip(sizes, -1.0, 1.0)  # it moves by all of it at most
    elif unit == "log":
        sizes, unit = np.expm1(sizes), RATIO
    size, lower, upper = sizes.tolist()
    return FeatureMove(
        feature=suspect.feature,
        what=contrast.name,
        direction="rose" if shift.size > 0 else "fell",
        confirmed=suspect.confirmed,
        size=size,
        lower=lower,
        upper=upper,
        unit=unit,
        since=since,
        since_earliest=earliest,
        since_latest=latest,
        gradual=shift.gradual,
        worth_waking=shift.worth_waking,
        figures=_figures(baseline, suspect.feature, history[shift.onset :])
        or _repeated(baseline, suspect.contrast, shift, history),
    )


def _figures(baseline: Baseline, feature: str, since: Windows) -> tuple[Move, ...]:
    """What a person compares: before, in the baseline, and since."""
    rows = sum(summary.rows for _, summary in since if summary is not None)
    if feature == REQUESTS:
        usual = baseline.reference.rows / baseline.windows
        return (Move("requests a window", usual, rows / len(since)),)
    if not rows:
        return ()
    after = total(summary for _, summary in since if summary is not None)
    return moves(baseline.layout, feature, baseline.reference, after)


def _repeated(baseline: Baseline, place: int, shift: Shift, history: Windows) -> tuple[Move, ...]:
    """How many rows of a window repeat another: a mean over windows, as more rows repeat more."""
    contrast = baseline.contrasts[place]
    x, rows = _observed(baseline, place, history)
    if contrast.name != REPEATED or not rows[: shift.onset].any() or not rows[shift.onset :].any():
        return ()
    sides = (slice(shift.onset), slice(shift.onset, None))
    before, after = (float(np.average(x[side], weights=rows[side])) for side in sides)
    return (Move(REPEATED, before, after),)


def _sentence(move: FeatureMove) -> str:
    what = subject_of(move.feature)
    turned = move.what.startswith(DIRECTION)  # one of eight, none of which means anything
    if move.what not in (LEVEL, REPEATED, "number") and not turned:
        what = f"{what} ({move.what})"
    verb = "moved" if turned else move.direction
    low, high = sorted((abs(move.lower), abs(move.upper)))
    if move.unit in ("share", RATIO):
        size, between = f"{abs(move.size):.1%}", f"{low:.1%} to {high:.1%}"
    else:
        size, between = f"{abs(move.size):.2f} {move.unit}", f"{low:.2f} to {high:.2f}"
    shares = _shares(move)
    if shares:
        return f"{what} {verb} {shares} (by {size}, 95 %: {between}) since {_when(move)}."
    return f"{what} {verb} by {size} (95 %: {between}) since {_when(move)}."


def _shares(move: FeatureMove) -> str:
    """From which share to which, where the change is one of shares and its figures say the same."""
    name = move.what.removeprefix(SHARE_OF)
    if move.what == LEVEL and move.feature in SHARES:
        name = MEAN
    figure = next((one for one in move.figures if one.name == name), None)
    if figure is None or (figure.after > figure.before) != (move.direction == "rose"):
        return ""
    before, after = f"{figure.before:.1%}", f"{figure.after:.1%}"
    return f"from {before} to {after}" if before != after else ""


def _when(move: FeatureMove) -> str:
    said = f"{move.since:%Y-%m-%d %H:%M} UTC"
    if move.since_latest - move.since_earliest <= _SHORT * timedelta(hours=1):
        return said
    return f"{said} (between {move.since_earliest:%Y-%m-%d} and {move.since_latest:%Y-%m-%d})"
