"""Carrying out a check: read the window, let a job process measure, record what it found."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
from sqlalchemy.orm import Session

from bailiwick.audit.log import record
from bailiwick.blobs import file_digest
from bailiwick.core.ids import new_id
from bailiwick.lifecycle.children import run_child
from bailiwick.lifecycle.jobs import Lease, held_job, succeed
from bailiwick.lifecycle.placing import placed
from bailiwick.lifecycle.platform import Platform
from bailiwick.lifecycle.tables import Job
from bailiwick.lifecycle.training_jobs import Beat
from bailiwick.monitoring import (
    Baseline,
    CheckResult,
    Finding,
    Monitor,
    WindowRow,
    baseline_of,
    evaluate,
    judge,
    monitor_resource,
    read_window,
    window_digest,
    write_descriptors,
)
from bailiwick.monitoring.change_points import fall_of
from bailiwick.monitoring.estimating import Expectation, expectation, track_record
from bailiwick.monitoring.findings import ACCURACY_SINCE
from bailiwick.monitoring.labelled import labelled_of_rows, labels_judged, loss_stands
from bailiwick.monitoring.labelling import picked_for_doubt
from bailiwick.monitoring.naming import naming_for
from bailiwick.monitoring.performance import Verified
from bailiwick.monitoring.performance.reporting import figures
from bailiwick.monitoring.watching import weigh
from bailiwick.monitoring.windows import rows_as_named
from bailiwick.policy import load_actor, require
from bailiwick.registry import Deployment, ModelVersion, served_version


@dataclass(frozen=True, slots=True)
class _Window:
    monitor: Monitor
    version: ModelVersion
    baseline: Baseline
    start: datetime
    end: datetime
    rows: Sequence[WindowRow]
    record: Sequence[Verified]  # how earlier estimates did
    first_look: bool  # at the requests of a version that has just begun to answer
    loses: bool  # by labels, at the moment
    label_ids: tuple[str, ...]  # of the requests, and of the version's evaluation


def carry_out_check(platform: Platform, lease: Lease, folder: Path, beat: Beat) -> None:
    """Check one window of one monitor; raises, updates or resolves the deployment's alert."""
    window = _read(platform, lease)
    outcome: dict[str, Any] | None = None
    if len(window.rows) >= window.monitor.min_rows:
        spec, labels = _spec(platform, window, folder), window.label_ids
        outcome = run_child(
            *placed(platform, lease, "bailiwick.monitoring.reports", spec, label_ids=labels),
            folder,
            threads=1,
            beat=beat,
            beat_seconds=platform.beat_seconds,
        )
    report = None
    if outcome is not None and outcome["report"]:
        report = platform.blobs.put_file(folder / outcome["report"])
    labelled = [row for row in window.rows if row.label is not None]
    finding = judge(
        outcome,
        rows=len(window.rows),
        labelled_rows=len(labelled),
        correct_rows=sum(row.label == row.prediction for row in labelled),
        baseline_accuracy=window.baseline.accuracy,
        max_accuracy_drop=window.monitor.max_accuracy_drop,
        min_rows=window.monitor.min_rows,
    )
    reference = platform.blobs.verified_path(window.baseline.rows_blob)
    expected = (
        expectation(reference, window.rows, window.record, concept_changed=window.loses)
        if window.rows
        else None
    )
    _record(platform, lease, window, finding, report, expected)


def _read(platform: Platform, lease: Lease) -> _Window:
    now = platform.clock.now()
    with platform.database.reading() as session:
        job = session.get_one(Job, lease.job_id)
        monitor = session.get_one(Monitor, job.subject_id)
        require(
            session,
            platform.in_force(session).rules,
            actor=load_actor(session, lease.acts_as),
            action="check:run",
            resource=monitor_resource(session, monitor),
            at=now,
        )
        deployment = session.get_one(Deployment, monitor.deployment_id)
        version = served_version(session, deployment)
        end = datetime.fromisoformat(job.payload["due_at"])
        start = end - timedelta(days=monitor.window_days)
        if "start" in job.payload:  # of a change that is looked at by itself
            start = datetime.fromisoformat(job.payload["start"])
        rows = read_window(
            session,
            deployment.id,
            start=start,
            end=end,
            known_at=now,
            version_id=version.id,
            blobs=platform.blobs,
        )
        rows = _without_doubted(session, deployment.id, rows)
        rows = rows_as_named(rows, naming_for(session, version.id))
        record = track_record(session, monitor.id, version.id)
        baseline = baseline_of(session, version.id)
        first_look = bool(job.payload.get("first_look", False))
        loses = loss_stands(session, monitor)
        return _Window(
            monitor,
            version,
            baseline,
            start,
            end,
            rows,
            record,
            first_look,
            loses,
            (deployment.label_id, version.label_id),
        )


