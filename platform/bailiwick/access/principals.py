"""Principals and their roles."""

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Literal
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from bailiwick.access.tables import EVERY_NAMESPACE, ROLES, Principal, RoleBinding
from bailiwick.audit.log import record
from bailiwick.core.errors import Conflict, Invalid, NotFound
from bailiwick.core.ids import new_id

NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,98}[a-z0-9])?")


def checked_name(name: str, what: str = "name") -> str:
    """`name` if it is a usable slug, else `Invalid`."""
    if not NAME.fullmatch(name):
        raise Invalid(
            f"the {what} must be 1 to 100 lower-case letters, digits, '.', '_' or '-', "
            "beginning and ending with a letter or digit"
        )
    return name


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
    record(
        session,
        "principal.created",
        subject_type="principal",
        subject_id=principal.id,
        actor_id=actor_id or principal.id,
        at=at,
        details={
            "kind": kind,
            "clearance_level": clearance_level,
            "clearance_compartments": principal.clearance_compartments,
        },
    )
    return principal


def grant_role(
    session: Session,
    principal: Principal,
    role: str,
    *,
    namespace: str = EVERY_NAMESPACE,
    actor_id: UUID,
    at: datetime,
) -> RoleBinding:
    """Give a role in a namespace (`*`: in all). Granting twice changes nothing."""
    if role not in ROLES:
        raise Invalid(f"there is no role {role!r}; the roles are {', '.join(ROLES)}")
    if namespace != EVERY_NAMESPACE:
        checked_name(namespace, "namespace")
    held = session.scalar(
        select(RoleBinding).where(
            RoleBinding.principal_id == principal.id,
            RoleBinding.role == role,
            RoleBinding.namespace == namespace,
        )
    )
    if held is not None:
        return held
    binding = RoleBinding(principal_id=principal.id, role=role, namespace=namespace, created_at=at)
    session.add(binding)
    record(
        session,
        "role.granted",
        subject_type="principal",
        subject_id=principal.id,
        actor_id=actor_id,
        at=at,
        details={"role": role, "namespace": namespace},
    )
    return binding


def revoke_role(
    session: Session,
    principal: Principal,
    role: str,
    *,
    namespace: str,
    actor_id: UUID,
    at: datetime,
) -> None:
    """Take a role away; `NotFound` if it is not held."""
    binding = session.scalar(
        select(RoleBinding).where(
            RoleBinding.principal_id == principal.id,
            RoleBinding.role == role,
            RoleBinding.namespace == namespace,
        )
    )
    if binding is None:
        raise NotFound(f"this principal does not hold the role {role!r} in {namespace!r}")
    session.delete(binding)
    record(
        session,
        "role.revoked",
        subject_type="principal",
        subject_id=principal.id,
        actor_id=actor_id,
        at=at,
        details={"role": role, "namespace": namespace},
    )


def disable(session: Session, principal: Principal, *, actor_id: UUID, at: datetime) -> None:
    """From now on none of its tokens is accepted."""
    if principal.disabled_at is not None:
        return
    principal.disabled_at = at
    record(
        session,
        "principal.disabled",
        subject_type="principal",
        subject_id=principal.id,
        actor_id=actor_id,
        at=at,
    )


def find_principal(session: Session, name: str) -> Principal:
    """The principal of that name, or `NotFound`."""
    principal = session.scalar(select(Principal).where(Principal.name == name))
    if principal is None:
        raise NotFound(f"there is no principal {name!r}")
    return principal


def find_service(session: Session, name: str) -> Principal:
    """The service of that name, or `NotFound`; of people this tells nothing."""
    service = session.scalar(
        select(Principal).where(Principal.name == name, Principal.kind == "service")
    )
    if service is None:
        raise NotFound(f"there is no service {name!r}; nothing is automated as a person")
    return service


def roles_of(session: Session, principal_id: UUID) -> dict[str, frozenset[str]]:
    """Namespace (or `*`) to roles."""
    found: dict[str, set[str]] = {}
    rows = session.execute(
        select(RoleBinding.namespace, RoleBinding.role).where(
            RoleBinding.principal_id == principal_id
        )
    )
    for namespace, role in rows:
        found.setdefault(namespace, set()).add(role)
    return {namespace: frozenset(roles) for namespace, roles in found.items()}
