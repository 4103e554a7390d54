"""Ways to get past the people who must approve."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from bailiwick.core.clock import ReplayClock
from bailiwick.lifecycle import Platform
from bailiwick.lineage import DatasetVersion
from bailiwick.registry import RegisteredModel, find_model
from support.api_world import World
from support.escapes import denied_by, founded

ORIGIN = {"origin": "http://testserver"}


@pytest.fixture(scope="module")
def court(shared_platform: Platform) -> Iterator[World]:
    """A team in which some hold more than one role, and data to learn from."""
    world = founded(shared_platform)
    world.join("second", "approver").join("third", "approver").join("admin", "admin")
    world.join("both", "engineer", "approver").join("other", "engineer", "approver")
    world.join("machine", "service", "approver", "engineer", kind="service")
    world.join("overseer", "auditor", "approver").join("mighty", "admin", "auditor")
    world.join("foreign", "approver", namespace="people")
    world.join("uncleared", "approver", clearance="internal")
    with world.platform.database.transaction() as session:
        make = world.factory(session)
        make.dataset_version(make.dataset(), rows=60)
    yield world
    world.client.close()


@dataclass
class Case:
    """A version that passed its gates and waits for people."""

    world: World
    model: str

    def asked(self, *, by: str = "engineer", version: int = 1) -> str:
        """Ask for approval; the request's id."""
        subject = {"type": "model-version", "model": self.model, "version": version}
        answer = self.world.post("/approvals", {"subject": subject}, by=by)
        assert answer.status_code == 201, answer.text
        identifier: str = answer.json()["id"]
        return identifier

    def decide(self, request: str, *, by: str = "approver", approve: bool = True) -> Any:
        """Answer it."""
        body = {"approve": approve}
        return self.world.post(f"/approvals/{request}/decide", body, by=by)

    def promote(self, version: int = 1, *, by: str = "engineer") -> Any:
        """Point `champion` at the version."""
        body = {"version": version, "reason": "x"}
        return self.world.ask("PUT", f"/models/{self.model}/aliases/champion", by=by, json=body)

    def another(self, *, trained_by: str = "engineer", accuracy: float = 0.8) -> None:
        """The next version."""
        with self.world.platform.database.transaction() as session:
            make = self.world.factory(session)
            data = session.scalars(select(DatasetVersion)).first()
            assert data is not None
            trainer = session.merge(self.world.principals[trained_by])
            model = find_model(session, *self.model.split("/"))
            make.model_version(model, data, trained_by=trainer, accuracy=accuracy)


@pytest.fixture
def case(court: World) -> Case:
    """A case of the test's own."""
    with court.platform.database.transaction() as session:
        make = court.factory(session)
        number = session.scalar(select(func.count()).select_from(RegisteredModel))
        model = make.model(f"case-{number}")
    found = Case(court, f"finance/{model.name}")
    found.another()
    return found


def test_promoting_without_asking_anybody(case: Case) -> None:
    for by in ("engineer", "both", "admin", "robot"):
        assert denied_by(case.promote(by=by)) == ["promotion-needs-approvals"]


def test_approving_what_one_has_asked_for(case: Case) -> None:
    request = case.asked(by="both")
    assert denied_by(case.decide(request, by="both")) == ["four-eyes"]
    assert denied_by(case.promote(by="both")) == ["promotion-needs-approvals"]


def test_approving_what_one_has_trained_and_somebody_else_asked_for(case: Case) -> None:
    case.another(trained_by="both")
    request = case.asked(version=2)
    assert denied_by(case.decide(request, by="both")) == ["four-eyes"]


def test_approving_as_a_service(case: Case) -> None:
    assert "services-never-approve" in denied_by(case.decide(case.asked(), by="machine"))


def test_deciding_as_an_administrator(case: Case) -> None:
    assert case.decide(case.asked(), by="admin").status_code == 403


def test_deciding_as_an_auditor_who_also_approves(case: Case) -> None:
    assert denied_by(case.decide(case.asked(), by="overseer")) == ["auditors-only-read"]


def test_an_administrator_who_is_also_an_auditor(case: Case) -> None:
    world = case.world
    body = {"name": "puppet", "kind": "person"}
    assert denied_by(world.post("/principals", body, by="mighty")) == ["auditors-only-read"]
    assert denied_by(case.promote(by="mighty")) == [
        "auditors-only-read",
        "promotion-needs-approvals",
    ]


def test_an_approver_of_another_namespace_or_with_less_clearance(case: Case) -> None:
    request = case.asked()
    for by in ("foreign", "uncleared"):
        assert case.decide(request, by=by).status_code == 404


def test_two_answers_of_one_person_under_two_tokens(case: Case) -> None:
    """The risk tier `high` asks for two people."""
    strict = two_needed(case)
    world = case.world
    assert case.decide(strict).json()["state"] == "open"
    token = world.post("/tokens", {"principal": "approver", "name": "second"}, by="admin").json()
    first, world.tokens["approver"] = world.tokens["approver"], token["token"]
    again = case.decide(strict)
    assert again.status_code == 409
    page = world.post(
        f"//console/approvals/{strict}/decide",
        by="approver",
        data={"answer": "approve"},
        headers=ORIGIN,
    )
    assert page.status_code == 409
    world.tokens["approver"] = first
    assert world.get(f"/approvals/{strict}").json()["state"] == "open"
    assert case.decide(strict, by="second").json()["state"] == "approved"


def test_two_requests_for_the_same_thing_each_with_half_of_the_answers(case: Case) -> None:
    first = two_needed(case)
    assert case.decide(first).json()["state"] == "open"
    assert case.asked(by="other", version=2) == first, "an open request is the one that stands"
    assert denied_by(case.promote(2)) == ["promotion-needs-approvals"]


