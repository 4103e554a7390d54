from typing import Any

import pytest
from sqlalchemy import func, select

from bailiwick.access import (
    RoleBinding,
    create_principal,
    disable,
    find_principal,
    find_service,
    grant_role,
    revoke_role,
    roles_of,
)
from bailiwick.audit import AuditEvent
from bailiwick.core.errors import Conflict, Invalid, NotFound
from factories import Factory


def actions(make: Factory) -> list[str]:
    make.session.flush()
    return list(make.session.scalars(select(AuditEvent.action).order_by(AuditEvent.id)))


def test_the_first_principal_makes_itself_and_others_are_made_by_somebody(make: Factory) -> None:
    root = make.root
    other = make.principal("other")
    by = {made.subject_id: made.actor_id for made in make.session.scalars(select(AuditEvent))}
    assert by == {str(root.id): root.id, str(other.id): root.id}


@pytest.mark.parametrize("name", ["", "Big", "a b", "-a", "a-", "a" * 101, "ä", "a/b", "a\0"])
def test_a_name_must_be_a_slug(make: Factory, name: str) -> None:
    with pytest.raises(Invalid, match="lower-case letters"):
        make.principal(name)


def test_a_name_is_taken_once(make: Factory) -> None:
    make.principal("ann")
    with pytest.raises(Conflict, match="choose another name"):
        make.principal("ann")


def test_roles_add_up_per_namespace_and_are_granted_once(make: Factory) -> None:
    ann = make.principal("ann")
    common: Any = {"actor_id": make.root.id, "at": make.at}
    for role, namespace in (("engineer", "finance"), ("steward", "finance"), ("auditor", "*")):
        for _ in range(2):
            grant_role(make.session, ann, role, namespace=namespace, **common)
    assert roles_of(make.session, ann.id) == {
        "finance": {"engineer", "steward"},
        "*": {"auditor"},
    }
    assert make.session.scalar(select(func.count()).select_from(RoleBinding)) == 3
    assert actions(make).count("role.granted") == 3


def test_a_role_that_is_not_known_or_a_namespace_that_is_none_is_refused(make: Factory) -> None:
    ann = make.principal("ann")
    common: Any = {"actor_id": make.root.id, "at": make.at}
    with pytest.raises(Invalid, match="the roles are admin"):
        grant_role(make.session, ann, "king", **common)
    with pytest.raises(Invalid, match="namespace"):
        grant_role(make.session, ann, "engineer", namespace="No Such", **common)


def test_a_role_taken_away_is_gone_and_only_that_one(make: Factory) -> None:
    ann = make.principal("ann", "engineer", "steward")
    common: Any = {"namespace": "*", "actor_id": make.root.id, "at": make.at}
    revoke_role(make.session, ann, "engineer", **common)
    assert roles_of(make.session, ann.id) == {"*": {"steward"}}
    with pytest.raises(NotFound, match="does not hold"):
        revoke_role(make.session, ann, "engineer", **common)
    assert actions(make).count("role.revoked") == 1


def test_disabling_happens_once(make: Factory) -> None:
    ann = make.principal("ann")
    for _ in range(2):
        disable(make.session, ann, actor_id=make.root.id, at=make.at)
    assert ann.disabled_at == make.at
    assert actions(make).count("principal.disabled") == 1


def test_services_are_found_and_people_are_not_told_from_nobody(make: Factory) -> None:
    robot = make.principal("robot", kind="service")
    make.principal("ann")
    assert find_service(make.session, "robot") is robot
    assert find_principal(make.session, "ann").name == "ann"
    said = set()
    for name in ("ann", "bob"):
        with pytest.raises(NotFound) as error:
            find_service(make.session, name)
        said.add(error.value.message.replace(name, "NAME"))
    assert len(said) == 1


def test_compartments_are_kept_sorted_and_once(make: Factory) -> None:
    made = create_principal(
        make.session,
        "ann",
        kind="person",
        clearance_level="public",
        clearance_compartments=["legal", "finance", "legal"],
        actor_id=None,
        at=make.at,
    )
    assert made.clearance_compartments == ["finance", "legal"]
