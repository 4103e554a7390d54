"""Roles of principals and groups: where they reach, what stays of them, who is never without."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select

from bailiwick.access import (
    Group,
    LastAdmin,
    Principal,
    RoleBinding,
    add_member,
    create_group,
    disable,
    grant_role,
    remove_member,
    revoke_role,
    roles_held,
    roles_of,
    update_group,
)
from bailiwick.access.groups import sync_claimed_groups
from bailiwick.audit import AuditEvent
from bailiwick.core.errors import Invalid, NotFound
from bailiwick.lifecycle import Platform
from factories import Factory


@pytest.fixture
def by(make: Factory) -> dict[str, Any]:
    """The actor and the moment of every act."""
    return {"actor_id": make.root.id, "at": make.at}


@pytest.fixture
def team(make: Factory, by: dict[str, Any]) -> Group:
    """A group of nobody, which stands for a claim."""
    return create_group(make.session, "team", claim="team", **by)


def actions(make: Factory) -> list[str]:
    make.session.flush()
    return list(make.session.scalars(select(AuditEvent.action).order_by(AuditEvent.id)))


def test_roles_add_up_per_place_and_are_granted_once(make: Factory, by: dict[str, Any]) -> None:
    ann = make.principal("ann")
    for role, namespace, on in (
        ("engineer", "finance", ""),
        ("steward", "finance", ""),
        ("engineer", "finance", "models/coder"),
        ("auditor", "*", ""),
    ):
        for _ in range(2):
            grant_role(make.session, ann, role, namespace=namespace, on=on, **by)
    assert roles_of(make.session, ann.id) == {
        "finance": {"engineer", "steward"},
        "finance/models/coder": {"engineer"},
        "*": {"auditor"},
    }
    assert make.session.scalar(select(func.count()).select_from(RoleBinding)) == 4
    assert actions(make).count("role.granted") == 4


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"role": "king"}, "the roles are admin"),
        ({"namespace": "No Such"}, "namespace"),
        ({"on": "coder"}, "models/NAME"),
        ({"on": "jobs/coder"}, "deployments/NAME"),
        ({"on": "models/No Such"}, "object's name"),
        ({"on": "models/a/b"}, "object's name"),
        ({"on": "models/"}, "object's name"),
        ({"on": "models/coder", "namespace": "*"}, "needs the namespace"),
    ],
)
def test_a_role_or_a_place_that_cannot_be_is_refused(
    make: Factory, by: dict[str, Any], given: dict[str, str], said: str
) -> None:
    ann = make.principal("ann")
    asked: dict[str, Any] = {"role": "engineer", "namespace": "finance"} | given | by
    with pytest.raises(Invalid, match=said):
        grant_role(make.session, ann, **asked)


def test_a_role_taken_away_is_gone_and_only_that_one(make: Factory, by: dict[str, Any]) -> None:
    ann = make.principal("ann", "engineer", "steward")
    revoke_role(make.session, ann, "engineer", namespace="*", **by)
    assert roles_of(make.session, ann.id) == {"*": {"steward"}}
    with pytest.raises(NotFound, match="does not hold"):
        revoke_role(make.session, ann, "engineer", namespace="*", **by)
    assert actions(make).count("role.revoked") == 1


def test_a_role_on_an_object_is_not_one_in_its_namespace(make: Factory, by: dict[str, Any]) -> None:
    ann = make.principal("ann")
    place: dict[str, Any] = {"namespace": "finance", **by}
    grant_role(make.session, ann, "engineer", on="models/coder", **place)
    for elsewhere in ("", "models/other", "datasets/coder"):
        with pytest.raises(NotFound):
            revoke_role(make.session, ann, "engineer", on=elsewhere, **place)
    revoke_role(make.session, ann, "engineer", on="models/coder", **place)
    assert roles_of(make.session, ann.id) == {}


def test_what_was_taken_away_keeps_its_row_and_can_be_given_again(
    make: Factory, by: dict[str, Any]
) -> None:
    ann = make.principal("ann", "engineer")
    revoke_role(make.session, ann, "engineer", namespace="*", **by)
    grant_role(make.session, ann, "engineer", **by)
    make.session.flush()
    rows = make.session.scalars(select(RoleBinding).order_by(RoleBinding.id)).all()
    assert [(row.revoked_at, row.revoked_by) for row in rows] == [
        (make.at, make.root.id),
        (None, None),
    ]


def test_a_groups_roles_are_its_members_for_as_long_as_they_are_in_it(
    make: Factory, by: dict[str, Any], team: Group
) -> None:
    ann, bob = make.principal("ann", "steward"), make.principal("bob")
    add_member(make.session, team, ann, **by)
    grant_role(make.session, team, "engineer", namespace="finance", **by)
    assert roles_of(make.session, ann.id) == {"*": {"steward"}, "finance": {"engineer"}}
    assert roles_of(make.session, bob.id) == {}
    held = roles_held(make.session, [ann.id, bob.id])
    assert [(role.principal_id, role.role, role.group) for role in held] == [
        (ann.id, "steward", None),
        (ann.id, "engineer", "team"),
    ]
    with pytest.raises(NotFound, match="through a group"):
        revoke_role(make.session, ann, "engineer", namespace="finance", **by)
    remove_member(make.session, team, ann, **by)
    assert roles_of(make.session, ann.id) == {"*": {"steward"}}


def test_a_role_taken_from_a_group_is_gone_from_all_members(
    make: Factory, by: dict[str, Any], team: Group
) -> None:
    people = [make.principal(name) for name in ("ann", "bob")]
    for person in people:
        add_member(make.session, team, person, **by)
    grant_role(make.session, team, "engineer", **by)
    revoke_role(make.session, team, "engineer", namespace="*", **by)
    assert [roles_of(make.session, person.id) for person in people] == [{}, {}]


@pytest.fixture
def admin(make: Factory, by: dict[str, Any], team: Group) -> Principal:
    """The only administrator, through the group."""
    ann = make.principal("ann")
    sync_claimed_groups(make.session, ann, ["team"], **by)
    grant_role(make.session, team, "admin", **by)
    return ann


def test_no_way_of_taking_access_away_takes_the_last_administrator(
    make: Factory, by: dict[str, Any], team: Group, admin: Principal
) -> None:
    make.principal("local", "admin", namespace="finance")
    gone = make.principal("gone", "admin")
    disable(make.session, gone, **by)
    ways: list[Any] = [
        lambda: disable(make.session, admin, **by),
        lambda: revoke_role(make.session, team, "admin", namespace="*", **by),
        lambda: remove_member(make.session, team, admin, **by),
        lambda: update_group(make.session, team, description="", claim=None, **by),
    ]
    for way in ways:
        with pytest.raises(LastAdmin, match="somebody else"), make.session.begin_nested():
            way()
    make.principal("second", "admin")
    disable(make.session, admin, **by)
    assert admin.disabled_at == make.at


def test_what_the_identity_provider_takes_away_is_gone_whoever_it_is(
    make: Factory, by: dict[str, Any], admin: Principal
) -> None:
    sync_claimed_groups(make.session, admin, [], **by)
    assert roles_of(make.session, admin.id) == {}


def test_two_administrators_cannot_remove_each_other_at_once(platform: Platform) -> None:
    with platform.database.transaction() as session:
        make = Factory(session, platform)
        pair = [make.principal(name, "admin").id for name in ("ann", "bob")]
    both = Barrier(len(pair))

    def remove(actor_id: UUID, other_id: UUID) -> bool:
        both.wait(timeout=30)
        try:
            with platform.database.transaction() as session:
                other = session.get_one(Principal, other_id)
                disable(session, other, actor_id=actor_id, at=platform.clock.now())
        except LastAdmin:
            return False
        return True

    with ThreadPoolExecutor(len(pair)) as pool:
        done = list(pool.map(remove, pair, reversed(pair)))
    assert sorted(done) == [False, True]
    with platform.database.reading() as session:
        left = session.scalars(select(Principal.id).where(Principal.disabled_at.is_(None)))
        assert len(set(left) & set(pair)) == 1
