"""Principals: who there is, what they are cleared for, and whether they may act at all."""

from collections.abc import Iterable
from datetime import datetime
from typing import Literal
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from bailiwick.access.names import checked_name
from bailiwick.access.roles import keeping_an_admin
from bailiwick.access.tables import ClearanceChange, Principal
from bailiwick.audit.log import record
from bailiwick.core.errors import Conflict, NotFound
from bailiwick.core.ids import new_id

DISABLED, ENABLED = "principal.disabled", "principal.enabled"


def create_principal(
    session: Session,
    name: str,
    *,
    kind: Literal["person", "service"],
    clearance_level: str,
    clearance_compartments: Iterable[str] = (),
    actor_id: UUID | None,
    at: datetime,
) -> Principal:
    """A new person or service, without any role. `actor_id=None`: the first one makes itself."""
    checked_name(name)
    if session.scalar(select(Principal.id).where(Principal.name == name)):
        raise Conflict(f"there is a principal {name!r} already; choose another name")
    principal = Principal(
        id=new_id(),
        kind=kind,
        name=name,
        clearance_level=clearance_level,
        clearance_compartments=sorted(set(clearance_compartments)),
        created_at=at,
    )
    session.add(principal)
    session.flush()
    maker = actor_id or principal.id
    _note_clearance(session, principal, maker, at)
    details = {"kind": kind, **_clearance(principal)}
    _event(session, "principal.created", principal, maker, at, **details)
    return principal


def set_clearance(
    session: Session,
    principal: Principal,
    level: str,
    compartments: Iterable[str],
    *,
    actor_id: UUID,
    at: datetime,
) -> None:
    """Change what a principal is cleared for; the same clearance again changes nothing.

    The caller has checked the words against the scheme. `Conflict` for one's own: clearance is
    vetted by somebody else.
    """
    wanted = (level, sorted(set(compartments)))
    if wanted == (principal.clearance_level, principal.clearance_compartments):
        return
    if principal.id == actor_id:
        raise Conflict("nobody changes their own clearance; ask another administrator")
    before = _clearance(principal)
    principal.clearance_level, principal.clearance_compartments = wanted
    _note_clearance(session, principal, actor_id, at)
    details = {"old": before, "new": _clearance(principal)}
    _event(session, "principal.cleared", principal, actor_id, at, **details)


def disable(session: Session, principal: Principal, *, actor_id: UUID, at: datetime) -> None:
    """From now on nothing that proves who they are is accepted; `LastAdmin` if nobody else is."""
    if principal.disabled_at is not None:
        return
    with keeping_an_admin(session):
        principal.disabled_at = at
        _event(session, DISABLED, principal, actor_id, at)


def enable(session: Session, principal: Principal, *, actor_id: UUID, at: datetime) -> None:
    """Accept the principal again, with the roles and the tokens that have not ended meanwhile."""
    if principal.disabled_at is None:
        return
    principal.disabled_at = None
    _event(session, ENABLED, principal, actor_id, at)


def find_principal(session: Session, name: str) -> Principal:
    """The principal of that name, or `NotFound`."""
    principal = session.scalar(select(Principal).where(Principal.name == name))
    if principal is None:
        raise NotFound(f"there is no principal {name!r}")
    return principal


def names_of(session: Session, ids: Iterable[UUID | None]) -> dict[UUID | None, str]:
    """Names by id, of those ids that are principals'."""
    wanted = {identifier for identifier in ids if identifier is not None}
    rows = session.execute(select(Principal.id, Principal.name).where(Principal.id.in_(wanted)))
    return dict(rows.all())


def find_service(session: Session, name: str) -> Principal:
    """The service of that name, or `NotFound`; of people this tells nothing."""
    service = session.scalar(
        select(Principal).where(Principal.name == name, Principal.kind == "service")
    )
    if service is None:
        raise NotFound(f"there is no service {name!r}; nothing is automated as a person")
    return service


def _clearance(principal: Principal) -> dict[str, object]:
    return {
        "clearance_level": principal.clearance_level,
        "clearance_compartments": principal.clearance_compartments,
    }


def _note_clearance(session: Session, principal: Principal, actor_id: UUID, at: datetime) -> None:
    session.add(
        ClearanceChange(
            principal_id=principal.id,
            level=principal.clearance_level,
            compartments=principal.clearance_compartments,
            since=at,
            set_by=actor_id,
        )
    )


def _event(
    session: Session,
    action: str,
    principal: Principal,
    actor_id: UUID,
    at: datetime,
    **details: object,
) -> None:
    record(
        session,
        action,
        subject_type="principal",
        subject_id=principal.id,
        actor_id=actor_id,
        at=at,
        details=details,
    )
