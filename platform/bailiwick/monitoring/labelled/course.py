"""Watching labels goes on: what arrived is counted, each step of time is judged once, and told.

    count what feedback changed → a reference for what is served → judge steps that ended → tell

One transaction, and one process at a time for a deployment. A step has ended `LATENESS` after its
end; a label that is counted later than that counts as of the next step. The test takes the labels
that ARRIVED in a step, each record's first one once, by the windows of their requests; figures
use labels as they stand. A promotion begins anew.
"""

import json
import zlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from bailiwick.blobs import BlobStore
from bailiwick.core.errors import Invalid
from bailiwick.core.ids import new_id
from bailiwick.monitoring.alert_life import AlertState
from bailiwick.monitoring.archive import Answered, archived_files, find_records
from bailiwick.monitoring.budget import sensitivity_to_labels
from bailiwick.monitoring.confusion import (
    LabelChange,
    LabelLedger,
    begin_ledger,
    count_changes,
    first_arrival,
    sought_in_archive,
)
from bailiwick.monitoring.incidents import follow
from bailiwick.monitoring.labelled.explaining import arrived_between, told_of
from bailiwick.monitoring.labelled.references import (
    evaluated,
    expected_in,
)
from bailiwick.monitoring.labelled.tables import (
    LabelCheck,
    LabelIncident,
    LabelReference,
    LabelWatch,
)
from bailiwick.monitoring.labelled.told import (
    Turn,
    alert_of,
    confirm_incident,
    course_of,
    end_incident,
    open_incident,
    standing,
)
from bailiwick.monitoring.moments import EPOCH
from bailiwick.monitoring.performance import (
    LabelledJudgement,
    LabelledState,
    LabelledTest,
    LabelledWindow,
    fresh_labels,
    labelled_test,
    restarted_labels,
    steps_since,
    take_labels,
)
from bailiwick.monitoring.tables import Monitor

LATENESS: Final = timedelta(minutes=10)
COUNTED_AT_ONCE = 10  # times some 10,000 labels; the rest is for the next turn
FEWEST_LABELS = 30  # since the last alarm, before a loss can be over
NOT_ARCHIVED: Final[Mapping[str, Answered | None]] = {}
_BACK_AGAIN = 0.5  # of the smallest drop worth waking for: less than that is accuracy as it was
NO_REFERENCE = (
    "an evaluation of the version that is served, or days of labels that you declare right "
    "(bailiwick monitor labels rebase)"
)


def has_work(session: Session, monitor: Monitor, version_id: UUID | None, *, at: datetime) -> bool:
    """Whether `advance` would find something to do, in five small queries at most.

    `version_id`: what is served, None where labels are counted and not judged.
    """
    ledger = session.get(LabelLedger, monitor.deployment_id)
    watch = session.get(LabelWatch, monitor.id)
    if ledger is None or watch is None:
        return False
    due = select(LabelChange.id).where(
        LabelChange.deployment_id == monitor.deployment_id, LabelChange.due_at <= at
    )
    if ledger.begun_at is None or session.scalar(due.limit(1)) is not None:
        return True
    if version_id is None or not monitor.label_alarms_ratio:
        return False
    if watch.version_id != version_id or _is_resolved(session, watch):
        return True
    if watch.reference_id is None or watch.next_start is None:
        return False
    reference = session.get_one(LabelReference, watch.reference_id)
    return watch.next_start + timedelta(hours=reference.window_hours) <= at - LATENESS


def labels_judged(session: Session, monitor: Monitor) -> bool:
    """Whether the test on labels goes on, so that it decides what is told of lost accuracy."""
    watch = session.get(LabelWatch, monitor.id)
    return bool(monitor.label_alarms_ratio and watch is not None and watch.next_start is not None)


def loss_stands(session: Session, monitor: Monitor) -> bool:
    """Whether labels say, at the moment, that accuracy was lost."""
    watch = session.get(LabelWatch, monitor.id)
    return watch is not None and watch.incident_id is not None


