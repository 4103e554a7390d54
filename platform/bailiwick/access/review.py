"""The access review: who held which role where, at any moment, and how they came by it.

Nothing about access is deleted, so the rows that end answer for the past. When somebody was
disabled is read from the audit log, which alone keeps every time that it happened.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, or_, select
from sqlalchemy.orm import Session, aliased

from bailiwick.access.principals import DISABLED, ENABLED
from bailiwick.access.roles import by_holder
from bailiwick.access.tables import (
    EVERY_NAMESPACE,
    ClearanceChange,
    Group,
    GroupMembership,
    Principal,
    RoleBinding,
)
from bailiwick.audit.tables import AuditEvent

Key = tuple[UUID, UUID]


@dataclass(frozen=True, slots=True)
class Holding:
    """A role that somebody held: where, since when, by whose grant, through which group.

    `disabled` principals could not use it. `object` is empty for a whole namespace; `group` and
    `member_since` are None for a role that is the principal's own.
    """

    principal_id: UUID
    binding_id: UUID
    principal: str
    kind: str
    disabled: bool
    clearance_level: str
    clearance_compartments: tuple[str, ...]
    role: str
    namespace: str
    object: str
    group: str | None
    member_since: datetime | None
    granted_by: str
    granted_at: datetime

    @property
    def key(self) -> Key:
        """Where the report goes on after this row."""
        return (self.principal_id, self.binding_id)


def access_review(
    session: Session,
    *,
    at: datetime,
    namespace: str | None = None,
    after: Key | None = None,
    limit: int | None = None,
) -> list[Holding]:
    """Every role that was held at a moment, principal by principal, in four queries.

    `namespace`: only what could be used there, which includes roles held in every namespace.
    """
    query = _held_at(at)
    if namespace is not None:
        query = query.where(RoleBinding.namespace.in_((namespace, EVERY_NAMESPACE)))
    if after is not None:
        query = query.where(_later_than(after))
    rows = session.execute(query.order_by(Principal.id, RoleBinding.id).limit(limit)).all()
    who = {principal.id for principal, *_ in rows}
    disabled = _disabled_at(session, who, at)
    cleared = _cleared_at(session, who, at)
    return [
        Holding(
            principal_id=principal.id,
            binding_id=binding.id,
            principal=principal.name,
            kind=principal.kind,
            disabled=principal.id in disabled,
            clearance_level=cleared[principal.id].level,
            clearance_compartments=tuple(cleared[principal.id].compartments),
            role=binding.role,
            namespace=binding.namespace,
            object=binding.object,
            group=group,
            member_since=since,
            granted_by=granter,
            granted_at=binding.created_at,
        )
        for principal, binding, group, since, granter in rows
    ]


def _held_at(at: datetime) -> Select[Principal, RoleBinding, str, datetime | None, str]:
    granter = aliased(Principal)
    held = by_holder(_lasted(GroupMembership.since, GroupMembership.until, at))
    return (
        select(Principal, RoleBinding, Group.name, held.c.since, granter.name)
        .join(held, held.c.holder_id == Principal.id)
        .join(RoleBinding, RoleBinding.id == held.c.binding_id)
        .join(granter, granter.id == RoleBinding.granted_by)
        .outerjoin(Group, Group.id == RoleBinding.group_id)
        .where(_lasted(RoleBinding.created_at, RoleBinding.revoked_at, at))
    )


def _lasted(begun: Any, ended: Any, at: datetime) -> ColumnElement[bool]:
    return and_(begun <= at, or_(ended.is_(None), ended > at))


def _later_than(key: Key) -> ColumnElement[bool]:
    principal_id, binding_id = key
    return or_(
        Principal.id > principal_id,
        and_(Principal.id == principal_id, RoleBinding.id > binding_id),
    )


def _disabled_at(session: Session, who: Collection[UUID], at: datetime) -> set[UUID]:
    """Those whose last event of this kind, up to the moment, disabled them."""
    events = session.execute(
        select(AuditEvent.subject_id, AuditEvent.action)
        .where(
            AuditEvent.subject_type == "principal",
            AuditEvent.subject_id.in_([str(identifier) for identifier in who]),
            AuditEvent.action.in_((DISABLED, ENABLED)),
            AuditEvent.at <= at,
        )
        .order_by(AuditEvent.at, AuditEvent.id)
    )
    last = {UUID(subject): action for subject, action in events}
    return {identifier for identifier, action in last.items() if action == DISABLED}


def _cleared_at(
    session: Session, who: Collection[UUID], at: datetime
) -> dict[UUID, ClearanceChange]:
    """The newest clearance of each, up to the moment; everybody has one since they were made."""
    changes: Sequence[ClearanceChange] = session.scalars(
        select(ClearanceChange)
        .where(ClearanceChange.principal_id.in_(who), ClearanceChange.since <= at)
        .order_by(ClearanceChange.since, ClearanceChange.id)
    ).all()
    return {change.principal_id: change for change in changes}
