"""The right state of an installation in which all work has come to its end.

`problems` are what no installation may show, whatever happened to it. `trace` is all that work
left behind, without ids and moments: that of a disturbed installation must be that of one in
which nothing went wrong.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from bailiwick.audit import AuditEvent, AuditWaiting, verify_log
from bailiwick.blobs import CorruptBlob
from bailiwick.core.errors import NotFound
from bailiwick.db.base import Base
from bailiwick.lifecycle import JobKind, JobState, Platform
from bailiwick.lifecycle.jobs import UNFINISHED
from bailiwick.lifecycle.tables import BacktestResult, Evaluation, Job, JobEvent, Schedule
from bailiwick.lineage import DatasetVersion, LineageEdge, Run
from bailiwick.monitoring import Alert, Baseline, CheckResult, RecordSegment
from bailiwick.notifications import Delivery
from bailiwick.notifications.states import WAITING, DeliveryState
from bailiwick.policy import Decision
from bailiwick.registry import Alias, AliasMove, ModelVersion, Rollout
from bailiwick.registry.rollouts import RolloutEvent
from support.crashes.installations import Installation, opened
from support.crashes.processes import left_over

# An attempt more says, asks and signs more; what was only read is counted in memory.
OF_ATTEMPTS = {"job_events", "job_log_lines", "decisions", "decision_counts", "audit_checkpoints"}
ONCE = {
    *("job.queued", "job.succeeded", "job.failed", "model-version.registered"),
    *("model-version.evaluated", "dataset-version.registered", "baseline.created"),
    *("message.delivered", "alert.raised", "backtest.finished"),
}
FINAL = {JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED}
ENDS = {str(state) for state in FINAL}
TEXTS = ("*.parquet", "*.safetensors", ".incoming-*", "arrived")


def problems(installation: Installation, arrived: Sequence[str]) -> list[str]:
    """What is wrong, in words; nothing if all is right. `arrived`: ids of messages, each time."""
    with opened(installation) as platform, platform.database.reading() as session:
        return [
            *_jobs(session),
            *_registered(session),
            *_pointers(session),
            *_bytes(session, platform),
            *_messages(session, arrived),
            *_audit(session, platform),
            *_left_behind(installation, platform),
        ]


def trace(installation: Installation) -> dict[str, Any]:
    """What the work left behind: every table's rows counted, and what the rows that count say."""
    with opened(installation) as platform, platform.database.reading() as session:
        numbers = dict(map(tuple, session.execute(select(ModelVersion.id, ModelVersion.number))))
        tables = {
            table.name: session.scalar(select(func.count()).select_from(table))
            for table in Base.metadata.sorted_tables
            if table.name not in OF_ATTEMPTS
        }
        asked = select(Decision.action, Decision.allowed).distinct()
        return {
            "tables": tables,
            "audited": Counter(session.scalars(select(AuditEvent.action))),
            "asked": _values(session, asked),
            "jobs": sorted(
                (job.kind, job.state, str(job.due_at), (job.result or {}).get("verdict", ""))
                for job in session.scalars(select(Job))
            ),
            "schedules": _values(session, select(Schedule.cron, Schedule.next_due_at)),
            "datasets": _values(
                session, select(DatasetVersion.number, DatasetVersion.content_digest)
            ),
            "runs": _values(session, select(Run.kind)),
            "judged": _values(session, select(Evaluation.passed)),
            "pointers": sorted(
                (alias.alias, numbers[alias.version_id]) for alias in session.scalars(select(Alias))
            ),
            "moves": [
                (move.alias, numbers.get(move.old_version_id), numbers[move.new_version_id])
                for move in session.scalars(select(AliasMove).order_by(AliasMove.id))
            ],
            "checks": _values(session, select(CheckResult.verdict, CheckResult.rows)),
            "alerts": _values(session, select(Alert.kind, Alert.state, Alert.resolution)),
            "messages": _values(
                session, select(Delivery.facts["move"].as_string(), Delivery.state)
            ),
            "rollouts": _values(session, select(Rollout.state)),
            "rollout moves": _values(session, select(RolloutEvent.move)),
            "segments": _values(session, select(RecordSegment.start, RecordSegment.rows)),
            "backtests": _values(session, select(BacktestResult.content_digest)),
        }


