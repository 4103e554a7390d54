"""`/groups`: principals that hold the same roles."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import Field
from sqlalchemy import func, select

from bailiwick.access import (
    Group,
    GroupMembership,
    add_member,
    create_group,
    find_group,
    find_principal,
    grant_role,
    names_of,
    remove_member,
    revoke_role,
    roles_granted,
    update_group,
)
from bailiwick.api.schemas import Body, RoleIn, RoleObject, RoleOut, Schema, Slug, Text
from bailiwick.policy import PLATFORM, Resource
from bailiwick.web import (
    Governed,
    GovernedRoute,
    Page,
    Paging,
    Precondition,
    acts,
    by_name,
    tag,
)

router = APIRouter(prefix="/groups", tags=["groups"], route_class=GovernedRoute)

Claim = Annotated[
    str | None,
    Field(
        min_length=1,
        max_length=200,
        description="The identity provider's word for this group; null: members come by hand only.",
    ),
]


class GroupIn(Body):
    """A new group."""

    name: Slug
    description: Text = ""
    claim: Claim = None


class GroupPatch(Body):
    """What may change about a group; what is left out stays, `claim: null` ends the mapping."""

    description: Text = ""
    claim: Claim = None


class GroupOut(Schema):
    """A group with the roles that it gives, and how many hold them."""

    id: UUID
    name: str
    description: str
    claim: str | None
    roles: list[RoleOut]
    members: int
    created_at: datetime


class GroupPage(Page):
    """Groups, newest first."""

    items: list[GroupOut]


class MemberIn(Body):
    """A principal to add."""

    principal: Slug


class MemberOut(Schema):
    """A member: added by hand, or by what the identity provider claims."""

    principal_id: UUID
    principal: str
    source: Literal["manual", "claim"]
    since: datetime
    added_by: UUID


class MemberPage(Page):
    """Members, newest first."""

    items: list[MemberOut]


@router.get("", **acts("group:list"))
def list_groups(caller: Governed, paging: Paging) -> GroupPage:
    """All groups, newest first."""
    caller.require(PLATFORM)
    rows, following = paging.of(caller.session, select(Group), Group.id)
    return GroupPage(items=_shown(caller, rows), next_cursor=following)


@router.post("", status_code=201, **acts("group:create"))
def create(body: GroupIn, caller: Governed, response: Response) -> GroupOut:
    """Create a group; it has no members and gives nothing yet."""
    caller.require(Resource("Group", body.name, None, None))
    group = create_group(
        caller.session,
        body.name,
        description=body.description,
        claim=body.claim,
        actor_id=caller.principal_id,
        at=caller.at,
    )
    return _answer(caller, group, response)


@router.get("/{name}", **acts("group:read"))
def read(name: str, caller: Governed, response: Response) -> GroupOut:
    """One group."""
    return _answer(caller, _group(caller, name), response)


@router.patch("/{name}", **acts("group:update"))
def update(
    name: str, body: GroupPatch, caller: Governed, response: Response, seen: Precondition
) -> GroupOut:
    """Change a group; with another claim, whoever came in by the old one is out."""
    group = _group(caller, name)
    seen.check(group)
    given = body.model_fields_set
    update_group(
        caller.session,
        group,
        description=body.description if "description" in given else group.description,
        claim=body.claim if "claim" in given else group.claim,
        actor_id=caller.principal_id,
        at=caller.at,
    )
    return _answer(caller, group, response)


@router.get("/{name}/members", **acts("group:read"))
def list_members(name: str, caller: Governed, paging: Paging) -> MemberPage:
    """Who is in a group, newest members first."""
    group = _group(caller, name)
    query = select(GroupMembership).where(
        GroupMembership.group_id == group.id, GroupMembership.until.is_(None)
    )
    rows, following = paging.of(caller.session, query, GroupMembership.id)
    return MemberPage(items=_members_shown(caller, rows), next_cursor=following)


@router.post("/{name}/members", status_code=201, **acts("group:update"))
def add(name: str, body: MemberIn, caller: Governed) -> MemberOut:
    """Add a member by hand; no sign-in ends that."""
    membership = add_member(
        caller.session,
        _group(caller, name),
        find_principal(caller.session, body.principal),
        actor_id=caller.principal_id,
        at=caller.at,
    )
    caller.session.flush()
    return _members_shown(caller, [membership])[0]


@router.delete("/{name}/members/{member}", status_code=204, **acts("group:update"))
def remove(name: str, member: str, caller: Governed) -> Response:
    """End a membership; one that the identity provider still claims returns at sign-in."""
    remove_member(
        caller.session,
        _group(caller, name),
        find_principal(caller.session, member),
        actor_id=caller.principal_id,
        at=caller.at,
    )
    return Response(status_code=204)


@router.post("/{name}/roles", status_code=201, **acts("group:update"))
def grant(name: str, body: RoleIn, caller: Governed) -> GroupOut:
    """Grant a role to all members."""
    group = _group(caller, name)
    grant_role(
        caller.session,
        group,
        body.role,
        namespace=body.namespace,
        on=body.object or "",
        actor_id=caller.principal_id,
        at=caller.at,
    )
    caller.session.flush()
    return _shown(caller, [group])[0]


@router.delete("/{name}/roles/{namespace}/{role}", status_code=204, **acts("group:update"))
def revoke(
    name: str,
    namespace: str,
    role: str,
    caller: Governed,
    on: Annotated[RoleObject, Query(alias="object")] = None,
) -> Response:
    """Take a role away from all members."""
    revoke_role(
        caller.session,
        _group(caller, name),
        role,
        namespace=namespace,
        on=on or "",
        actor_id=caller.principal_id,
        at=caller.at,
    )
    return Response(status_code=204)


def _group(caller: Governed, name: str) -> Group:
    return by_name(caller, "Group", name, find_group)


def _answer(caller: Governed, group: Group, response: Response) -> GroupOut:
    caller.session.flush()
    tag(response, group)
    return _shown(caller, [group])[0]


def _shown(caller: Governed, groups: list[Group]) -> list[GroupOut]:
    """Groups with roles and the number of members, in two queries however many they are."""
    ids = [group.id for group in groups]
    bindings = roles_granted(caller.session, ids)
    counted = caller.session.execute(
        select(GroupMembership.group_id, func.count())
        .where(GroupMembership.group_id.in_(ids), GroupMembership.until.is_(None))
        .group_by(GroupMembership.group_id)
    )
    members = dict(counted.all())
    return [
        GroupOut.of_row(
            group,
            roles=[RoleOut.of(binding) for binding in bindings if binding.group_id == group.id],
            members=members.get(group.id, 0),
        )
        for group in groups
    ]


def _members_shown(caller: Governed, memberships: list[GroupMembership]) -> list[MemberOut]:
    names = names_of(caller.session, [membership.principal_id for membership in memberships])
    return [
        MemberOut.of_row(membership, principal=names[membership.principal_id])
        for membership in memberships
    ]
