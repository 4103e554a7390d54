"""Changes of labels are counted: in the hour of their requests as they stand, and as they arrive.

One process at a time for a deployment. A change whose record has not come waits, and is looked
for again after as long as it has waited, at least a minute and at most a day: labels that come
first cost the records nothing, and those whose record never comes next to nothing. Archived
records are looked for once, when a minute has passed: what is archived was there long before.

Labels of requests that were picked because the model was in doubt are not counted: they are of the
hard ones, and would say that accuracy is worse than it is.

A label is read by what names meant when it came: once a label was renamed, its old name is as right
as the new one from the next hour on, and what was counted before stays as it was. So a label that
is taken back is read as it was when it was counted.
"""

import json
import zlib
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, delete, select, tuple_
from sqlalchemy.orm import Session

from bailiwick.core.batches import BATCH_ROWS, in_batches
from bailiwick.core.ids import new_id
from bailiwick.db.session import lock_feedback
from bailiwick.monitoring.archive import Answered
from bailiwick.monitoring.confusion.changes import Change, packed, unpacked
from bailiwick.monitoring.confusion.counts import (
    MOST_LABELS,
    MOST_VALUES,
    OTHER,
    LabelCounts,
)
from bailiwick.monitoring.confusion.tables import (
    LabelArrival,
    LabelChange,
    LabelHour,
    LabelLedger,
)
from bailiwick.monitoring.hours import HOUR
from bailiwick.monitoring.labelling import picked_for_doubt
from bailiwick.monitoring.moments import EPOCH
from bailiwick.monitoring.naming import AS_SENT, AS_THEY_CAME, Naming, namings_of
from bailiwick.monitoring.tables import Feedback, InferenceRecord

SOONEST: Final = timedelta(minutes=1)
LATEST: Final = timedelta(days=1)
AT_ONCE = 10_000  # labels in one go, or a batch more
_BATCHES = 1_000  # of feedback that are looked for in one go
_LOADED = 10  # of them at a time
_HISTORY_ROWS = 10_000

Place = tuple[UUID, int]  # a version, and an hour since 1970
Record = Row[Any] | Answered


def open_ledger(session: Session, deployment_id: UUID) -> None:
    """Have a deployment's labels counted; `begin_ledger` counts those that it has already."""
    session.add(LabelLedger(deployment_id=deployment_id, labels=[], segments={}))
    session.flush()


def begin_ledger(session: Session, ledger: LabelLedger, *, at: datetime) -> None:
    """Note all labels that there are; from now on feedback notes its own.

    Nobody labels records of the deployment meanwhile, so that each label is noted by one of both.
    """
    lock_feedback(session, ledger.deployment_id)
    for changes in _history(session, ledger.deployment_id):
        session.add(
            LabelChange(
                id=new_id(),
                deployment_id=ledger.deployment_id,
                noted_at=at,
                due_at=at,
                entries=packed(changes),
            )
        )
    ledger.begun_at = at
    session.flush()


def sought_in_archive(session: Session, deployment_id: UUID, *, at: datetime) -> set[str]:
    """Ids of records that labels wait for and that have not been looked for in the archive."""
    changes = session.scalars(
        select(LabelChange.entries)
        .where(
            LabelChange.deployment_id == deployment_id,
            LabelChange.due_at <= at,
            LabelChange.noted_at <= at - SOONEST,
            LabelChange.searched.is_(False),
        )
        .order_by(LabelChange.due_at, LabelChange.id)
        .limit(_LOADED)
    )
    about = {change.record_id for entries in changes for change in unpacked(entries)}
    return about - _records(session, deployment_id, about).keys()


