"""What guards hold a rollout's requests to, from what was known before it."""

import math

import numpy as np
import pyarrow.parquet as pq
from sqlalchemy import select
from sqlalchemy.orm import Session

from bailiwick.blobs import BlobStore
from bailiwick.lifecycle.rollouts.guards import Curve, Reference
from bailiwick.lifecycle.rollouts.plans import Plan
from bailiwick.monitoring import Baseline, InferenceRecord
from bailiwick.monitoring.performance.reliability import isotonic
from bailiwick.registry import Rollout

BINS = 20
FEWEST_ROWS = 100  # of an evaluation, before confidences are calibrated on it
NEWEST_LATENCIES = 1_000
FEWEST_LATENCIES = 20
QUANTILE = 0.95


def reference_of(session: Session, rollout: Rollout, blobs: BlobStore) -> Reference:
    """Slow is `slow_factor` times the 95 % quantile of the champion's newest latencies.

    Confidences are calibrated on the rows that each version was evaluated on. What there is too
    little of stays None.
    """
    plan = Plan.from_json(rollout.plan)
    return Reference(
        slow_ms=_slow_ms(session, rollout, plan),
        champion=_curve(session, rollout.from_version_id, blobs),
        challenger=_curve(session, rollout.to_version_id, blobs),
    )


def _slow_ms(session: Session, rollout: Rollout, plan: Plan) -> float | None:
    query = (
        select(InferenceRecord.latency_ms)
        .where(
            InferenceRecord.deployment_id == rollout.deployment_id,
            InferenceRecord.version_id == rollout.from_version_id,
            InferenceRecord.latency_ms.is_not(None),
            InferenceRecord.at <= rollout.started_at,
        )
        .order_by(InferenceRecord.at.desc())
        .limit(NEWEST_LATENCIES)
    )
    took = sorted(one for one in session.scalars(query) if one is not None)
    if len(took) < FEWEST_LATENCIES:
        return None
    return took[math.ceil(QUANTILE * len(took)) - 1] * plan.limits.slow_factor


def _curve(session: Session, version_id: object, blobs: BlobStore) -> Curve | None:
    """How often the version was right, by bins of its confidence with equally many rows."""
    baseline = session.scalar(select(Baseline).where(Baseline.version_id == version_id))
    if baseline is None:
        return None
    rows = pq.read_table(
        blobs.verified_path(baseline.rows_blob), columns=["prediction", "confidence", "label"]
    )
    kept = [
        (confidence, prediction == label)
        for prediction, confidence, label in zip(
            *(rows[name].to_pylist() for name in rows.column_names), strict=True
        )
        if confidence is not None and label is not None
    ]
    if len(kept) < FEWEST_ROWS:
        return None
    sure, right = (np.array(column, dtype=np.float64) for column in zip(*kept, strict=True))
    edges = np.unique(np.quantile(sure, np.arange(1, BINS) / BINS))
    place = np.searchsorted(edges, sure, side="right")
    weight = np.bincount(place, minlength=edges.size + 1).astype(np.float64)
    hits = np.bincount(place, right, edges.size + 1)
    rates = isotonic(hits / np.maximum(weight, 1), np.maximum(weight, 1e-9))
    return Curve(tuple(edges.tolist()), tuple(rates.tolist()))
