"""Who a provider's claims stand for, and what they bring along."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from bailiwick.access import (
    Claims,
    Group,
    Identity,
    Principal,
    admit,
    create_group,
    disable,
    grant_role,
    known_person,
    roles_of,
)
from bailiwick.audit import AuditEvent
from bailiwick.core.errors import Unauthenticated
from factories import Factory

ISSUER = "https://login.example"


def claims_of(make: Factory, *groups: str, seconds: int = 0, **changes: Any) -> Claims:
    told = {"issuer": ISSUER, "subject": "1", "name": "Ada Lovelace"} | changes
    issued_at = make.at + timedelta(seconds=seconds)
    return Claims(**told, groups=frozenset(groups), issued_at=issued_at)


def enter(make: Factory, claims: Claims) -> Principal:
    return admit(make.session, claims, clearance_level="public", at=make.at)


def events(make: Factory) -> list[tuple[str, bool]]:
    """Actions, and whether the actor is the one whom they are about."""
    make.session.flush()
    rows = make.session.scalars(select(AuditEvent).order_by(AuditEvent.id))
    return [(row.action, str(row.actor_id) == row.subject_id) for row in rows]


def test_the_first_sign_in_makes_a_person_who_may_do_nothing(make: Factory) -> None:
    ada = enter(make, claims_of(make))
    assert (ada.name, ada.kind, ada.clearance_level) == ("ada-lovelace", "person", "public")
    assert ada.clearance_compartments == []
    assert roles_of(make.session, ada.id) == {}
    assert events(make) == [("principal.created", True), ("identity.linked", True)]


def test_the_log_names_no_person(make: Factory) -> None:
    # No name of hexadecimal digits: ids and digests may hold those.
    enter(make, claims_of(make, subject="zora@example.com", name="Zora Lovelace"))
    make.session.flush()
    bodies = [event.body.lower() for event in make.session.scalars(select(AuditEvent))]
    assert bodies
    assert not any(said in body for body in bodies for said in (b"zora", b"lovelace"))


def test_the_second_sign_in_finds_the_same_person_and_writes_nothing(make: Factory) -> None:
    ada = enter(make, claims_of(make))
    before = events(make)
    assert known_person(make.session, claims_of(make)) is ada
    assert enter(make, claims_of(make, name="somebody-else")) is ada
    assert events(make) == before


def test_a_name_that_is_taken_is_never_taken_over(make: Factory) -> None:
    admin = make.principal("admin", "admin")
    first = enter(make, claims_of(make, name="admin"))
    second = enter(make, claims_of(make, name="admin", subject="2"))
    assert (first.name, second.name) == ("admin-2", "admin-3")
    assert admin.id not in {first.id, second.id}
    assert roles_of(make.session, first.id) == {}


def test_the_same_subject_of_another_issuer_is_another_person(make: Factory) -> None:
    first = enter(make, claims_of(make))
    assert enter(make, claims_of(make, issuer="https://other.example")).id != first.id


@pytest.mark.parametrize(
    ("claimed", "name"),
    [
        ("Ada.Lovelace", "ada.lovelace"),
        ("ada@example.com", "ada-example.com"),
        ("José Ñandú", "jose-nandu"),
        ("王", "person"),
        ("..--..", "person"),
        ("../../etc", "etc"),
        ("*", "person"),
        ("a" * 300, "a" * 90),
        ("100%_x", "100-_x"),
    ],
)
def test_any_name_becomes_one_of_ours(make: Factory, claimed: str, name: str) -> None:
    assert enter(make, claims_of(make, name=claimed)).name == name


def test_groups_of_the_provider_bring_roles_and_take_them_away(make: Factory) -> None:
    group = create_group(make.session, "ml", claim="ml-team", actor_id=make.root.id, at=make.at)
    grant(make, group, "engineer")
    ada = enter(make, claims_of(make, "ml-team", "unknown"))
    assert roles_of(make.session, ada.id) == {"finance": {"engineer"}}
    moved = claims_of(make, "sales", seconds=1)
    assert known_person(make.session, moved) is None  # something has to be written first
    enter(make, moved)
    assert roles_of(make.session, ada.id) == {}
    assert known_person(make.session, moved) is ada


def test_an_older_token_does_not_bring_a_group_back(make: Factory) -> None:
    group = create_group(make.session, "ml", claim="ml-team", actor_id=make.root.id, at=make.at)
    grant(make, group, "engineer")
    old, new = claims_of(make, "ml-team"), claims_of(make, seconds=60)
    ada = enter(make, old)
    enter(make, new)
    assert enter(make, old) is ada
    assert known_person(make.session, old) is ada
    assert roles_of(make.session, ada.id) == {}


def test_roles_given_by_hand_stay_whatever_the_provider_says(make: Factory) -> None:
    ada = enter(make, claims_of(make))
    grant_role(make.session, ada, "auditor", actor_id=make.root.id, at=make.at)
    enter(make, claims_of(make, "any", seconds=1))
    assert roles_of(make.session, ada.id) == {"*": {"auditor"}}


def test_whoever_is_disabled_is_refused_whatever_the_provider_says(make: Factory) -> None:
    ada = enter(make, claims_of(make))
    disable(make.session, ada, actor_id=make.root.id, at=make.at)
    for claims in (claims_of(make), claims_of(make, "new", seconds=9)):
        for look in (lambda c: known_person(make.session, c), lambda c: enter(make, c)):
            with pytest.raises(Unauthenticated, match="disabled"):
                look(claims)
    assert len(list(make.session.scalars(select(Identity)))) == 1


def grant(make: Factory, group: Group, role: str) -> None:
    grant_role(make.session, group, role, namespace="finance", actor_id=make.root.id, at=make.at)