def count_changes(
    session: Session,
    ledger: LabelLedger,
    *,
    arrived_from: datetime | None,
    archived: Mapping[str, Answered | None],
    at: datetime,
) -> int:
    """Count what is due; how many batches of feedback were looked at. The ledger is locked.

    Arrivals before `arrived_from` count as of then: what was judged is not judged again.
    `archived` are the records that were looked for in the archive, None where it has none.
    """
    due, waiting = _due(session, ledger.deployment_id, at)
    about = {change.record_id for changes in waiting.values() for change in changes}
    of_old = {name: archived[name] for name in about & archived.keys()}
    records: dict[str, Record] = {name: one for name, one in of_old.items() if one is not None}
    records |= _records(session, ledger.deployment_id, about)
    doubted = picked_for_doubt(session, ledger.deployment_id, records)
    found = [
        change
        for changes in waiting.values()
        for change in changes
        if change.record_id in records and change.record_id not in doubted
    ]
    namings = namings_of(session, ledger.deployment_id) if found else AS_THEY_CAME
    places = _Places(ledger)
    _add_to_hours(session, ledger.deployment_id, _by_request(found, records, places, namings))
    arrived = _by_arrival(found, records, arrived_from, namings)
    _add_arrivals(session, ledger.deployment_id, arrived)
    places.keep()
    done = []
    for one in due:
        rest = [change for change in waiting[one.id] if change.record_id not in records]
        if not rest:
            done.append(one.id)
            continue
        if len(rest) < len(waiting[one.id]):
            one.entries = packed(rest)
        one.searched = one.searched or all(change.record_id in of_old for change in rest)
        one.due_at = at + min(max(at - one.noted_at, SOONEST), LATEST)
    for some in in_batches(done):
        session.execute(delete(LabelChange).where(LabelChange.id.in_(some)))
    session.flush()
    return len(due)


def _due(
    session: Session, deployment_id: UUID, at: datetime
) -> tuple[list[LabelChange], dict[UUID, list[Change]]]:
    """Batches that are due, the oldest first, and what each of them changed."""
    ids = session.scalars(
        select(LabelChange.id)
        .where(LabelChange.deployment_id == deployment_id, LabelChange.due_at <= at)
        .order_by(LabelChange.due_at, LabelChange.id)
        .limit(_BATCHES)
    ).all()
    due: list[LabelChange] = []
    waiting: dict[UUID, list[Change]] = {}
    for first in range(0, len(ids), _LOADED):
        if sum(map(len, waiting.values())) >= AT_ONCE:
            break
        some = ids[first : first + _LOADED]
        loaded = session.scalars(select(LabelChange).where(LabelChange.id.in_(some))).all()
        due += loaded
        waiting |= {one.id: unpacked(one.entries) for one in loaded}
    return due, waiting


class _Places:
    """The places of labels and of segments' values; new ones get the next place, while there is."""

    def __init__(self, ledger: LabelLedger) -> None:
        self._ledger = ledger
        self._labels = {name: place for place, name in enumerate(ledger.labels)}
        self._values = {
            name: {value: place for place, value in enumerate(values)}
            for name, values in ledger.segments.items()
        }

    def label(self, name: str) -> int:
        if len(self._labels) < MOST_LABELS:
            return self._labels.setdefault(name, len(self._labels))
        return self._labels.get(name, OTHER)

    def segments(self, given: Mapping[str, str] | None) -> dict[str, int | None]:
        return {name: self._value(name, value) for name, value in (given or {}).items()}

    def _value(self, name: str, value: str) -> int | None:
        values = self._values.setdefault(name, {})
        return (
            values.setdefault(value, len(values))
            if len(values) < MOST_VALUES
            else values.get(value)
        )

    def keep(self) -> None:
        self._ledger.labels = list(self._labels)
        self._ledger.segments = {name: list(values) for name, values in self._values.items()}


def _by_request(
    changes: Sequence[Change],
    records: Mapping[str, Record],
    places: _Places,
    namings: Mapping[UUID, Naming],
) -> dict[Place, LabelCounts]:
    """What changes mean for the hours of their requests."""
    found: defaultdict[Place, LabelCounts] = defaultdict(LabelCounts)
    for change in changes:
        record = records[change.record_id]
        counts = found[record.version_id, _hour(record.at)]
        came = change.hour if change.before_hour is None else change.before_hour
        for given, hour, sign in ((change.before, came, -1), (change.after, change.hour, 1)):
            label = _read(given, hour, record, namings)
            if label is not None:
                counts.add(
                    places.label(record.prediction),
                    places.label(label),
                    correct=label == record.prediction,
                    confidence=record.confidence,
                    segments=places.segments(record.segments),
                    sign=sign,
                )
    return found


def _by_arrival(
    changes: Sequence[Change],
    records: Mapping[str, Record],
    arrived_from: datetime | None,
    namings: Mapping[UUID, Naming],
) -> dict[Place, Counter[tuple[int, bool]]]:
    """First labels by version and hour of arrival: how many of each hour of requests are wrong."""
    earliest = _hour(arrived_from) if arrived_from is not None else 0
    found: defaultdict[Place, Counter[tuple[int, bool]]] = defaultdict(Counter)
    for change in changes:
        record = records[change.record_id]
        label = _read(change.after, change.hour, record, namings)
        if change.is_first and label is not None:
            arrived = found[record.version_id, max(change.hour, earliest)]
            arrived[_hour(record.at), label != record.prediction] += 1
    return found


