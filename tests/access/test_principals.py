from datetime import timedelta

import pytest
from sqlalchemy import select

from bailiwick.access import (
    ClearanceChange,
    create_principal,
    disable,
    enable,
    find_principal,
    find_service,
    set_clearance,
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


def test_disabling_happens_once(make: Factory) -> None:
    ann = make.principal("ann")
    for _ in range(2):
        disable(make.session, ann, actor_id=make.root.id, at=make.at)
    assert ann.disabled_at == make.at
    assert actions(make).count("principal.disabled") == 1


def test_enabling_undoes_it_and_both_are_recorded(make: Factory) -> None:
    ann = make.principal("ann")
    disable(make.session, ann, actor_id=make.root.id, at=make.at)
    for _ in range(2):
        enable(make.session, ann, actor_id=make.root.id, at=make.at)
    assert ann.disabled_at is None
    assert actions(make)[-2:] == ["principal.disabled", "principal.enabled"]


def test_every_clearance_is_kept_with_whoever_set_it(make: Factory) -> None:
    ann, later = make.principal("ann", clearance="internal"), make.at + timedelta(days=1)
    for _ in range(2):
        set_clearance(
            make.session, ann, "public", ["legal", "legal"], actor_id=make.root.id, at=later
        )
    make.session.flush()
    assert (ann.clearance_level, ann.clearance_compartments) == ("public", ["legal"])
    history = make.session.execute(
        select(ClearanceChange.level, ClearanceChange.since, ClearanceChange.set_by)
        .where(ClearanceChange.principal_id == ann.id)
        .order_by(ClearanceChange.since)
    ).all()
    root = make.root.id
    assert [tuple(row) for row in history] == [
        ("internal", make.at, root),
        ("public", later, root),
    ]
    assert actions(make).count("principal.cleared") == 1


def test_nobody_changes_their_own_clearance(make: Factory) -> None:
    with pytest.raises(Conflict, match="another administrator"):
        set_clearance(make.session, make.root, "public", [], actor_id=make.root.id, at=make.at)
    assert make.root.clearance_level == "restricted"


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