def archived_answers(
    session: Session, monitor: Monitor, blobs: BlobStore, *, at: datetime
) -> dict[str, Answered | None]:
    """The archived records that labels wait for, None where the archive has none.

    Reads files: ask before the transaction that counts.
    """
    files = archived_files(session, monitor.deployment_id)
    sought = sought_in_archive(session, monitor.deployment_id, at=at) if files else set()
    return dict.fromkeys(sought) | find_records(blobs, files, sought)


def count(
    session: Session,
    monitor: Monitor,
    *,
    archived: Mapping[str, Answered | None] = NOT_ARCHIVED,
    at: datetime,
) -> bool:
    """Count what feedback changed, watched or not; whether all of it is counted.

    `archived` is what `archived_answers` found. It is not all counted where somebody else is at
    it, or where so much waits that the rest is for later turns.
    """
    ledger = session.scalar(
        select(LabelLedger)
        .where(LabelLedger.deployment_id == monitor.deployment_id)
        .with_for_update(skip_locked=True)
    )
    if ledger is None:
        return False
    if ledger.begun_at is None:
        begin_ledger(session, ledger, at=at)
    watch = session.get_one(LabelWatch, monitor.id)
    return any(
        count_changes(session, ledger, arrived_from=watch.next_start, archived=archived, at=at) == 0
        for _ in range(COUNTED_AT_ONCE)
    )


def advance(
    session: Session,
    monitor: Monitor,
    version_id: UUID,
    *,
    archived: Mapping[str, Answered | None] = NOT_ARCHIVED,
    actor_id: UUID,
    at: datetime,
) -> int:
    """Judge the labels of the version that is served, up to now; how many steps had any.

    `archived` as for `count`.
    Nothing is judged while labels wait to be counted, if somebody else is at it, or if labels have
    no share of the false alarms.
    """
    if not count(session, monitor, archived=archived, at=at) or not monitor.label_alarms_ratio:
        return 0
    watch = session.scalar(
        select(LabelWatch).where(LabelWatch.monitor_id == monitor.id).with_for_update()
    )
    if watch is None:
        return 0
    turn = Turn(monitor, actor_id, at)
    if watch.version_id != version_id:
        _begin(session, watch, version_id, turn)
    _heed_people(session, watch, turn)
    if watch.reference_id is None:
        row = evaluated(session, monitor, version_id, actor_id=actor_id, at=at)
        watch.waits_for = None if row is not None else NO_REFERENCE
        if row is None:
            return 0
        watch.reference_id = row.id
    judged = _judge(session, watch, session.get_one(LabelReference, watch.reference_id), turn)
    session.flush()
    return judged


def _begin(session: Session, watch: LabelWatch, version_id: UUID, turn: Turn) -> None:
    """Another version is served: labels of the one before say nothing about it."""
    incident = standing(session, watch)
    if incident is not None:
        why = "another version is served from now on"
        end_incident(session, watch, incident, "replaced", why, turn)
    watch.version_id, watch.reference_id, watch.next_start = version_id, None, None
    watch.state = None


def _is_resolved(session: Session, watch: LabelWatch) -> bool:
    """Whether somebody resolved the alert of the loss that stands."""
    incident = standing(session, watch)
    alert = alert_of(session, incident) if incident is not None else None
    return alert is not None and alert.state == AlertState.RESOLVED


def _heed_people(session: Session, watch: LabelWatch, turn: Turn) -> None:
    """Somebody resolved the alert: it was fixed, and evidence starts anew."""
    incident = standing(session, watch)
    alert = alert_of(session, incident) if incident is not None else None
    if incident is None or alert is None or alert.state != AlertState.RESOLVED:
        return
    end_incident(session, watch, incident, "fixed", alert.resolution or "resolved", turn)
    if watch.state is not None:
        watch.state = packed(restarted_labels(unpacked(watch.state)))


