"""Reading pointers and their history. Moving them is the lifecycle's alone."""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from bailiwick.registry.tables import CHAMPION, Alias, AliasMove, ModelVersion


def pointed_at(session: Session, model_id: UUID, alias: str) -> ModelVersion | None:
    """The version that the alias points at now, if any."""
    return session.scalar(_POINTED_AT, {"model_id": model_id, "alias": alias})


def champions_of(session: Session, model_ids: Collection[UUID]) -> dict[UUID, ModelVersion]:
    """The champions of these models by model id, in one query."""
    found = session.scalars(
        select(ModelVersion)
        .join(Alias, Alias.version_id == ModelVersion.id)
        .where(Alias.model_id.in_(model_ids), Alias.alias == CHAMPION)
    )
    return {version.model_id: version for version in found}


def has_been(session: Session, version: ModelVersion, alias: str) -> bool:
    """Whether the alias has ever pointed at the version."""
    moves = select(AliasMove.id).where(
        AliasMove.model_id == version.model_id,
        AliasMove.alias == alias,
        AliasMove.new_version_id == version.id,
    )
    return session.scalar(moves.limit(1)) is not None


def previously_pointed_at(session: Session, model_id: UUID, alias: str) -> ModelVersion | None:
    """The version before the present one: where a rollback goes.

    A move back to the version before undoes the move that left it, so that a second rollback
    goes on to the version before that one, never forward to what was rolled back.
    """
    moves = session.scalars(
        select(AliasMove.new_version_id)
        .where(AliasMove.model_id == model_id, AliasMove.alias == alias)
        .order_by(AliasMove.id)
    )
    trail: list[UUID] = []
    for version_id in moves:
        if trail[-2:-1] == [version_id]:
            trail.pop()
        else:
            trail.append(version_id)
    return session.get_one(ModelVersion, trail[-2]) if len(trail) > 1 else None


# Composed once, as each prediction needs it: composing costs more than running it.
_POINTED_AT = (
    select(ModelVersion)
    .join(Alias, Alias.version_id == ModelVersion.id)
    .where(Alias.model_id == bindparam("model_id"), Alias.alias == bindparam("alias"))
)
