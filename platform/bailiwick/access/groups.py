"""Groups: principals that hold the same roles. Memberships end, their rows stay.

A group may name a claim: the word by which the identity provider knows it. Whoever signs in with
that word is a member for as long as the provider says so; what people add by hand stays theirs.
"""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from bailiwick.access.names import checked_name
from bailiwick.access.roles import keeping_an_admin
from bailiwick.access.tables import Group, GroupMembership, Principal
from bailiwick.audit.log import record
from bailiwick.core.errors import Conflict, NotFound
from bailiwick.core.ids import new_id

MANUAL, CLAIM = "manual", "claim"


def create_group(
    session: Session,
    name: str,
    *,
    description: str = "",
    claim: str | None = None,
    actor_id: UUID,
    at: datetime,
) -> Group:
    """A new group without members and roles. `Conflict` if its name or its claim is taken."""
    checked_name(name)
    if session.scalar(select(Group.id).where(Group.name == name)):
        raise Conflict(f"there is a group {name!r} already; choose another name")
    _check_claim(session, claim)
    group = Group(id=new_id(), name=name, description=description, claim=claim, created_at=at)
    session.add(group)
    session.flush()
    _event(session, "group.created", group, actor_id, at, claim=claim)
    return group


def update_group(
    session: Session,
    group: Group,
    *,
    description: str,
    claim: str | None,
    actor_id: UUID,
    at: datetime,
) -> None:
    """Describe a group anew. With another claim, whoever came in by the old one is out at once."""
    if (description, claim) == (group.description, group.claim):
        return
    old = group.claim
    group.description = description
    if claim != old:
        _check_claim(session, claim)
        with keeping_an_admin(session):
            group.claim = claim
            for membership in _standing(session, group_id=group.id):
                if membership.source == CLAIM:
                    _leave(session, group, membership, actor_id, at)
    _event(session, "group.updated", group, actor_id, at, old_claim=old, claim=claim)


def find_group(session: Session, name: str) -> Group:
    """The group of that name, or `NotFound`."""
    group = session.scalar(select(Group).where(Group.name == name))
    if group is None:
        raise NotFound(f"there is no group {name!r}")
    return group


def add_member(
    session: Session, group: Group, principal: Principal, *, actor_id: UUID, at: datetime
) -> GroupMembership:
    """Make a principal a member by hand, which no sign-in ends. Twice changes nothing."""
    for membership in _standing(session, group_id=group.id, principal_id=principal.id):
        if membership.source == MANUAL:
            return membership
        _leave(session, group, membership, actor_id, at)
    session.flush()
    return _join(session, group, principal, MANUAL, actor_id, at)


def remove_member(
    session: Session, group: Group, principal: Principal, *, actor_id: UUID, at: datetime
) -> None:
    """End a membership, however it came about; `NotFound` if there is none.

    One that the identity provider still claims begins again with the next sign-in.
    """
    memberships = _standing(session, group_id=group.id, principal_id=principal.id)
    if not memberships:
        raise NotFound("this principal is no member of the group; the list of members shows who is")
    with keeping_an_admin(session):
        for membership in memberships:
            _leave(session, group, membership, actor_id, at)


def sync_claimed_groups(
    session: Session, principal: Principal, claims: Collection[str], *, actor_id: UUID, at: datetime
) -> None:
    """Bring the memberships that the identity provider claims in line with its word.

    Ends those that `claims` no longer names and begins those that it does; memberships made by
    hand are never touched. The provider's word counts even for the last administrator.
    """
    if not any(_out_of_line(session, principal, claims)):
        return
    # Two sign-ins of one principal at a time: the second finds everything in line.
    session.execute(select(Principal.id).where(Principal.id == principal.id).with_for_update())
    ended, begun = _out_of_line(session, principal, claims)
    for membership in ended:
        group = session.get_one(Group, membership.group_id)
        _leave(session, group, membership, actor_id, at)
    for group in begun:
        _join(session, group, principal, CLAIM, actor_id, at)
    session.flush()


def _out_of_line(
    session: Session, principal: Principal, claims: Collection[str]
) -> tuple[list[GroupMembership], list[Group]]:
    """The memberships that are to end, and the groups that are to be joined."""
    named = session.scalars(select(Group).where(Group.claim.in_(set(claims)))).all()
    standing = _standing(session, principal_id=principal.id)
    named_ids, joined_ids = {group.id for group in named}, {m.group_id for m in standing}
    ended = [m for m in standing if m.source == CLAIM and m.group_id not in named_ids]
    return ended, [group for group in named if group.id not in joined_ids]


def _standing(session: Session, **of: UUID) -> list[GroupMembership]:
    query = select(GroupMembership).filter_by(**of).where(GroupMembership.until.is_(None))
    return list(session.scalars(query.order_by(GroupMembership.id)))


def _join(
    session: Session,
    group: Group,
    principal: Principal,
    source: str,
    actor_id: UUID,
    at: datetime,
) -> GroupMembership:
    membership = GroupMembership(
        id=new_id(),
        group_id=group.id,
        principal_id=principal.id,
        source=source,
        since=at,
        added_by=actor_id,
    )
    session.add(membership)
    details = {"principal": str(principal.id), "source": source}
    _event(session, "group.member-added", group, actor_id, at, **details)
    return membership


def _leave(
    session: Session, group: Group, membership: GroupMembership, actor_id: UUID, at: datetime
) -> None:
    membership.until, membership.removed_by = at, actor_id
    details = {"principal": str(membership.principal_id), "source": membership.source}
    _event(session, "group.member-removed", group, actor_id, at, **details)


def _check_claim(session: Session, claim: str | None) -> None:
    if claim is not None and session.scalar(select(Group.id).where(Group.claim == claim)):
        raise Conflict(
            f"another group stands for the claim {claim!r}; take it from that group first"
        )


def _event(
    session: Session, action: str, group: Group, actor_id: UUID, at: datetime, **details: object
) -> None:
    record(
        session,
        action,
        subject_type="group",
        subject_id=group.id,
        actor_id=actor_id,
        at=at,
        details=details,
    )