def _judge(session: Session, watch: LabelWatch, row: LabelReference, turn: Turn) -> int:
    try:
        test = labelled_test(
            expected_in(row),
            sensitivity_to_labels(turn.monitor),
            smallest_drop=turn.monitor.max_accuracy_drop,
        )
    except Invalid as untestable:
        watch.waits_for = str(untestable)[:500]
        return 0
    watch.waits_for = None
    length, until = timedelta(hours=row.window_hours), turn.at - LATENESS
    start = watch.next_start
    if start is None:
        first = first_arrival(session, row.deployment_id, row.version_id) or turn.at
        start = EPOCH + (first - EPOCH) // length * length
    arrived = arrived_between(session, row, start, until)
    state, judged = _state(watch, test), 0
    while start + length <= until:
        windows = arrived.get(start, [])
        state, judgement = take_labels(test, state, windows)
        start += length
        if judgement.judged:
            judged += 1
            _write_down(session, row, judgement, windows, start, turn)
            state = _conclude(session, watch, row, state, judgement, start, turn)
    watch.next_start, watch.state = start, packed(state)
    return judged


def _write_down(
    session: Session,
    row: LabelReference,
    judgement: LabelledJudgement,
    windows: list[LabelledWindow],
    end: datetime,
    turn: Turn,
) -> None:
    session.add(
        LabelCheck(
            id=new_id(),
            reference_id=row.id,
            start=end - timedelta(hours=row.window_hours),
            hours=row.window_hours,
            rows=sum(one.rows for one in windows),
            wrong=sum(one.wrong for one in windows),
            alarm=judgement.alarm,
            evidence=judgement.evidence,
            threshold=judgement.threshold,
            at=turn.at,
        )
    )


def _conclude(
    session: Session,
    watch: LabelWatch,
    row: LabelReference,
    state: LabelledState,
    judgement: LabelledJudgement,
    end: datetime,
    turn: Turn,
) -> LabelledState:
    """What a judged step means for the incident; the state to go on from."""
    incident = standing(session, watch)
    course = follow(
        course_of(incident),
        window=state.steps,
        alarm=judgement.alarm,
        took=steps_since(state),
        window_hours=row.window_hours,
    )
    if judgement.alarm and course is not None:
        told = told_of(session, row, state, end, turn.monitor)
        if incident is None:
            open_incident(session, watch, row, told, course, end=end, turn=turn)
        else:
            confirm_incident(session, incident, told, course, end=end, turn=turn)
        return restarted_labels(state)
    quiet = incident is not None and course is not None and course.recovered is not None
    if incident is not None and quiet and _is_back(session, row, incident, turn.monitor):
        end_incident(session, watch, incident, "recovered", "accuracy is as it was", turn)
    return state


def _is_back(
    session: Session, row: LabelReference, incident: LabelIncident, monitor: Monitor
) -> bool:
    """Whether the labels that arrived since the last alarm are as right as they should be."""
    session.flush()
    rows, wrong = session.execute(
        select(func.sum(LabelCheck.rows), func.sum(LabelCheck.wrong)).where(
            LabelCheck.reference_id == row.id, LabelCheck.start >= incident.confirmed_at
        )
    ).one()
    most = expected_in(row).loss + _BACK_AGAIN * monitor.max_accuracy_drop
    return bool(rows) and rows >= FEWEST_LABELS and wrong / rows < most


def _state(watch: LabelWatch, test: LabelledTest) -> LabelledState:
    """Where the test stands; changed settings may bet on other losses, which starts it anew."""
    fresh = fresh_labels(test)
    if watch.state is None:
        return fresh
    state = unpacked(watch.state)
    if len(state.evidence) == len(fresh.evidence):
        return state
    since = (state.steps,) * len(fresh.evidence)
    return replace(state, evidence=fresh.evidence, since=since)


def packed(state: LabelledState) -> bytes:
    """A state as it is stored."""
    return zlib.compress(json.dumps(state.to_json(), separators=(",", ":")).encode(), level=1)


def unpacked(stored: bytes) -> LabelledState:
    """The state that was stored, to the last bit."""
    return LabelledState.from_json(json.loads(zlib.decompress(stored)))
