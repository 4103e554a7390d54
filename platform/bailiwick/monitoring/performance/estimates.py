"""Estimated accuracy while labels are missing, its own measured error, and whether to trust it.

An estimate is `reliability.read` with an interval

    accuracy +- 1.96 sqrt(v + e),     e = max(0, (p^2 + sum of (error^2 - v)) / (1 + verified))

v the reading's variance (binomial noise of window and reference), e what past estimates were off
beyond that; p is half of the error one would put up with, standing in for a record. The track
record holds, for each window whose labels have arrived, the estimate on exactly the labelled rows
against their accuracy, so that an early half of the labels is compared with itself. It is kept per
model version. A refitted calibration inherits it: what has been measured is the habit of
estimating, and old errors leave after `remembered` windows.

An estimate is not trusted, for every reason that applies, when

- `reference`: the calibration, or what re-weighting leaves of it, has too few rows;
- `unseen`: too much of the window has strata, labels or confidences that the reference lacks;
- `error`: the mean absolute error over the record exceeds the bound, or the newest one twice it;
- `concept`: errors go one way beyond chance, or the caller's sequential test on labels alarmed;
- `labels`: late labels that the model cannot say are more of all than in the reference;
- `stale`: no label, not even of the reference, is younger than a quarter of a year.

NOT guaranteed: a concept that changes after the newest label is seen by none of these, so that
the first windows of such a change are trusted and wrong. `verified` says how many windows stand
behind the measured error; with none, trust rests on the reference alone. Where errors drift one
way, intervals hold the truth less often than 95 %; `benchmarks/estimated_accuracy.py` says how
often.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import sqrt
from typing import Any, Literal

import numpy as np

from bailiwick.core.errors import Invalid
from bailiwick.monitoring.performance.confidences import Tally
from bailiwick.monitoring.performance.reliability import Calibration, Reading, read

Kind = Literal["reference", "unseen", "error", "concept", "labels", "stale"]

_NORMAL_95 = 1.96


@dataclass(frozen=True, slots=True)
class TrustTerms:
    """When an estimate is believed. Shares and errors are of 1: 0.03 is three points.

    `max_error`: the mean absolute error, and half of what the newest one may be; larger believes
    more and is wrong more. `remembered`: verified windows looked at. `max_unseen_share`: of the
    window. `max_new_labels`: share of labels that the model cannot say, above the reference's.
    `one_sided`: standard errors that the mean error may be off zero while above `max_error` / 2.
    `max_days_without_labels`: how long a concept is taken to stand still unwatched.
    """

    max_error: float = 0.03
    remembered: int = 6
    min_reference_rows: int = 500
    max_unseen_share: float = 0.2
    max_new_labels: float = 0.1
    one_sided: float = 3.0
    max_days_without_labels: float = 92.0

    def __post_init__(self) -> None:
        shares = (self.max_error, self.max_unseen_share, self.max_new_labels)
        if not all(0 < share < 1 for share in shares) or self.one_sided <= 0:
            raise Invalid("Errors and shares lie between 0 and 1; one_sided is positive.")
        if self.max_days_without_labels <= 0:
            raise Invalid("Days without labels are a positive number.")
        if self.remembered < 1 or self.min_reference_rows < 1:
            raise Invalid("At least one window is remembered and one row needed.")


@dataclass(frozen=True, slots=True)
class Verified:
    """A past estimate on a window's labelled rows, and what their labels said.

    `sampling`, `common`: variance of the error if the concept stands still, from the window's own
    rows and from the reference's. `unknown`: labelled rows whose label the model cannot say.
    """

    calibration: str
    estimated: float
    accuracy: float
    sampling: float
    common: float
    rows: int
    unknown: int

    @property
    def error(self) -> float:
        """Estimate minus accuracy."""
        return self.estimated - self.accuracy

    @property
    def variance(self) -> float:
        """Of the error."""
        return self.sampling + self.common

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "Verified":
        """What `to_json` wrote."""
        return cls(**value)


@dataclass(frozen=True, slots=True)
class Doubt:
    """One reason not to trust, as a kind and a sentence."""

    kind: Kind
    sentence: str


@dataclass(frozen=True, slots=True)
class Estimate:
    """Estimated accuracy of one window with a 95 % interval.

    plain: CBPE's figure beside it. measured_error: mean absolute error of the newest `verified`
    estimates, None while none is. `calibration`: digest.
    """

    calibration: str
    accuracy: float
    lower: float
    upper: float
    rows: int
    plain: float
    unseen_share: float
    effective_rows: float
    measured_error: float | None
    verified: int
    doubts: tuple[Doubt, ...]

    @property
    def trusted(self) -> bool:
        """Whether nothing speaks against it."""
        return not self.doubts

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {**asdict(self), "doubts": [asdict(doubt) for doubt in self.doubts]}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "Estimate":
        """What `to_json` wrote."""
        return cls(**{**value, "doubts": tuple(Doubt(**doubt) for doubt in value["doubts"])})


def verify(calibration: Calibration, window: Tally) -> Verified:
    """The estimate on the labelled rows of a window against their labels.

    Pass the calibration that was in use for the window, never one fitted with its labels. Call it
    again as more labels arrive: the newer one replaces the older. Raises `Invalid` without labels.
    """
    _fitting(calibration, window)
    found = read(calibration, window.labelled)
    accuracy = float(window.correct.sum() / window.labelled.sum())
    return Verified(
        calibration=calibration.digest,
        estimated=found.accuracy,
        accuracy=accuracy,
        sampling=found.sampling,
        common=found.common,
        rows=found.rows,
        unknown=window.unknown,
    )


def estimate(
    calibration: Calibration,
    window: Tally,
    record: Sequence[Verified] = (),
    *,
    terms: TrustTerms | None = None,
    concept_changed: bool = False,
    days_without_labels: float = 0.0,
) -> Estimate:
    """Accuracy of a window without its labels; `record`: verified windows, oldest first.

    `concept_changed`: the sequential test on labels (`labelled`) has an open alarm on errors that
    the estimates did not foresee. `days_without_labels`: from the newest labelled row, the
    reference's among them, to the window. Raises `Invalid` for another grid and for a window in
    which no row has a confidence.

    >>> from bailiwick.monitoring.performance.confidences import Grid, tally
    >>> from bailiwick.monitoring.performance.reliability import fit
    >>> random, grid = np.random.default_rng(5), Grid(("fuel", "food"))
    >>> def rows(sure, lost=0.0):
    ...     right = random.random(sure.size) < sure - lost
    ...     return tally(grid, sure, ["fuel"] * sure.size, np.where(right, "fuel", "food").tolist())
    >>> known = fit(grid, rows(random.uniform(0.5, 1, 2_000)))
    >>> window = rows(random.uniform(0.5, 0.8, 1_000))
    >>> found = estimate(known, window, [verify(known, rows(random.uniform(0.5, 1, 1_000)))])
    >>> found.trusted, round(found.lower, 2), round(found.upper, 2), found.verified
    (True, 0.61, 0.7, 1)
    >>> changed = verify(known, rows(random.uniform(0.5, 1, 1_000), lost=0.2))
    >>> [doubt.kind for doubt in estimate(known, window, [changed]).doubts]
    ['error', 'concept']
    """
    _fitting(calibration, window)
    terms = terms or TrustTerms()
    found = read(calibration, window.rows)
    newest = list(record)[-terms.remembered :]
    excess = [own.error**2 - own.variance for own in newest]
    beyond = max(0.0, _mean([(terms.max_error / 2) ** 2, *excess]))
    half = _NORMAL_95 * sqrt(found.sampling + found.common + beyond)
    doubts = (
        *_of_window(calibration, window, found, terms),
        *_of_record(calibration, newest, terms, concept_changed),
        *_of_time(days_without_labels, terms),
    )
    return Estimate(
        calibration=calibration.digest,
        accuracy=found.accuracy,
        lower=max(found.accuracy - half, 0.0),
        upper=min(found.accuracy + half, 1.0),
        rows=found.rows,
        plain=found.plain,
        unseen_share=found.unseen_share,
        effective_rows=found.effective_rows,
        measured_error=_mean([abs(own.error) for own in newest]) if newest else None,
        verified=len(newest),
        doubts=doubts,
    )


def _fitting(calibration: Calibration, window: Tally) -> None:
    if window.grid != calibration.grid.digest:
        raise Invalid("The window was counted on another grid than its calibration.")


def _of_window(
    calibration: Calibration, window: Tally, found: Reading, terms: TrustTerms
) -> list[Doubt]:
    doubts = []
    left = min(calibration.rows, found.effective_rows)
    if calibration.rows < terms.min_reference_rows or left < terms.min_reference_rows / 5:
        doubts.append(
            Doubt(
                "reference",
                f"The reference has {calibration.rows:,} labelled rows, worth {left:,.0f} for a "
                f"window like this one; {terms.min_reference_rows:,} are asked for.",
            )
        )
    total = found.rows + window.missing
    unseen = (found.unseen_share * found.rows + window.missing) / total
    if unseen > terms.max_unseen_share:
        doubts.append(
            Doubt(
                "unseen",
                f"{unseen:.0%} of the rows have no confidence, or labels or confidences that the "
                "reference hardly has.",
            )
        )
    return doubts


def _of_record(
    calibration: Calibration,
    newest: Sequence[Verified],
    terms: TrustTerms,
    concept_changed: bool,  # noqa: FBT001 - private
) -> list[Doubt]:
    doubts = []
    errors = np.array([own.error for own in newest])
    size = float(np.abs(errors).mean()) if newest else 0.0
    last = abs(newest[-1].error) if newest else 0.0
    if size > terms.max_error or last > 2 * terms.max_error:
        doubts.append(
            Doubt(
                "error",
                f"The last {len(newest)} estimates were off by {size:.1%} on average, the newest "
                f"by {last:.1%}; the bound is {terms.max_error:.1%}.",
            )
        )
    one_way = abs(float(errors.sum()))
    shared = sum(sqrt(own.common) for own in newest)
    noise = sqrt(sum(own.sampling for own in newest) + shared**2)
    beyond = one_way > terms.one_sided * noise and one_way > len(newest) * terms.max_error / 2
    if concept_changed or beyond:
        doubts.append(
            Doubt(
                "concept",
                "Labels say that the same confidence is right "
                f"{'more' if errors.sum() < 0 else 'less'} often than it was in the reference."
                if beyond
                else "The test on labels found more errors than the baseline allows.",
            )
        )
    labels = sum(own.rows for own in newest)
    new = sum(own.unknown for own in newest) / labels if labels else 0.0
    if new > calibration.unknown_share + terms.max_new_labels:
        doubts.append(
            Doubt(
                "labels",
                f"{new:.0%} of the late labels are ones that the model cannot say, "
                f"{calibration.unknown_share:.0%} in the reference.",
            )
        )
    return doubts


def _of_time(days: float, terms: TrustTerms) -> list[Doubt]:
    if days <= terms.max_days_without_labels:
        return []
    sentence = (
        f"No label has come for {days:.0f} days: nobody knows whether labels still mean what they "
        "did. Label some recent rows."
    )
    return [Doubt("stale", sentence)]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
