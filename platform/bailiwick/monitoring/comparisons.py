"""Two spans of a deployment's traffic as rows for a domain classifier, and its answer in words.

Rows are those of the hours' samples (at most 64 an hour), so that a comparison of months costs what
one of days does. What depends on the version that answered is left out where the spans were
answered by different ones.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from pathlib import Path
from typing import Any, Self
from uuid import UUID

import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import select
from sqlalchemy.orm import Session

from bailiwick.core.batches import in_batches
from bailiwick.core.errors import Invalid
from bailiwick.monitoring.embeddings import STEPS, unpacked
from bailiwick.monitoring.hours import (
    EMBEDDING,
    HOUR,
    KEYS,
    MEASURES,
    OF_THE_MODEL,
    Window,
    WindowLayout,
    features_of,
    hour_of,
    spread,
)
from bailiwick.monitoring.moments import EPOCH
from bailiwick.monitoring.tables import InferenceRecord
from bailiwick.monitoring.texts import TextVault
from bailiwick.monitoring.verdicts import name_of
from bailiwick.monitoring.windows import record_texts

FEWEST, MOST = 200, 10_000  # rows of a span
_CHANCE = 0.5
_STRONG = 0.8


@dataclass(frozen=True, slots=True)
class Span:
    """Requests with start <= at < end, in whole hours."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.start >= self.end:
            raise Invalid("A span ends after it starts.")

    @classmethod
    def of(cls, start: datetime, end: datetime) -> Self:
        """The span of the hours that these moments are in."""
        return cls(hour_of(start), hour_of(end))

    def to_payload(self) -> dict[str, str]:
        """As JSON."""
        return {"start": self.start.isoformat(), "end": self.end.isoformat()}

    @classmethod
    def from_payload(cls, given: Mapping[str, str]) -> Self:
        """What `to_payload` made."""
        return cls(*(datetime.fromisoformat(given[name]) for name in ("start", "end")))


def sampled_records(session: Session, deployment_id: UUID, span: Span) -> list[InferenceRecord]:
    """The sampled records of a span, by time; `Invalid` if they are too few to learn from.

    Archived ones are not among them.
    """
    layouts = session.scalars(
        select(WindowLayout.id).where(WindowLayout.deployment_id == deployment_id)
    ).all()
    inside = (Window.start >= span.start, Window.start < span.end)
    ids = spread(session, layouts, *inside, most=MOST)
    found: list[InferenceRecord] = []
    for some in in_batches(set(ids)):
        found += session.scalars(
            select(InferenceRecord).where(
                InferenceRecord.deployment_id == deployment_id,
                InferenceRecord.record_id.in_(some),
            )
        )
    if len(found) < FEWEST:
        raise Invalid(
            f"From {span.start:%Y-%m-%d %H:%M} to {span.end:%Y-%m-%d %H:%M} UTC there are "
            f"{len(found):,} sampled requests, and at least {FEWEST} are needed: compare longer "
            "spans, and such as are not archived yet. Requests are sampled from when the "
            "deployment's traffic is watched."
        )
    return sorted(found, key=attrgetter("at", "record_id"))


def write_rows(
    session: Session,
    before: Sequence[InferenceRecord],
    after: Sequence[InferenceRecord],
    path: Path,
    *,
    vault: TextVault | None,
) -> None:
    """Write both spans as `comparing` reads them; with texts where a `vault` opens them."""
    records = [*before, *after]
    names = (*MEASURES, "segments", "features")
    features = features_of({name: [getattr(one, name) for one in records] for name in names})
    versions = [{one.version_id for one in side} for side in (before, after)]
    gone = OF_THE_MODEL if versions[0] != versions[1] else frozenset[str]()
    columns: dict[str, pa.Array] = {}
    for name, values in features.items():
        if name in KEYS or name in gone or all(value is None for value in values):
            continue
        if name == EMBEDDING:
            columns |= _directions(values)
        elif any(isinstance(value, str) for value in values):
            columns[name] = pa.array([None if v is None else str(v) for v in values], pa.string())
        else:
            columns[name] = pa.array(values, pa.float64(), from_pandas=True)
    if not columns:
        raise Invalid("These requests have nothing in common that could be compared.")
    columns["(hour)"] = pa.array([(one.at - EPOCH) // HOUR for one in records], pa.int64())
    columns["(after)"] = pa.array([False] * len(before) + [True] * len(after))
    if vault is not None:
        columns["(text)"] = pa.array(record_texts(session, vault, records), pa.string())
    pq.write_table(pa.table(columns), path)


def sentence_of(outcome: Mapping[str, Any]) -> str:
    """What the classifier found, for a person."""
    told = _told("The measures of requests", outcome)
    features = [name_of(one["feature"]) for one in outcome["features"]]
    if features and outcome["lower"] > _CHANCE:
        told = f"{told} It goes by {', '.join(features)}."
    texts = outcome["texts"]
    return told if texts is None else f"{told} {_told('Words', texts)}"


def _told(what: str, found: Mapping[str, Any]) -> str:
    figures = f"(area {found['area']:.2f}, 95 %: {found['lower']:.2f} to {found['upper']:.2f})"
    if found["lower"] <= _CHANCE:
        return f"{what} do not tell the spans apart {figures}."
    how = "clearly" if found["area"] >= _STRONG else "a little"
    return f"{what} tell the spans apart {how} {figures}."


def _directions(values: Sequence[bytes | None]) -> dict[str, pa.Array]:
    there = [value for value in values if value is not None]
    steps = iter((unpacked(there) / STEPS).tolist())
    rows = [None if value is None else next(steps) for value in values]
    return {
        f"{EMBEDDING} direction {place + 1}": pa.array(
            [None if row is None else row[place] for row in rows], pa.float64()
        )
        for place in range(8)
    }
