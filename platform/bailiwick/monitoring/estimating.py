"""What accuracy to expect of a window of records, from a version's evaluation rows."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pyarrow.parquet as pq
from sqlalchemy import select
from sqlalchemy.orm import Session

from bailiwick.core.errors import Invalid
from bailiwick.monitoring.performance import (
    Estimate,
    Grid,
    TrustTerms,
    Verified,
    estimate,
    fit,
    tally,
    verify,
)
from bailiwick.monitoring.tables import CheckResult
from bailiwick.monitoring.windows import WindowRow

ESTIMATED, VERIFIED = "estimated", "verified"  # in a check's details
# A confidence means less where words were never seen in training (decision 10).
KNOWN_WORDS, UNKNOWN_WORDS = "known words", "unknown words"
FEWEST_LABELS = 30  # of a window, before its estimate is held against them


@dataclass(frozen=True, slots=True)
class Expectation:
    """The estimate of a window, and what its labels say of that so far."""

    estimate: Estimate
    verified: Verified | None

    def to_details(self) -> dict[str, Any]:
        """As a check keeps it."""
        told = {VERIFIED: self.verified.to_json()} if self.verified else {}
        return {ESTIMATED: {**self.estimate.to_json(), "trusted": self.estimate.trusted}} | told

    @property
    def sentence(self) -> str:
        """For the person on call."""
        found = self.estimate
        if not found.trusted:
            why = " ".join(doubt.sentence for doubt in found.doubts)
            return f"Accuracy cannot be estimated: {why}"
        off = (
            f"past estimates were off by {found.measured_error:.1%}"
            if found.measured_error is not None
            else "no estimate has been verified by labels yet"
        )
        return (
            f"Estimated accuracy is {found.accuracy:.1%} ({found.lower:.1%} to {found.upper:.1%}; "
            f"{off})."
        )


def expectation(
    reference: Path,
    rows: Sequence[WindowRow],
    record: Sequence[Verified],
    *,
    concept_changed: bool = False,
) -> Expectation | None:
    """Of a window's rows; None if none has a confidence, or the reference no labels.

    `reference`: Parquet of the version's evaluation rows with their labels and descriptors.
    `record`: how earlier estimates of the version did, oldest first. `concept_changed`: a loss by
    labels stands, so that confidences are not believed.
    """
    columns = ["prediction", "confidence", "label", "unseen_words_ratio"]
    known = pq.read_table(reference, columns=columns).to_pydict()
    said = Counter([*known["label"], *known["prediction"]])
    labels = tuple(sorted(said, key=lambda label: (-said[label], label)))
    grid = Grid(labels, strata=(KNOWN_WORDS, UNKNOWN_WORDS))
    window = tally(
        grid,
        [row.confidence for row in rows],
        [row.prediction for row in rows],
        [row.label for row in rows],
        [_stratum(row.unseen_words_ratio) for row in rows],
    )
    if not window.rows.any():
        return None
    try:
        strata = list(map(_stratum, known["unseen_words_ratio"]))
        calibration = fit(
            grid, tally(grid, known["confidence"], known["prediction"], known["label"], strata)
        )
    except Invalid:
        return None
    found = estimate(
        calibration, window, record, terms=TrustTerms(), concept_changed=concept_changed
    )
    labelled = int(window.labelled.sum())
    return Expectation(found, verify(calibration, window) if labelled >= FEWEST_LABELS else None)


def track_record(session: Session, monitor_id: UUID, version_id: UUID) -> list[Verified]:
    """How estimates of a version did in its newest checks, oldest first."""
    newest = session.scalars(
        select(CheckResult)
        .where(CheckResult.monitor_id == monitor_id, CheckResult.version_id == version_id)
        .order_by(CheckResult.window_end.desc(), CheckResult.id.desc())
        .limit(TrustTerms().remembered * 2)
    ).all()
    found = [check.details[VERIFIED] for check in reversed(newest) if VERIFIED in check.details]
    return [Verified.from_json(one) for one in found]


def _stratum(unseen_words_ratio: float | None) -> str:
    return UNKNOWN_WORDS if unseen_words_ratio else KNOWN_WORDS
