"""Roles: given to a principal or a group, in every namespace, in one, or on one object.

Nothing is deleted: a role taken away keeps its row, which says who could do what, when.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Select,
    Subquery,
    and_,
    bindparam,
    null,
    or_,
    select,
    union_all,
)
from sqlalchemy.orm import Session

from bailiwick.access.names import checked_name
from bailiwick.access.tables import (
    EVERY_NAMESPACE,
    ROLES,
    Group,
    GroupMembership,
    Principal,
    RoleBinding,
)
from bailiwick.audit.log import record
from bailiwick.core.errors import Conflict, Invalid, NotFound

ADMIN = "admin"
OBJECTS = ("models", "datasets", "deployments")
WHOLE_NAMESPACE = ""

Holder = Principal | Group


class LastAdmin(Conflict):
    """Nobody would be left who can administer the platform."""

    code = "last-admin"


@dataclass(frozen=True, slots=True)
class HeldRole:
    """A role that a principal holds: itself, or through a group of this name."""

    principal_id: UUID
    role: str
    namespace: str
    object: str
    group: str | None


def grant_role(
    session: Session,
    holder: Holder,
    role: str,
    *,
    namespace: str = EVERY_NAMESPACE,
    on: str = WHOLE_NAMESPACE,
    actor_id: UUID,
    at: datetime,
) -> RoleBinding:
    """Give a role in a namespace (`*`: in all), or `on` one object of it (`models/coder`).

    Granting twice changes nothing. `Invalid` for a role, namespace or object that cannot be.
    """
    if role not in ROLES:
        raise Invalid(f"there is no role {role!r}; the roles are {', '.join(ROLES)}")
    _check_place(namespace, on)
    held = _standing(session, holder, role, namespace, on)
    if held is not None:
        return held
    binding = RoleBinding(
        principal_id=holder.id if isinstance(holder, Principal) else None,
        group_id=holder.id if isinstance(holder, Group) else None,
        role=role,
        namespace=namespace,
        object=on,
        created_at=at,
        granted_by=actor_id,
    )
    session.add(binding)
    _event(session, "role.granted", holder, binding, actor_id, at)
    return binding


def revoke_role(
    session: Session,
    holder: Holder,
    role: str,
    *,
    namespace: str,
    on: str = WHOLE_NAMESPACE,
    actor_id: UUID,
    at: datetime,
) -> None:
    """Take a role away; `NotFound` if the holder does not hold it there, by its own grant.

    `LastAdmin` if it is the one that administers the platform.
    """
    binding = _standing(session, holder, role, namespace, on)
    if binding is None:
        kind = "group" if isinstance(holder, Group) else "principal"
        place = f"{namespace}/{on}" if on else namespace
        raise NotFound(
            f"this {kind} does not hold the role {role!r} in {place!r} itself; what comes "
            "through a group is taken from the group, or ends with the membership"
        )
    with keeping_an_admin(session):
        binding.revoked_at, binding.revoked_by = at, actor_id
        _event(session, "role.revoked", holder, binding, actor_id, at)


def roles_of(session: Session, principal_id: UUID) -> dict[str, frozenset[str]]:
    """Place to roles, the principal's own and those of its groups.

    A place is a namespace, `*`, or one object: `finance/models/coder`.
    """
    rows = session.execute(_ROLES_OF, {"principal_id": principal_id})
    found: dict[str, set[str]] = {}
    for namespace, thing, role in rows:
        found.setdefault(f"{namespace}/{thing}" if thing else namespace, set()).add(role)
    return {place: frozenset(roles) for place, roles in found.items()}


def roles_held(session: Session, principal_ids: Iterable[UUID]) -> list[HeldRole]:
    """What these principals hold now and through which group, in one query, oldest first."""
    rows = session.execute(_ROLES_HELD, {"principal_ids": list(set(principal_ids))})
    return [
        HeldRole(identifier, binding.role, binding.namespace, binding.object, group)
        for identifier, binding, group in rows
    ]


def roles_granted(session: Session, group_ids: Iterable[UUID]) -> list[RoleBinding]:
    """The roles that these groups give now, oldest first."""
    query = select(RoleBinding).where(
        RoleBinding.revoked_at.is_(None), RoleBinding.group_id.in_(set(group_ids))
    )
    return list(session.scalars(query.order_by(RoleBinding.id)))


def by_holder(member: ColumnElement[bool]) -> Subquery:
    """Every binding by whoever holds it: `holder_id`, `binding_id`, and `since` when a member.

    `member` says which memberships count. Two arms, because a join on either column of a holder
    could use no index.
    """
    through_groups = (
        select(
            GroupMembership.principal_id.label("holder_id"),
            RoleBinding.id.label("binding_id"),
            GroupMembership.since.label("since"),
        )
        .join(RoleBinding, RoleBinding.group_id == GroupMembership.group_id)
        .where(member)
    )
    own = select(RoleBinding.principal_id, RoleBinding.id, null()).where(
        RoleBinding.principal_id.is_not(None)
    )
    return union_all(through_groups, own).subquery()


@contextmanager
def keeping_an_admin(session: Session) -> Iterator[None]:
    """Whatever the block takes away, somebody can still administer the platform afterwards.

    Raises `LastAdmin`, which ends the transaction. Administrators' rows are locked, so that two
    of them cannot remove each other at once.
    """
    before = session.scalars(_active_admins().with_for_update()).all()
    yield
    session.flush()
    if before and session.scalars(_active_admins().limit(1)).first() is None:
        raise LastAdmin(
            "nobody would be left who can administer the platform; make somebody else an "
            "administrator of every namespace ('*') first"
        )


def _active_admins() -> Select[UUID]:
    everywhere = and_(
        RoleBinding.role == ADMIN,
        RoleBinding.namespace == EVERY_NAMESPACE,
        RoleBinding.object == WHOLE_NAMESPACE,
        RoleBinding.revoked_at.is_(None),
    )
    through_groups = (
        select(GroupMembership.principal_id)
        .join(RoleBinding, RoleBinding.group_id == GroupMembership.group_id)
        .where(everywhere, GroupMembership.until.is_(None))
    )
    own = select(RoleBinding.principal_id).where(everywhere)
    return (
        select(Principal.id)
        .where(
            Principal.disabled_at.is_(None),
            or_(Principal.id.in_(own), Principal.id.in_(through_groups)),
        )
        .order_by(Principal.id)
    )


def _check_place(namespace: str, on: str) -> None:
    if namespace != EVERY_NAMESPACE:
        checked_name(namespace, "namespace")
    if on == WHOLE_NAMESPACE:
        return
    kind, _, name = on.partition("/")
    if kind not in OBJECTS:
        raise Invalid(
            "an object reads "
            + ", ".join(f"{kind}/NAME" for kind in OBJECTS[:-1])
            + f" or {OBJECTS[-1]}/NAME; leave it out for the whole namespace"
        )
    checked_name(name, "object's name")
    if namespace == EVERY_NAMESPACE:
        raise Invalid("a role on one object needs the namespace that the object is in")


def _standing(
    session: Session, holder: Holder, role: str, namespace: str, on: str
) -> RoleBinding | None:
    column = RoleBinding.group_id if isinstance(holder, Group) else RoleBinding.principal_id
    return session.scalar(
        select(RoleBinding).where(
            column == holder.id,
            RoleBinding.role == role,
            RoleBinding.namespace == namespace,
            RoleBinding.object == on,
            RoleBinding.revoked_at.is_(None),
        )
    )


def _event(
    session: Session,
    action: str,
    holder: Holder,
    binding: RoleBinding,
    actor_id: UUID,
    at: datetime,
) -> None:
    record(
        session,
        action,
        subject_type="group" if isinstance(holder, Group) else "principal",
        subject_id=holder.id,
        actor_id=actor_id,
        at=at,
        details={
            "role": binding.role,
            "namespace": binding.namespace,
            "object": binding.object,
        },
    )


# Composed once, as each request needs it: composing costs more than running it.
_GROUPS_OF = select(GroupMembership.group_id).where(
    GroupMembership.principal_id == bindparam("principal_id"), GroupMembership.until.is_(None)
)
_ROLES_OF = select(RoleBinding.namespace, RoleBinding.object, RoleBinding.role).where(
    RoleBinding.revoked_at.is_(None),
    or_(
        RoleBinding.principal_id == bindparam("principal_id"),
        RoleBinding.group_id.in_(_GROUPS_OF),
    ),
)
_HELD = by_holder(GroupMembership.until.is_(None))
_ROLES_HELD = (
    select(_HELD.c.holder_id, RoleBinding, Group.name)
    .join(RoleBinding, RoleBinding.id == _HELD.c.binding_id)
    .outerjoin(Group, Group.id == RoleBinding.group_id)
    .where(
        RoleBinding.revoked_at.is_(None),
        _HELD.c.holder_id.in_(bindparam("principal_ids", expanding=True)),
    )
    .order_by(RoleBinding.id)
)
