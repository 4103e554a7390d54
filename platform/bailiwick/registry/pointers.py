"""Reading pointers and their history. Moving them is the lifecycle's alone."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from bailiwick.registry.tables import Alias, AliasMove, ModelVersion


def pointed_at(session: Session, model_id: UUID, alias: str) -> ModelVersion | None:
    """The version that the alias points at now, if any."""
    return session.scalar(
        select(ModelVersion)
        .join(Alias, Alias.version_id == ModelVersion.id)
        .where(Alias.model_id == model_id, Alias.alias == alias)
    )


def previously_pointed_at(session: Session, model_id: UUID, alias: str) -> ModelVersion | None:
    """The version before the newest move: where a rollback goes."""
    return session.scalar(
        select(ModelVersion)
        .join(AliasMove, AliasMove.old_version_id == ModelVersion.id)
        .where(AliasMove.model_id == model_id, AliasMove.alias == alias)
        .order_by(AliasMove.id.desc())
        .limit(1)
    )