def _read(
    label: str | None, hour: int, record: Record, namings: Mapping[UUID, Naming]
) -> str | None:
    """A label that came in an hour, as it was read then."""
    naming = namings.get(record.version_id, AS_SENT)
    return naming.read(label, record.prediction, at=EPOCH + hour * HOUR)


def _add_to_hours(
    session: Session, deployment_id: UUID, found: Mapping[Place, LabelCounts]
) -> None:
    standing = _standing(session, LabelHour, LabelHour.start, deployment_id, found)
    for (version_id, hour), counts in found.items():
        row = standing.get((version_id, hour))
        if row is None:
            start = EPOCH + hour * HOUR
            row = LabelHour(deployment_id=deployment_id, version_id=version_id, start=start)
            session.add(row)
        else:
            counts.merge(LabelCounts.from_bytes(row.content))
        row.rows, row.correct, row.content = counts.rows, counts.correct, counts.to_bytes()


def _add_arrivals(
    session: Session, deployment_id: UUID, found: Mapping[Place, Counter[tuple[int, bool]]]
) -> None:
    standing = _standing(session, LabelArrival, LabelArrival.arrived, deployment_id, found)
    for (version_id, hour), counts in found.items():
        row = standing.get((version_id, hour))
        if row is None:
            arrived = EPOCH + hour * HOUR
            row = LabelArrival(deployment_id=deployment_id, version_id=version_id, arrived=arrived)
            session.add(row)
        else:
            for requested, wrong, rows in arrivals_in(row.content):
                counts[requested, True] += wrong
                counts[requested, False] += rows - wrong
        hours = sorted({requested for requested, _ in counts})
        told = [(one, counts[one, True], counts[one, True] + counts[one, False]) for one in hours]
        row.rows = sum(rows for _, _, rows in told)
        row.wrong = sum(wrong for _, wrong, _ in told)
        row.content = zlib.compress(json.dumps(told, separators=(",", ":")).encode())


def arrivals_in(content: bytes) -> list[tuple[int, int, int]]:
    """(hour of the requests since 1970, wrong, rows) of a stored arrival."""
    return [(hour, wrong, rows) for hour, wrong, rows in json.loads(zlib.decompress(content))]


def _standing(
    session: Session,
    table: type[Any],
    moment: Any,
    deployment_id: UUID,
    places: Collection[Place],
) -> dict[Place, Any]:
    found: dict[Place, Any] = {}
    for some in in_batches((version, EPOCH + hour * HOUR) for version, hour in places):
        rows = session.scalars(
            select(table).where(
                table.deployment_id == deployment_id, tuple_(table.version_id, moment).in_(some)
            )
        )
        found |= {(row.version_id, _hour(getattr(row, moment.key))): row for row in rows}
    return found


def _records(session: Session, deployment_id: UUID, about: Collection[str]) -> dict[str, Record]:
    found: dict[str, Record] = {}
    for some in in_batches(sorted(about)):
        rows = session.execute(
            select(
                InferenceRecord.record_id,
                InferenceRecord.version_id,
                InferenceRecord.at,
                InferenceRecord.prediction,
                InferenceRecord.confidence,
                InferenceRecord.segments,
            ).where(
                InferenceRecord.deployment_id == deployment_id,
                InferenceRecord.record_id.in_(some),
            )
        )
        found |= {row.record_id: row for row in rows}
    return found


def _history(session: Session, deployment_id: UUID) -> Iterator[list[Change]]:
    """All that was ever said of records, as changes in pieces."""
    said = session.execute(
        select(Feedback.record_id, Feedback.label, Feedback.received_at)
        .where(Feedback.deployment_id == deployment_id)
        .order_by(Feedback.record_id, Feedback.revision),
        execution_options={"yield_per": BATCH_ROWS},
    )
    changes: list[Change] = []
    for record_id, revisions in groupby(said, key=lambda row: row.record_id):
        before, is_first, came = None, True, None
        for _, label, received_at in revisions:
            hour = _hour(received_at)
            changes.append(Change(record_id, before, label, is_first, hour, came))
            before, is_first, came = label, False, hour
        if len(changes) >= _HISTORY_ROWS:
            yield changes
            changes = []
    if changes:
        yield changes


def _hour(moment: datetime) -> int:
    return (moment - EPOCH) // HOUR