def attempts(installation: Installation) -> list[str]:
    """How often jobs and messages were begun: once each, where processes work side by side."""
    with opened(installation) as platform, platform.database.reading() as session:
        begun = select(JobEvent.kind, JobEvent.attempt).where(JobEvent.attempt > 0)
        return _values(session, begun) + _values(session, select(Delivery.attempts))


def came_of(installation: Installation) -> str:
    """In which attempt work was done that took more than one."""
    with opened(installation) as platform, platform.database.reading() as session:
        jobs = select(func.max(Job.attempt)).where(Job.state == JobState.SUCCEEDED)
        failed = select(func.max(Job.attempt)).where(Job.state == JobState.FAILED)
        messages = select(func.max(Delivery.attempts))
        done, lost, sent = (session.scalar(one) or 0 for one in (jobs, failed, messages))
    if lost:
        return f"failed in attempt {lost}, as it must"
    again = max(done, sent)
    return f"done in attempt {again}" if again > 1 else "done"


def of_a_failed_job(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """What the only job leaves that fails: itself, with its reason, and the log that says so."""
    log = {name: after["tables"][name] for name in after["tables"] if name.startswith("audit_")}
    failed = [(kind, "failed", due, "") for kind, _, due, _ in before["jobs"]]
    return before | {
        "tables": before["tables"] | log,
        "jobs": failed,
        "audited": before["audited"] + Counter({"job.failed": 1}),
    }


def _values(session: Session, query: Any) -> list[str]:
    return sorted(str(tuple(row)) for row in session.execute(query))


def _jobs(session: Session) -> Iterator[str]:
    ends = session.execute(
        select(JobEvent.job_id, func.count())
        .where(JobEvent.kind.in_(ENDS))
        .group_by(JobEvent.job_id)
    )
    ended = dict(map(tuple, ends))
    made = session.execute(
        select(Run.job_id, func.count())
        .join(ModelVersion, ModelVersion.run_id == Run.id)
        .group_by(Run.job_id)
    )
    versions = dict(map(tuple, made))
    for job in session.scalars(select(Job)):
        name = f"job {job.kind}"
        if job.state in UNFINISHED:
            yield f"{name} is {job.state}"
        if job.lease_owner or job.lease_expires_at:
            yield f"{name} has ended and is leased"
        if ended.get(job.id) != 1:
            yield f"{name} ended {ended.get(job.id, 0)} times"
        attempts = [event.attempt for event in _events(session, job)]
        if attempts != sorted(attempts) or attempts[-1] != job.attempt:
            yield f"{name} was written by attempts {attempts}, of which {job.attempt} held it"
        if (job.state == JobState.FAILED) != bool(job.error):
            yield f"{name} is {job.state}, its error {job.error!r}"
        trains = job.kind in (JobKind.TRAIN, JobKind.RETRAIN) and job.state == JobState.SUCCEEDED
        if versions.get(job.id, 0) != int(trains):
            yield f"{name} is {job.state} and left {versions.get(job.id, 0)} versions"
    due = select(Job.schedule_id, Job.due_at).where(Job.schedule_id.is_not(None))
    for times, found in _repeated(session, due):
        yield f"a schedule fired {times} times for {found[1]}"


def _events(session: Session, job: Job) -> Sequence[JobEvent]:
    query = select(JobEvent).where(JobEvent.job_id == job.id).order_by(JobEvent.id)
    return session.scalars(query).all()


def _registered(session: Session) -> Iterator[str]:
    """Nothing stands by half: version, run, edges, evaluation and baseline come together."""
    versions = set(session.scalars(select(ModelVersion.id)))
    datasets = set(session.scalars(select(DatasetVersion.id)))
    written = select(LineageEdge.node_id).where(LineageEdge.direction == "output")
    outputs = Counter(session.scalars(written))
    for node in versions | datasets:
        if outputs[node] != 1:
            yield f"a version was written by {outputs[node]} runs"
    for node in set(session.scalars(select(LineageEdge.node_id))) - versions - datasets:
        yield f"an edge leads to {node}, which is not there"
    for table in (Evaluation, Baseline):
        if Counter(session.scalars(select(table.version_id))) != Counter(versions):
            yield f"versions without exactly one row in {table.__tablename__}"
    trained = session.scalar(select(func.count()).select_from(Run).where(Run.kind == "train"))
    if trained != len(versions):
        yield f"{trained} trainings, {len(versions)} versions"


def _pointers(session: Session) -> Iterator[str]:
    """A pointer stands where its newest move led; a champion has passed its gates."""
    newest = {
        (move.model_id, move.alias): move.new_version_id
        for move in session.scalars(select(AliasMove).order_by(AliasMove.id))
    }
    passed = set(session.scalars(select(Evaluation.version_id).where(Evaluation.passed)))
    for alias in session.scalars(select(Alias)):
        if newest.get((alias.model_id, alias.alias)) != alias.version_id:
            yield f"{alias.alias} stands where no move led"
        if alias.alias == "champion" and alias.version_id not in passed:
            yield "a champion did not pass its gates"


def _bytes(session: Session, platform: Platform) -> Iterator[str]:
    """Whatever a row names is there, byte for byte, and what was dropped is not."""
    columns = (
        *(DatasetVersion.rows_blob, DatasetVersion.rejected_blob, DatasetVersion.source_blob),
        *(Baseline.rows_blob, CheckResult.report_blob, BacktestResult.digest),
    )
    named = {digest for column in columns for digest in session.scalars(select(column)) if digest}
    for segment in session.scalars(select(RecordSegment)):
        if segment.dropped_at is None:
            named.add(segment.blob)
        elif platform.blobs.path_of(segment.blob).exists():
            yield "the file of a segment that was dropped is still there"
    for manifest in session.scalars(select(ModelVersion.manifest)):
        named |= {file["sha256"] for file in manifest}
    for digest in named:
        try:
            platform.blobs.verified_path(digest)
        except (NotFound, CorruptBlob) as error:
            yield error.message


def _messages(session: Session, arrived: Sequence[str]) -> Iterator[str]:
    """Delivered ones arrived, and none more often than it was tried."""
    came = Counter(arrived)
    for message in session.scalars(select(Delivery)):
        times = came.pop(str(message.id), 0)
        if message.state in WAITING:
            yield f"a message is {message.state}"
        if times > message.attempts or (message.state == DeliveryState.DELIVERED and not times):
            yield f"a message is {message.state} in attempt {message.attempts}, came {times} times"
    yield from (f"message {unknown} came, which nobody wrote" for unknown in came)


def _audit(session: Session, platform: Platform) -> Iterator[str]:
    report = verify_log(session, platform.signer().verifier)
    if not report.ok:
        yield f"the audit log does not verify: {report.problem}"
    if platform.note_is_behind(session):
        yield "the note of the newest checkpoint was not kept"
    if session.scalar(select(func.count()).select_from(AuditWaiting)):
        yield "audit events wait for their place"
    once = select(AuditEvent.action, AuditEvent.subject_id).where(AuditEvent.action.in_(ONCE))
    for times, found in _repeated(session, once):
        yield f"{found[0]} was recorded {times} times of one subject"


def _left_behind(installation: Installation, platform: Platform) -> Iterator[str]:
    for pid in left_over(installation):
        yield f"process {pid} still works"
    for pattern in TEXTS:
        for root in (platform.settings.work_folder / "jobs", platform.blobs.root):
            for path in root.rglob(pattern):
                yield f"{path.name} was left in {path.parent.name}"


def _repeated(session: Session, query: Any) -> list[tuple[int, Any]]:
    found = Counter(map(tuple, session.execute(query)))
    return [(times, row) for row, times in found.items() if times > 1]
