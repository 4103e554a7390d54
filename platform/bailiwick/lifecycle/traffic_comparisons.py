"""Comparing two spans of a deployment's traffic on demand, in a job process."""

from datetime import datetime
from pathlib import Path
from uuid import UUID

from sqlalchemy.orm import Session

from bailiwick.blobs import file_digest
from bailiwick.core.errors import Invalid
from bailiwick.lifecycle.children import run_child
from bailiwick.lifecycle.jobs import JobKind, Lease, enqueue, held_job, succeed
from bailiwick.lifecycle.placing import placed
from bailiwick.lifecycle.platform import Platform
from bailiwick.lifecycle.tables import Job
from bailiwick.lifecycle.training_jobs import Beat
from bailiwick.monitoring.comparisons import Span, sampled_records, sentence_of, write_rows
from bailiwick.policy import load_actor, require
from bailiwick.registry import Deployment, deployment_resource


def order_comparison(
    session: Session,
    deployment: Deployment,
    before: Span,
    after: Span,
    *,
    with_texts: bool,
    actor_id: UUID,
    at: datetime,
) -> Job:
    """Queue a comparison, once it is known that there is enough to compare.

    `with_texts`: words are compared as well, which ones differ is never told. `Invalid` if spans
    overlap, hold too little, or no texts are kept.
    """
    if before.end > after.start:
        raise Invalid("The first span must end before the second one starts.")
    if with_texts and not deployment.keeps_text:
        raise Invalid("This deployment keeps no texts; compare without them.")
    for span in (before, after):
        sampled_records(session, deployment.id, span)
    return enqueue(
        session,
        JobKind.COMPARE,
        namespace=deployment.namespace,
        label_id=deployment.label_id,
        subject_id=deployment.id,
        acts_as=actor_id,
        payload={
            "before": before.to_payload(),
            "after": after.to_payload(),
            "with_texts": with_texts,
        },
        actor_id=actor_id,
        at=at,
    )


def carry_out_comparison(platform: Platform, lease: Lease, folder: Path, beat: Beat) -> None:
    """Learn to tell the spans apart, and say how well that went."""
    rows = folder / "rows.parquet"
    with platform.database.reading() as session:
        job = session.get_one(Job, lease.job_id)
        deployment = session.get_one(Deployment, job.subject_id)
        require(
            session,
            platform.in_force(session).rules,
            actor=load_actor(session, lease.acts_as),
            action="check:run",
            resource=deployment_resource(session, deployment),
            at=platform.clock.now(),
        )
        before, after = (
            sampled_records(session, deployment.id, Span.from_payload(job.payload[side]))
            for side in ("before", "after")
        )
        vault = platform.texts if job.payload["with_texts"] else None
        write_rows(session, before, after, rows, vault=vault)
        label_id = deployment.label_id
    spec = {"rows": {"path": str(rows), "sha256": file_digest(rows)}}
    outcome = run_child(
        *placed(platform, lease, "bailiwick.monitoring.comparing", spec, label_ids=[label_id]),
        folder,
        threads=1,
        beat=beat,
        beat_seconds=platform.beat_seconds,
    )
    with platform.database.transaction() as session:
        held_job(session, lease)
        result = outcome | {"summary": sentence_of(outcome)}
        succeed(session, lease, result, at=platform.clock.now())
