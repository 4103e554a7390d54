"""The labelled rows of a history, each with the label that was known when its time was up."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from bailiwick.core.errors import Invalid
from bailiwick.lifecycle.backtest.periods import begin_of, edges_between
from bailiwick.lifecycle.platform import Platform
from bailiwick.lifecycle.replays.orders import Source
from bailiwick.lifecycle.replays.settings import ReplaySettings
from bailiwick.lifecycle.selection import FRAME_SCHEMA, frame_of, without_repeats
from bailiwick.monitoring import InferenceRecord, RecordSegment, read_window
from bailiwick.monitoring.windows import accuracy_between

_MOST_PERIODS = 4_000  # ten years of days


@dataclass(frozen=True, slots=True)
class History:
    """Rows to replay as a frame (time, text, label); `served`: the versions that answered them.

    `late_rows` were left out because their label came after their time was up, `without_text`
    because their text was not kept, or erased.
    """

    frame: pa.Table
    served: frozenset[UUID]
    late_rows: int
    without_text: int


def read_history(
    session: Session, platform: Platform, source: Source, settings: ReplaySettings, *, at: datetime
) -> History:
    """What was brought in and what was answered and labelled. Raises `Invalid` if that is nothing.

    A label counts if it had come `label_delay` periods after its row's had ended, as it stood
    then: no later one is seen. Rows that were brought in carry no such time; they count.
    """
    until = begin_of(min(settings.until, at), settings.period)
    oldest = _oldest(source, settings)
    frames, served, late, without_text = [FRAME_SCHEMA.empty_table()], frozenset[UUID](), 0, 0
    if source.deployment is not None:
        start = _first_record(session, source.deployment.id)
        start = None if start is None else max(start, oldest)
        if start is not None and start < until:
            periods = _periods(start, until, settings, at)
            found = _answered(session, platform, source.deployment.id, periods, at=at)
            frames, served, late, without_text = found
    for version in source.versions:
        path = platform.blobs.verified_path(version.rows_blob)
        frame = frame_of(path, version.text_columns, version.label_column)
        frames.append(frame.filter((pc.field("time") >= oldest) & (pc.field("time") < until)))
    rows = pa.concat_tables(without_repeats(frames))
    if not rows.num_rows:
        raise Invalid(_nothing(until, late, without_text))
    return History(rows, served, late, without_text)


def _oldest(source: Source, settings: ReplaySettings) -> datetime:
    """Where learning begins: a policy's window before what is answered, or as long ago as it is."""
    if source.policy is None or settings.since is None:
        return datetime.min.replace(tzinfo=settings.until.tzinfo)
    return settings.since - timedelta(days=source.policy.window_days)


def _first_record(session: Session, deployment_id: UUID) -> datetime | None:
    """The oldest record's time, in the database or in a segment."""
    hot = session.scalar(
        select(func.min(InferenceRecord.at)).where(InferenceRecord.deployment_id == deployment_id)
    )
    archived = session.scalar(
        select(func.min(RecordSegment.first_at)).where(RecordSegment.deployment_id == deployment_id)
    )
    return min((one for one in (hot, archived) if one is not None), default=None)


def _answered(
    session: Session,
    platform: Platform,
    deployment_id: UUID,
    periods: Sequence[tuple[datetime, datetime, datetime]],
    *,
    at: datetime,
) -> tuple[list[pa.Table], frozenset[UUID], int, int]:
    """The rows as one frame, the versions that answered, late rows, rows without text."""
    frames, served, labelled, without_text = [], set[UUID](), 0, 0
    for start, end, known_at in periods:
        rows = read_window(
            session,
            deployment_id,
            start=start,
            end=end,
            known_at=known_at,
            labelled_only=True,
            vault=platform.texts,
            blobs=platform.blobs,
        )
        readable = [row for row in rows if row.text]
        served |= {row.version_id for row in readable}
        labelled, without_text = labelled + len(rows), without_text + len(rows) - len(readable)
        rows_of_period = [{"time": r.at, "text": r.text, "label": r.label} for r in readable]
        frames.append(pa.Table.from_pylist(rows_of_period, schema=FRAME_SCHEMA))
    ever = accuracy_between(
        session,
        deployment_id,
        start=periods[0][0],
        end=periods[-1][1],
        known_at=at,
        blobs=platform.blobs,
    )
    return (
        [pa.concat_tables(frames)],
        frozenset(served),
        max(0, ever.labelled_rows - labelled),
        without_text,
    )


def _periods(
    start: datetime, until: datetime, settings: ReplaySettings, at: datetime
) -> list[tuple[datetime, datetime, datetime]]:
    """Start and end of each period, and when its labels were known: now, if that is still ahead."""
    edges = edges_between(start, at, settings.period)
    if len(edges) > _MOST_PERIODS:
        raise Invalid(f"that is {len(edges):,} periods; choose longer ones, or a later since")
    ended = [place for place, end in enumerate(edges[1:]) if end <= until]
    known = (edges[place + 1 + settings.label_delay :] for place in ended)
    return [
        (edges[place], edges[place + 1], min(later[0] if later else at, at))
        for place, later in zip(ended, known, strict=True)
    ]


def _nothing(until: datetime, late: int, without_text: int) -> str:
    left_out = (
        f"{late:,} labels came too late (see label_delay), {without_text:,} rows have no text"
    )
    return f"there is nothing to replay before {until:%Y-%m-%d}: {left_out}"
