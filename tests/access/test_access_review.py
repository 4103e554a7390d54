"""The access review: who held what, as of any moment."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest

from bailiwick.access import (
    Holding,
    Principal,
    access_review,
    add_member,
    create_group,
    create_principal,
    disable,
    enable,
    grant_role,
    remove_member,
    revoke_role,
    set_clearance,
)
from factories import Factory


@dataclass
class Days:
    """Acts on the days of a story; day 0 is the factory's moment."""

    make: Factory

    def at(self, day: float) -> datetime:
        """The moment."""
        return self.make.at + timedelta(days=day)

    def by_root(self, day: float) -> dict[str, Any]:
        """The actor and the moment of an act."""
        return {"actor_id": self.make.root.id, "at": self.at(day)}

    def holdings(self, day: float, **more: Any) -> list[Holding]:
        """The review as of a day."""
        self.make.session.flush()
        return access_review(self.make.session, at=self.at(day), **more)

    def places(self, day: float) -> set[tuple[str, str, str]]:
        """Who held what where, in short."""
        return {
            (held.principal, held.role, f"{held.namespace}/{held.object}".rstrip("/"))
            for held in self.holdings(day)
        }


@pytest.fixture
def days(make: Factory) -> Days:
    """The story's calendar."""
    return Days(make)


@pytest.fixture
def ann(make: Factory) -> Principal:
    """Made on day 0, without roles."""
    return make.principal("ann", clearance="internal")


def test_a_role_is_held_from_its_grant_until_it_is_taken_away(days: Days, ann: Principal) -> None:
    session = days.make.session
    grant_role(session, ann, "engineer", namespace="finance", **days.by_root(1))
    revoke_role(session, ann, "engineer", namespace="finance", **days.by_root(3))
    grant_role(session, ann, "engineer", namespace="finance", **days.by_root(5))
    held = {("ann", "engineer", "finance")}
    answers = {day: days.places(day) for day in (0, 0.99, 1, 2.99, 3, 4.99, 5, 9)}
    assert answers == {
        0: set(),
        0.99: set(),
        1: held,
        2.99: held,
        3: set(),
        4.99: set(),
        5: held,
        9: held,
    }
    (again,) = days.holdings(9)
    assert (again.granted_by, again.granted_at, again.group) == ("root", days.at(5), None)


def test_a_role_on_an_object_names_the_object(days: Days, ann: Principal) -> None:
    place = {"namespace": "finance", "on": "models/coder"} | days.by_root(0)
    grant_role(days.make.session, ann, "engineer", **place)
    assert days.places(1) == {("ann", "engineer", "finance/models/coder")}


def test_a_groups_roles_are_held_by_whoever_was_in_it(days: Days, ann: Principal) -> None:
    session = days.make.session
    bob = days.make.principal("bob")
    team = create_group(session, "team", **days.by_root(0))
    add_member(session, team, ann, **days.by_root(1))
    grant_role(session, team, "steward", **days.by_root(2))
    add_member(session, team, bob, **days.by_root(3))
    remove_member(session, team, ann, **days.by_root(4))
    revoke_role(session, team, "steward", namespace="*", **days.by_root(5))
    answers = {day: {who for who, _, _ in days.places(day)} for day in (1, 2, 3, 4, 5)}
    assert answers == {1: set(), 2: {"ann"}, 3: {"ann", "bob"}, 4: {"bob"}, 5: set()}
    (through,) = days.holdings(2)
    assert (through.group, through.member_since) == ("team", days.at(1))
    assert (through.granted_at, through.granted_by) == (days.at(2), "root")


def test_whoever_was_disabled_is_shown_so_for_exactly_that_time(days: Days, ann: Principal) -> None:
    session = days.make.session
    grant_role(session, ann, "engineer", **days.by_root(0))
    grant_role(session, days.make.principal("bob"), "engineer", **days.by_root(0))
    disable(session, ann, **days.by_root(1))
    enable(session, ann, **days.by_root(2))
    disable(session, ann, **days.by_root(3))
    answers = {
        day: {held.principal for held in days.holdings(day) if held.disabled}
        for day in (0, 1, 1.99, 2, 2.99, 3, 9)
    }
    nobody: set[str] = set()
    gone = {"ann"}
    assert answers == {0: nobody, 1: gone, 1.99: gone, 2: nobody, 2.99: nobody, 3: gone, 9: gone}


def test_the_clearance_is_that_of_the_moment(days: Days, ann: Principal) -> None:
    session = days.make.session
    grant_role(session, ann, "engineer", **days.by_root(0))
    set_clearance(session, ann, "restricted", ["legal"], **days.by_root(2))
    set_clearance(session, ann, "public", [], **days.by_root(4))
    answers = {
        day: (held.clearance_level, held.clearance_compartments)
        for day in (0, 1.99, 2, 4)
        for held in days.holdings(day)
    }
    assert answers == {
        0: ("internal", ("finance",)),
        1.99: ("internal", ("finance",)),
        2: ("restricted", ("legal",)),
        4: ("public", ()),
    }


def test_a_namespace_shows_what_works_there_and_nothing_of_its_neighbours(days: Days) -> None:
    session = days.make.session
    for place in ("finance", "people", "*"):
        name = "all" if place == "*" else place
        person = create_principal(
            session, name, kind="person", clearance_level="public", **days.by_root(0)
        )
        grant_role(session, person, "engineer", namespace=place, **days.by_root(0))
    both = days.holdings(0, namespace="finance")
    assert {held.principal for held in both} == {"finance", "all"}
    assert {held.principal for held in days.holdings(0)} == {"finance", "people", "all"}


def test_pages_join_to_the_whole_report(days: Days) -> None:
    session = days.make.session
    team = create_group(session, "team", **days.by_root(0))
    grant_role(session, team, "auditor", **days.by_root(0))
    grant_role(session, team, "steward", **days.by_root(0))
    for number in range(5):
        person = days.make.principal(f"person-{number}", "engineer", "approver")
        add_member(session, team, person, **days.by_root(0))
    whole = days.holdings(0)
    assert len({held.key for held in whole}) == len(whole) == 20
    found: list[Holding] = []
    while page := days.holdings(0, after=found[-1].key if found else None, limit=3):
        assert len(page) <= 3
        found += page
    assert found == whole