def _without_doubted(
    session: Session, deployment_id: UUID, rows: Sequence[WindowRow]
) -> list[WindowRow]:
    """The rows, without labels of those that were picked because the model was in doubt."""
    labelled = [row.record_id for row in rows if row.label is not None]
    doubted = picked_for_doubt(session, deployment_id, labelled)
    return [replace(row, label=None) if row.record_id in doubted else row for row in rows]


def _spec(platform: Platform, window: _Window, folder: Path) -> dict[str, Any]:
    current = folder / "current.parquet"
    write_descriptors(window.rows, current)
    reference = platform.blobs.verified_path(window.baseline.rows_blob)
    return {
        "reference": {"path": str(reference), "sha256": window.baseline.rows_blob},
        "current": {"path": str(current), "sha256": file_digest(current)},
        "statistics": window.monitor.statistics,
        "report": "on-drift",
        "title": f"Window {window.start:%Y-%m-%d} to {window.end:%Y-%m-%d}",
        "sample_rows": 5_000,
        "seed": 0,
    }


def _figures(window: _Window) -> list[dict[str, Any]]:
    """Of the labelled rows: accuracy, F1, calibration and cost, each with its interval."""
    least = window.baseline.accuracy - window.monitor.max_accuracy_drop
    found = figures(labelled_of_rows(window.rows), least_accuracy=least, costs=window.monitor.costs)
    return [one.to_json() for one in found]


def _fall(window: _Window, finding: Finding) -> dict[str, Any]:
    """When accuracy fell within the window, if it did."""
    if not finding.details["accuracy"]["dropped"]:
        return {}
    labelled = [row for row in window.rows if row.label is not None]
    fallen = fall_of(np.array([row.label == row.prediction for row in labelled]))
    return {} if fallen is None else {ACCURACY_SINCE: labelled[fallen].at.isoformat()}


def _record(
    platform: Platform,
    lease: Lease,
    window: _Window,
    finding: Finding,
    report: str | None,
    expected: Expectation | None,
) -> None:
    now = platform.clock.now()
    with platform.database.transaction() as session:
        held_job(session, lease)
        monitor = session.get_one(Monitor, window.monitor.id)
        check = CheckResult(
            id=new_id(),
            monitor_id=monitor.id,
            job_id=lease.job_id,
            version_id=window.version.id,
            window_start=window.start,
            window_end=window.end,
            window_digest=window_digest(window.rows),
            rows=len(window.rows),
            labelled_rows=finding.labelled_rows,
            accuracy=finding.accuracy,
            verdict=finding.verdict,
            sentence=f"{finding.sentence} {expected.sentence}" if expected else finding.sentence,
            results=finding.results,
            details=finding.details
            | {"figures": _figures(window)}
            | _fall(window, finding)
            | (expected.to_details() if expected else {}),
            report_blob=report,
            at=now,
        )
        session.add(check)
        session.flush()
        record(
            session,
            "check.recorded",
            subject_type="monitor",
            subject_id=monitor.id,
            actor_id=lease.acts_as,
            at=now,
            details={
                "check": str(check.id),
                "version": str(check.version_id),
                "window": [check.window_start.isoformat(), check.window_end.isoformat()],
                "window_digest": check.window_digest,
                "rows": check.rows,
                "labelled_rows": check.labelled_rows,
                "verdict": check.verdict,
            },
        )
        alert = evaluate(
            session,
            monitor,
            check,
            first_look=window.first_look,
            labels_judged=labels_judged(session, monitor),
            actor_id=lease.acts_as,
            at=now,
        )
        if expected is not None:
            weigh(
                session,
                monitor,
                expected.estimate,
                window.baseline.accuracy,
                window.start,
                actor_id=lease.acts_as,
                at=now,
            )
        succeed(
            session,
            lease,
            {
                "check_id": str(check.id),
                "verdict": check.verdict,
                "alert_id": str(alert.id) if alert else None,
                "summary": check.sentence,
            },
            at=now,
        )
