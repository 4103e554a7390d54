"""Ways to have more than one voice where other people must approve."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from bailiwick.core.clock import ReplayClock
from bailiwick.lifecycle import Platform
from bailiwick.lineage import DatasetVersion
from bailiwick.registry import RegisteredModel
from support.api_world import World
from support.escapes import denied_by, founded


@pytest.fixture(scope="module")
def court(shared_platform: Platform) -> Iterator[World]:
    """Approvers, people who may be lent a voice, and data to learn from."""
    world = founded(shared_platform)
    world.join("owner", "approver").join("lender", "engineer", "approver")
    world.join("deputy", "engineer").join("third", "engineer")
    world.join("uncleared", "engineer", clearance="internal")
    world.join("machine", "service", kind="service")
    with world.platform.database.transaction() as session:
        make = world.factory(session)
        make.dataset_version(make.dataset(), rows=60)
    yield world
    world.client.close()


def request(world: World, *, by: str = "engineer", tier: str = "standard") -> str:
    """A version that passed its gates, and somebody asks for its approval."""
    with world.platform.database.transaction() as session:
        make = world.factory(session)
        number = session.scalar(select(func.count()).select_from(RegisteredModel))
        data = session.scalars(select(DatasetVersion)).first()
        assert data is not None
        model = make.model(f"voiced-{number}")
        make.model_version(model, data, risk_tier=tier)
    subject = {"type": "model-version", "model": f"finance/voiced-{number}", "version": 1}
    identifier: str = world.post("/approvals", {"subject": subject}, by=by).json()["id"]
    return identifier


def lend(world: World, to: str, *, by: str, days: float = 5, **changes: Any) -> Any:
    until = world.platform.clock.now() + timedelta(days=days)
    body = {"to": to, "namespace": "finance", "reason": "away", "until": until.isoformat()}
    return world.post("/delegations", body | changes, by=by)


def vote(world: World, asked: str, *, by: str, voice: str | None = None) -> Any:
    voice_id = {"voice_id": str(world.principals[voice].id)} if voice else {}
    return world.post(f"/approvals/{asked}/decide", {"approve": True} | voice_id, by=by)


def test_a_voice_used_by_its_owner_and_by_whom_it_was_lent_to(court: World) -> None:
    lent = lend(court, "deputy", by="owner").json()
    asked = request(court, tier="high")
    assert vote(court, asked, by="owner").json()["state"] == "open"
    assert vote(court, asked, by="deputy", voice="owner").status_code == 409
    court.ask("DELETE", f"/delegations/{lent['id']}", by="owner")


def test_one_person_with_their_own_voice_and_a_lent_one(court: World) -> None:
    lent = lend(court, "approver", by="owner").json()
    asked = request(court, tier="high")
    assert vote(court, asked, by="approver", voice="approver").json()["state"] == "open"
    assert vote(court, asked, by="approver", voice="owner").status_code == 409
    court.ask("DELETE", f"/delegations/{lent['id']}", by="owner")


def test_lending_on_what_one_was_lent(court: World) -> None:
    lent = lend(court, "deputy", by="owner").json()
    assert lend(court, "third", by="deputy").status_code == 403
    asked = request(court)
    assert vote(court, asked, by="third", voice="owner").status_code in {403, 409}
    court.ask("DELETE", f"/delegations/{lent['id']}", by="owner")


def test_deciding_about_ones_own_request_with_somebody_elses_voice(court: World) -> None:
    lent = lend(court, "deputy", by="owner").json()
    asked = request(court, by="deputy")
    assert denied_by(vote(court, asked, by="deputy", voice="owner")) == ["four-eyes"]
    court.ask("DELETE", f"/delegations/{lent['id']}", by="owner")


def test_lending_the_voice_of_the_one_who_asks(court: World) -> None:
    """Who asks does not answer through another."""
    lent = lend(court, "third", by="lender").json()
    asked = request(court, by="lender")
    assert denied_by(vote(court, asked, by="third", voice="lender")) == ["four-eyes"]
    court.ask("DELETE", f"/delegations/{lent['id']}", by="lender")


def test_a_voice_that_was_taken_back_or_is_over(court: World) -> None:
    lent = lend(court, "deputy", by="owner").json()
    asked = request(court)
    assert court.ask("DELETE", f"/delegations/{lent['id']}", by="owner").status_code == 204
    assert vote(court, asked, by="deputy", voice="owner").status_code in {403, 409}
    lend(court, "deputy", by="owner", days=1)
    clock = court.platform.clock
    assert isinstance(clock, ReplayClock)
    clock.advance_to(clock.now() + timedelta(days=1))
    assert vote(court, asked, by="deputy", voice="owner").status_code in {403, 409}


def test_a_voice_whose_owner_may_no_longer_use_it(court: World) -> None:
    court.join("passing", "approver").join("admin", "admin")
    lend(court, "third", by="passing")
    asked = request(court)
    path = "/principals/passing/roles/*/approver"
    assert court.ask("DELETE", path, by="admin").status_code == 204
    assert vote(court, asked, by="third", voice="passing").status_code == 403


def test_a_voice_of_somebody_who_was_disabled(court: World) -> None:
    court.join("absent", "approver").join("chief", "admin")
    lend(court, "third", by="absent")
    asked = request(court)
    assert court.post("/principals/absent/disable", by="chief").status_code == 200
    assert vote(court, asked, by="third", voice="absent").status_code == 403


def test_a_voice_in_a_namespace_where_it_was_not_lent(court: World) -> None:
    lent = lend(court, "deputy", by="owner", namespace="people").json()
    asked = request(court)
    assert vote(court, asked, by="deputy", voice="owner").status_code in {403, 409}
    court.ask("DELETE", f"/delegations/{lent['id']}", by="owner")


def test_a_voice_lent_to_somebody_who_may_not_see_what_is_decided(court: World) -> None:
    lent = lend(court, "uncleared", by="owner").json()
    asked = request(court)
    assert vote(court, asked, by="uncleared", voice="owner").status_code == 404
    court.ask("DELETE", f"/delegations/{lent['id']}", by="owner")


def test_a_voice_that_was_never_lent(court: World) -> None:
    asked = request(court)
    assert vote(court, asked, by="third", voice="approver").status_code in {403, 409}
    for by in ("engineer", "deputy", "steward"):
        assert lend(court, "third", by=by).status_code == 403
    assert lend(court, "machine", by="owner").status_code == 404


@pytest.mark.parametrize("days", [-1, 0, 400])
def test_a_voice_that_is_lent_for_ever_or_for_no_time(court: World, days: float) -> None:
    assert lend(court, "deputy", by="owner", days=days).status_code == 422