def two_needed(case: Case) -> str:
    """A request that needs two answers."""
    with case.world.platform.database.transaction() as session:
        make = case.world.factory(session)
        model = find_model(session, *case.model.split("/"))
        data = session.scalars(select(DatasetVersion)).first()
        assert data is not None
        version = make.model_version(model, data, risk_tier="high")
        number = version.number
    return case.asked(version=number)


def test_an_approval_of_one_version_for_another(case: Case) -> None:
    case.another()
    case.decide(case.asked(version=1))
    assert denied_by(case.promote(2)) == ["promotion-needs-approvals"]
    assert case.promote(1).status_code == 200


def test_an_approval_after_its_deadline(case: Case) -> None:
    request = case.asked()
    case.decide(request)
    clock = case.world.platform.clock
    assert isinstance(clock, ReplayClock)
    clock.advance_to(clock.now() + timedelta(days=15))
    assert denied_by(case.promote()) == ["promotion-needs-approvals"]


def test_answering_after_the_deadline(case: Case) -> None:
    request = case.asked()
    clock = case.world.platform.clock
    assert isinstance(clock, ReplayClock)
    clock.advance_to(clock.now() + timedelta(days=15))
    assert case.decide(request).status_code == 409
    assert case.world.get(f"/approvals/{request}").json()["state"] != "approved"


def test_turning_a_no_into_a_yes(case: Case) -> None:
    request = case.asked()
    assert case.decide(request, approve=False).json()["state"] == "rejected"
    assert case.decide(request, by="second").status_code == 409
    assert denied_by(case.promote()) == ["promotion-needs-approvals"]


@pytest.mark.parametrize("value", ["approve", 1, None, "yes", {"approve": True}])
def test_an_answer_that_is_neither_yes_nor_no(case: Case, value: Any) -> None:
    request = case.asked()
    answer = case.world.post(f"/approvals/{request}/decide", {"approve": value}, by="approver")
    state = case.world.get(f"/approvals/{request}").json()["state"]
    assert (answer.status_code, state) in {(422, "open"), (200, "approved")}
    assert answer.status_code == 422 or value in (1, "yes"), "what reads as yes, is yes"


def test_a_version_that_failed_its_gates(case: Case) -> None:
    case.another(accuracy=0.2)
    subject = {"type": "model-version", "model": case.model, "version": 2}
    assert case.world.post("/approvals", {"subject": subject}).status_code == 409
    assert "promotion-needs-gates" in denied_by(case.promote(2))


def test_other_ways_to_move_a_pointer(case: Case) -> None:
    world = case.world
    for method, path, body in (
        ("PUT", "aliases/challenger", {"version": 1, "reason": "x"}),
        ("PUT", "aliases/Champion", {"version": 1, "reason": "x"}),
        ("PUT", "aliases/champion%20", {"version": 1, "reason": "x"}),
        ("POST", "aliases/champion", {"version": 1, "reason": "x"}),
        ("PATCH", "aliases/champion", {"version": 1, "reason": "x"}),
        ("DELETE", "aliases/champion", {}),
        ("PATCH", "", {"description": "x", "aliases": {"champion": 1}}),
        ("PATCH", "versions/1", {"label": "x"}),
        ("POST", "versions", {"manifest": []}),
    ):
        answer = world.ask(
            method, f"/models/{case.model}/{path}".rstrip("/"), by="engineer", json=body
        )
        assert answer.status_code in {404, 405, 422}, (method, path)
    assert world.get(f"/models/{case.model}").json()["aliases"] == {"challenger": 1}
    assert world.get(f"/models/{case.model}/aliases/champion").status_code == 404


def test_rolling_back_to_what_has_never_been_champion(case: Case) -> None:
    case.another()
    path = f"/models/{case.model}/aliases/champion/rollback"
    assert case.world.post(path, {"reason": "x"}).status_code == 409
    case.decide(case.asked(version=1))
    assert case.promote(1).status_code == 200
    assert case.world.post(path, {"reason": "x"}).status_code == 409


def test_deploying_what_nobody_has_approved(case: Case) -> None:
    world = case.world
    place = {
        "name": "ledger",
        "zone": "eu",
        "clearance_level": "restricted",
        "clearance_compartments": ["finance"],
    }
    assert world.post("/environments", place, by="admin").status_code == 201
    wanted = {"namespace": "finance", "name": "out", "model": case.model}
    wanted |= {"environment": "ledger", "purpose": "accounting"}
    for pinned in ({}, {"pinned_version": 1}):
        answer = world.post("/deployments", wanted | pinned)
        assert answer.status_code == 409
        assert "champion" in answer.json()["detail"]


def test_a_lower_risk_tier_than_the_champions(case: Case) -> None:
    """Whoever orders a training names its tier, and so how many people must approve."""
    request = two_needed(case)
    number = case.world.get(f"/models/{case.model}/versions").json()["items"][0]["number"]
    for by in ("approver", "second"):
        case.decide(request, by=by)
    assert case.promote(number).status_code == 200
    case.another()
    case.decide(case.asked(version=number + 1))
    answer = case.promote(number + 1)
    assert answer.status_code == 409
    assert "risk_tier high" in answer.json()["detail"]


def test_approving_with_a_token_that_is_not_for_it(case: Case) -> None:
    request = case.asked()
    world = case.world
    body = {"principal": "approver", "name": "narrow", "scopes": ["read", "content", "operate"]}
    kept, world.tokens["approver"] = (
        world.tokens["approver"],
        world.post("/tokens", body, by="admin").json()["token"],
    )
    assert denied_by(case.decide(request)) == ["token-scope"]
    world.tokens["approver"] = kept
