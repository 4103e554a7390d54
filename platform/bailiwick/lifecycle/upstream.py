"""What has changed of what a champion came from: texts, base model, datasets, rules."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from bailiwick.lifecycle.tables import Job, RetrainingPolicy
from bailiwick.lineage import DatasetVersion, Run
from bailiwick.lineage.propagation import reached_from
from bailiwick.lineage.tables import LineageEdge
from bailiwick.monitoring.texts import DataKey, TextErasure
from bailiwick.policy import BundleActivation
from bailiwick.registry import CHAMPION, ModelVersion, pointed_at


def erasures_after(session: Session, champion: ModelVersion) -> list[str]:
    """Erasures of texts that the champion may have learned from: ids, oldest first.

    Of the deployments whose labelled requests are in what it was made from, through any hops; of
    subjects who had texts there before it was trained. Which rows it learned is not looked into.
    """
    made_from = reached_from(select(ModelVersion.id).where(ModelVersion.id == champion.id), "up")
    learned_of = (
        select(RetrainingPolicy.deployment_id)
        .join(Job, Job.subject_id == RetrainingPolicy.id)
        .join(Run, Run.job_id == Job.id)
        .join(LineageEdge, LineageEdge.run_id == Run.id)
        .where(
            Run.kind == "prepare",
            LineageEdge.direction == "output",
            LineageEdge.node_id.in_(made_from),
        )
    )
    destroyed = (
        select(DataKey.id)
        .where(
            DataKey.deployment_id == TextErasure.deployment_id,
            DataKey.about == TextErasure.subject_key,
            DataKey.made_at <= champion.created_at,
            DataKey.destroyed_at == TextErasure.erased_at,
        )
        .exists()
    )
    query = select(TextErasure.id).where(
        TextErasure.deployment_id.in_(learned_of),
        TextErasure.erased_at > champion.created_at,
        TextErasure.records > 0,
        destroyed,
    )
    return _ids(session.scalars(query.order_by(TextErasure.id)).all())


def newer_base(session: Session, champion: ModelVersion) -> str | None:
    """The champion of the model that the champion was made from, if that is a newer version.

    Retrained champions follow each other; the first of them may have been made from a version of
    another model, and that one is the base.
    """
    own = select(ModelVersion.id, ModelVersion.base_version_id)
    rows = session.execute(own.where(ModelVersion.model_id == champion.model_id))
    bases: dict[UUID, UUID | None] = {row.id: row.base_version_id for row in rows}
    base: UUID | None = champion.id
    while base in bases:
        base = bases[base]
    found = None if base is None else session.get(ModelVersion, base)
    now = None if found is None else pointed_at(session, found.model_id, CHAMPION)
    if found is None or now is None or now.number <= found.number:
        return None
    return str(now.id)


def newer_inputs(session: Session, champion: ModelVersion, since: datetime) -> list[str]:
    """Versions brought in since, of datasets that the champion learned from; oldest first.

    Through any hops: also of what a base was trained on, or of what a dataset was made from.
    """
    made_from = reached_from(select(ModelVersion.id).where(ModelVersion.id == champion.id), "up")
    learned = select(DatasetVersion.dataset_id).where(DatasetVersion.id.in_(made_from))
    query = select(DatasetVersion.id).where(
        DatasetVersion.dataset_id.in_(learned),
        DatasetVersion.source_blob.is_not(None),
        DatasetVersion.created_at > since,
    )
    return _ids(session.scalars(query.order_by(DatasetVersion.id)).all())


def rules_after(session: Session, champion: ModelVersion) -> str | None:
    """The newest activation of other policies since the champion was trained."""
    newest = select(BundleActivation.id).where(BundleActivation.at > champion.created_at)
    found = session.scalar(newest.order_by(BundleActivation.number.desc()).limit(1))
    return None if found is None else str(found)


def _ids(found: Sequence[UUID]) -> list[str]:
    return list(map(str, found))
