"""Baselines and detectors' states as they are stored: canonical or plain JSON, compressed."""

import json
import zlib
from datetime import datetime
from functools import lru_cache
from uuid import UUID

from sqlalchemy.orm import Session

from bailiwick.audit.log import record
from bailiwick.core.canonical import canonical_bytes, sha256_hex
from bailiwick.core.ids import new_id
from bailiwick.monitoring.baselines import Baseline
from bailiwick.monitoring.eprocess import DetectorState
from bailiwick.monitoring.hours import WindowLayout
from bailiwick.monitoring.watching.tables import TrafficBaseline


def store_baseline(
    session: Session,
    layout: WindowLayout,
    baseline: Baseline,
    *,
    origin: str,
    reason: str,
    carried_from: UUID | None = None,
    actor_id: UUID,
    at: datetime,
) -> TrafficBaseline:
    """Keep a baseline; it is audited by its digest and never changes."""
    content = canonical_bytes(baseline.to_json())
    row = TrafficBaseline(
        id=new_id(),
        deployment_id=layout.deployment_id,
        version_id=layout.version_id,
        layout_id=layout.id,
        digest=sha256_hex(content),
        grade=baseline.grade,
        origin=origin,
        reason=reason,
        carried_from=carried_from,
        window_hours=round(baseline.window_hours),
        first=baseline.first,
        end=baseline.end,
        windows=baseline.windows,
        rows=baseline.reference.rows,
        watched=sorted({contrast.feature for contrast in baseline.contrasts}),
        unwatched=list(baseline.unwatched),
        content=zlib.compress(content),
        created_by=actor_id,
        created_at=at,
    )
    session.add(row)
    session.flush()
    record(
        session,
        "traffic-baseline.created",
        subject_type="deployment",
        subject_id=layout.deployment_id,
        actor_id=actor_id,
        at=at,
        details={
            "baseline": str(row.id),
            "digest": row.digest,
            "version": str(row.version_id),
            "grade": row.grade,
            "origin": origin,
            "reason": reason,
            "windows": [row.first.isoformat(), row.end.isoformat()],
            "window_hours": row.window_hours,
            "rows": row.rows,
        },
    )
    return row


def baseline_in(row: TrafficBaseline) -> Baseline:
    """The baseline of a stored row."""
    return _baseline(row.content)


@lru_cache(maxsize=64)
def _baseline(content: bytes) -> Baseline:
    return Baseline.from_json(json.loads(zlib.decompress(content)))


def packed(state: DetectorState) -> bytes:
    """A state as it is stored."""
    return zlib.compress(json.dumps(state.to_json(), separators=(",", ":")).encode(), level=1)


def unpacked(stored: bytes) -> DetectorState:
    """The state that was stored, to the last bit."""
    return DetectorState.from_json(json.loads(zlib.decompress(stored)))
