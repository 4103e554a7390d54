"""Pointers to versions. Only `lifecycle` imports this: every move goes through its rules."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from bailiwick.audit.log import record
from bailiwick.registry.tables import Alias, AliasMove, ModelVersion


def move_alias(
    session: Session,
    version: ModelVersion,
    alias: str,
    *,
    reason: str,
    actor_id: UUID,
    at: datetime,
    excused: Mapping[str, UUID] | None = None,
) -> AliasMove | None:
    """Point `alias` at `version` and write down old and new; None if it points there already.

    `excused`: the gates that were not passed, with the waivers that excuse it.
    """
    pointer = session.get(Alias, (version.model_id, alias), with_for_update=True)
    old_id = pointer.version_id if pointer else None
    if old_id == version.id:
        return None
    if pointer is None:
        pointer = Alias(model_id=version.model_id, alias=alias)
        session.add(pointer)
    pointer.version_id = version.id
    pointer.moved_at = at
    move = AliasMove(
        model_id=version.model_id,
        alias=alias,
        old_version_id=old_id,
        new_version_id=version.id,
        actor_id=actor_id,
        reason=reason,
        at=at,
    )
    session.add(move)
    session.flush()
    record(
        session,
        "alias.moved",
        subject_type="model",
        subject_id=version.model_id,
        actor_id=actor_id,
        at=at,
        details={
            "alias": alias,
            "old_version": str(old_id) if old_id else None,
            "new_version": str(version.id),
            "manifest_digest": version.manifest_digest,
            "reason": reason,
            "excused_gates": {gate: str(waiver) for gate, waiver in (excused or {}).items()},
        },
    )
    return move
