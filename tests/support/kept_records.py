"""A deployment whose records grow old."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import func, select

from bailiwick.lifecycle import Platform
from bailiwick.monitoring import (
    InferenceRecord,
    Outcome,
    RecordSegment,
    WindowRow,
    log_feedback,
    read_window,
    set_terms,
    take,
)
from bailiwick.monitoring.hours.tables import Window, WindowLayout
from bailiwick.monitoring.intake import Taken
from bailiwick.monitoring.intake.records import Batch, Record, columns_of
from bailiwick.monitoring.keeping import Keeping, archive_next, set_keeping
from bailiwick.registry import served_version
from factories import Factory
from support.api_traffic import FOREVER, START

DAY = timedelta(days=1)
LATER = START + 60 * DAY


@dataclass
class Kept:
    """A deployment that takes records of 30 days, and what happens to it; all is committed."""

    platform: Platform
    deployment_id: UUID
    version_id: UUID
    actor_id: UUID

    @classmethod
    def on(cls, platform: Platform, **keeping: int) -> "Kept":
        """Records stay hot for 30 days, unless `keeping` says something else."""
        with platform.database.transaction() as session:
            make = Factory(session, platform)
            deployment = make.running()
            found = cls(
                platform,
                deployment.id,
                served_version(session, deployment).id,
                make.engineer.id,
            )
            by: dict[str, Any] = {"actor_id": found.actor_id, "at": START}
            ages = {"max_ahead_seconds": 300, "max_age_days": 30, "rejected_days": 30}
            set_terms(session, found.deployment_id, segments=(), **ages, **by)
            set_keeping(session, found.deployment_id, Keeping(**({"hot_days": 30} | keeping)), **by)
        return found

    def keep(self, records: Iterable[Record], at: datetime = START + 10 * DAY) -> Taken:
        """Take records with their texts."""
        rows = list(records)
        batch = Batch(columns_of(rows), list(range(len(rows))), lambda _: b"{}")
        with self.platform.database.transaction() as session:
            return take(
                session,
                self.deployment_id,
                self.version_id,
                batch,
                keeps_text=True,
                pseudonyms=self.platform.pseudonyms,
                vault=self.platform.texts,
                at=at,
            )

    def tell(self, *outcomes: Outcome, at: datetime = LATER) -> None:
        """Send labels."""
        with self.platform.database.transaction() as session:
            log_feedback(session, self.deployment_id, outcomes, actor_id=self.actor_id, at=at)

    def archive(self, at: datetime = LATER) -> RecordSegment | None:
        """Move one day."""
        folder: Path = self.platform.settings.work_folder
        return archive_next(self.platform.database, self.platform.blobs, folder, at=at)

    def archive_all(self, at: datetime = LATER) -> int:
        """Move all that is due; how many days."""
        return sum(1 for _ in iter(lambda: self.archive(at), None))

    def window(self, **changes: Any) -> list[WindowRow]:
        """What readers see."""
        options = {"start": START, "end": FOREVER, "known_at": FOREVER} | changes
        with self.platform.database.reading() as session:
            return read_window(
                session,
                self.deployment_id,
                vault=self.platform.texts,
                blobs=self.platform.blobs,
                **options,
            )

    def sum_up(self, hours: int) -> None:
        """Hourly summaries, one request each, of the first so many hours."""
        with self.platform.database.transaction() as session:
            layout = WindowLayout(
                deployment_id=self.deployment_id,
                version_id=self.version_id,
                digest="x",
                content="{}",
                declared=[],
                sample_rows=1,
                made_at=START,
            )
            session.add(layout)
            session.flush()
            told: dict[str, Any] = {"rows": 1, "late_rows": 0, "changed_at": START}
            starts = [START + number * timedelta(hours=1) for number in range(hours)]
            session.add_all(
                Window(layout_id=layout.id, start=start, summary=b"", **told) for start in starts
            )

    def hot(self) -> int:
        """Records in the database."""
        with self.platform.database.reading() as session:
            return session.scalar(select(func.count()).select_from(InferenceRecord)) or 0

    def segments(self) -> list[RecordSegment]:
        """All of them, oldest first."""
        with self.platform.database.reading() as session:
            query = select(RecordSegment).order_by(RecordSegment.start, RecordSegment.part)
            return list(session.scalars(query))


def days(count: int, of_day: int = 3, **changes: Any) -> list[Record]:
    """So many records on each day from `START` on."""
    return [
        Record(
            **{
                "record_id": f"d{day:02}-{number}",
                "at": START + day * DAY + timedelta(hours=number),
                "prediction": "Fuel",
                "confidence": 0.5,
                "segments": None,
                "text": f"paid on day {day}, number {number}",
            }
            | changes
        )
        for day in range(count)
        for number in range(of_day)
    ]
