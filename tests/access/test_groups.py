"""Groups: memberships made by hand and by what the identity provider claims."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, select

from bailiwick.access import (
    Group,
    GroupMembership,
    Principal,
    add_member,
    create_group,
    find_group,
    remove_member,
    sync_claimed_groups,
    update_group,
)
from bailiwick.audit import AuditEvent
from bailiwick.core.errors import Conflict, Invalid, NotFound
from factories import Factory

Members = Callable[[], set[tuple[str, str]]]


@pytest.fixture
def by(make: Factory) -> dict[str, Any]:
    """The actor and the moment of every act."""
    return {"actor_id": make.root.id, "at": make.at}


@pytest.fixture
def ann(make: Factory) -> Principal:
    """Somebody to be in groups."""
    return make.principal("ann")


@pytest.fixture
def groups(make: Factory, by: dict[str, Any]) -> dict[str, Group]:
    """Two groups with a claim, one without."""
    claims = {"bankers": "Bank", "coders": "Code", "friends": None}
    return {
        name: create_group(make.session, name, claim=claim, **by) for name, claim in claims.items()
    }


@pytest.fixture
def standing(make: Factory, ann: Principal) -> Members:
    """Ann's groups now, each with why."""

    def found() -> set[tuple[str, str]]:
        make.session.flush()
        rows = make.session.execute(
            select(Group.name, GroupMembership.source)
            .join(Group, Group.id == GroupMembership.group_id)
            .where(GroupMembership.principal_id == ann.id, GroupMembership.until.is_(None))
        )
        return {(name, source) for name, source in rows}

    return found


def test_names_and_claims_are_taken_once(
    make: Factory, by: dict[str, Any], groups: dict[str, Group]
) -> None:
    with pytest.raises(Conflict, match="choose another name"):
        create_group(make.session, "bankers", **by)
    with pytest.raises(Conflict, match="another group"):
        create_group(make.session, "others", claim="Bank", **by)
    with pytest.raises(Conflict, match="another group"):
        update_group(make.session, groups["coders"], description="", claim="Bank", **by)
    with pytest.raises(Invalid, match="lower-case letters"):
        create_group(make.session, "Big Group", **by)
    with pytest.raises(NotFound, match="no group"):
        find_group(make.session, "nobodies")


def test_a_member_by_hand_is_added_once_and_removed_once(
    make: Factory, by: dict[str, Any], ann: Principal, groups: dict[str, Group], standing: Members
) -> None:
    for _ in range(2):
        add_member(make.session, groups["friends"], ann, **by)
    assert standing() == {("friends", "manual")}
    remove_member(make.session, groups["friends"], ann, **by)
    assert standing() == set()
    with pytest.raises(NotFound, match="no member"):
        remove_member(make.session, groups["friends"], ann, **by)
    (kept,) = make.session.scalars(select(GroupMembership)).all()
    assert (kept.until, kept.removed_by) == (make.at, make.root.id)
    told = select(AuditEvent.action).where(AuditEvent.subject_id == str(groups["friends"].id))
    assert make.session.scalars(told.order_by(AuditEvent.id)).all() == [
        "group.created",
        "group.member-added",
        "group.member-removed",
    ]


def test_a_sign_in_brings_memberships_in_line_with_its_claims(
    make: Factory, by: dict[str, Any], ann: Principal, groups: dict[str, Group], standing: Members
) -> None:
    assert set(groups) == {"bankers", "coders", "friends"}
    for claims, expected in (
        (["Bank", "unknown"], {"bankers"}),
        (["Bank", "Code"], {"bankers", "coders"}),
        (["code"], set()),
        (["Code"], {"coders"}),
        ([], set()),
    ):
        sync_claimed_groups(make.session, ann, claims, **by)
        assert standing() == {(name, "claim") for name in expected}


def test_what_was_made_by_hand_is_never_touched_by_a_sign_in(
    make: Factory, by: dict[str, Any], ann: Principal, groups: dict[str, Group], standing: Members
) -> None:
    add_member(make.session, groups["friends"], ann, **by)
    add_member(make.session, groups["bankers"], ann, **by)
    for claims in (["Bank"], []):
        sync_claimed_groups(make.session, ann, claims, **by)
        assert standing() == {("friends", "manual"), ("bankers", "manual")}


def test_adding_a_claimed_member_by_hand_makes_it_stay(
    make: Factory, by: dict[str, Any], ann: Principal, groups: dict[str, Group], standing: Members
) -> None:
    sync_claimed_groups(make.session, ann, ["Bank"], **by)
    add_member(make.session, groups["bankers"], ann, **by)
    assert standing() == {("bankers", "manual")}
    sync_claimed_groups(make.session, ann, [], **by)
    assert standing() == {("bankers", "manual")}


def test_other_peoples_memberships_stay_as_they_are(
    make: Factory, by: dict[str, Any], ann: Principal, groups: dict[str, Group], standing: Members
) -> None:
    bob = make.principal("bob")
    for person in (ann, bob):
        sync_claimed_groups(make.session, person, ["Code"], **by)
    sync_claimed_groups(make.session, bob, ["Bank"], **by)
    assert standing() == {("coders", "claim")}
    assert set(groups) == {"bankers", "coders", "friends"}


def test_another_claim_ends_what_came_by_the_old_one(
    make: Factory, by: dict[str, Any], ann: Principal, groups: dict[str, Group], standing: Members
) -> None:
    bob = make.principal("bob")
    add_member(make.session, groups["bankers"], bob, **by)
    sync_claimed_groups(make.session, ann, ["Bank"], **by)
    update_group(make.session, groups["bankers"], description="told", claim="Bank", **by)
    assert standing() == {("bankers", "claim")}
    update_group(make.session, groups["bankers"], description="told", claim="Banking", **by)
    assert standing() == set()
    query = select(GroupMembership.principal_id).where(GroupMembership.until.is_(None))
    assert make.session.scalars(query).all() == [bob.id]


def test_a_sign_in_that_changes_nothing_asks_twice_and_writes_nothing(
    make: Factory, by: dict[str, Any], ann: Principal, groups: dict[str, Group]
) -> None:
    sync_claimed_groups(make.session, ann, ["Bank"], **by)
    asked: list[str] = []
    engine = make.session.get_bind()
    listener = lambda _c, _k, statement, *_: asked.append(statement)  # noqa: E731 - five arguments
    event.listen(engine, "before_cursor_execute", listener)
    later = by | {"at": make.at + timedelta(days=1)}
    sync_claimed_groups(make.session, ann, ["Bank"], **later)
    event.remove(engine, "before_cursor_execute", listener)
    assert [statement.split()[0] for statement in asked] == ["SELECT", "SELECT"]
    assert groups["bankers"].revision == 1
