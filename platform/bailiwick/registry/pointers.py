"""Reading pointers and their history. Moving them is the lifecycle's alone."""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from bailiwick.registry.tables import CHAMPION, Alias, AliasMove, ModelVersion


def pointed_at(session: Session, model_id: UUID, alias: str) -> ModelVersion | None:
    """The version that the alias points at now, if any."""
    return session.scalar(
        select(ModelVersion)
        .join(Alias, Alias.version_id == ModelVersion.id)
        .where(Alias.model_id == model_id, Alias.alias == alias)
    )


def champions_of(session: Session, model_ids: Collection[UUID]) -> dict[UUID, ModelVersion]:
    """The champions of these models by model id, in one query."""
    found = session.scalars(
        select(ModelVersion)
        .join(Alias, Alias.version_id == ModelVersion.id)
        .where(Alias.model_id.in_(model_ids), Alias.alias == CHAMPION)
    )
    return {version.model_id: version for version in found}


def previously_pointed_at(session: Session, model_id: UUID, alias: str) -> ModelVersion | None:
    """The version before the newest move: where a rollback goes."""
    return session.scalar(
        select(ModelVersion)
        .join(AliasMove, AliasMove.old_version_id == ModelVersion.id)
        .where(AliasMove.model_id == model_id, AliasMove.alias == alias)
        .order_by(AliasMove.id.desc())
        .limit(1)
    )
