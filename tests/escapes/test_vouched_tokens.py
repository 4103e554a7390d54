"""Ways to approve with the hands of others: a token that one made for them, and kept."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from bailiwick.access import Token
from bailiwick.audit import AuditEvent
from bailiwick.lifecycle import Platform
from bailiwick.lifecycle.platform import open_platform
from bailiwick.lineage import DatasetVersion
from bailiwick.registry import RegisteredModel
from bailiwick.web.sessions import COOKIE
from support.api_world import World
from support.escapes import denied_by, founded, with_console
from support.oidc_provider import CLIENT, Person, Provider

ORIGIN = {"origin": "http://testserver"}


@pytest.fixture(scope="module")
def provider(provider_server: Provider, shared_platform: Platform) -> Provider:
    """The provider with nothing in mind, by the installation's clock."""
    provider_server.begin_anew(shared_platform.clock)
    return provider_server


@pytest.fixture(scope="module")
def town(shared_platform: Platform) -> Iterator[World]:
    """An installation of tokens only, and administrators who approve as well."""
    world = founded(shared_platform)
    for name in ("chief", "vice"):
        world.join(name, "admin", "approver", "engineer")
    world.join("second", "approver").join("third", "approver").join("maker", "admin")
    with world.platform.database.transaction() as session:
        make = world.factory(session)
        make.dataset_version(make.dataset(), rows=60)
        # They came by their tokens themselves: these are nobody else's.
        for token in session.scalars(select(Token)):
            token.vouched_by = []
    yield world
    world.client.close()


@pytest.fixture(scope="module")
def city(town: World, provider: Provider) -> Iterator[World]:
    """The same installation, after single sign-on was configured."""
    told = {"oidc_issuer": provider.issuer, "oidc_client_id": CLIENT}
    settings = town.platform.settings.model_copy(update=told)
    opened = open_platform(settings, town.platform.clock)
    opened.database.close()
    world = with_console(World(replace(opened, database=town.platform.database)))
    world.tokens, world.principals = town.tokens, town.principals
    yield world
    world.client.close()


def request(world: World, *, by: str = "engineer", tier: str = "standard") -> str:
    """A version that passed its gates, and somebody asks for its approval."""
    with world.platform.database.transaction() as session:
        make = world.factory(session)
        number = session.scalar(select(func.count()).select_from(RegisteredModel))
        data = session.scalars(select(DatasetVersion)).first()
        assert data is not None
        make.model_version(make.model(f"vouched-{number}"), data, risk_tier=tier)
    subject = {"type": "model-version", "model": f"finance/vouched-{number}", "version": 1}
    identifier: str = world.post("/approvals", {"subject": subject}, by=by).json()["id"]
    return identifier


def given(world: World, owner: str, *, by: str) -> str:
    """A new token of the owner's, made by somebody; under which name the world knows it."""
    made = world.post("/tokens", {"principal": owner, "name": f"by {by}"}, by=by)
    assert made.status_code == 201, made.text
    world.tokens[f"{owner} by {by}"] = made.json()["token"]
    return f"{owner} by {by}"


def vote(world: World, asked: str, *, by: str, **more: Any) -> Any:
    return world.post(f"/approvals/{asked}/decide", {"approve": True, **more}, by=by)


def makers(answer: Any) -> list[list[str]]:
    """Who made the token of each answer."""
    assert answer.status_code == 200, answer.text
    return [given["vouched_by"] for given in answer.json()["votes"]]


@pytest.fixture
def world(installation: str, town: World, city: World) -> World:
    """One of the two installations."""
    return {"town": town, "city": city}[installation]


@pytest.mark.parametrize("own", ["first", "second"])
@pytest.mark.parametrize("installation", ["town", "city"])
def test_ones_own_answer_and_one_with_a_token_that_one_made(world: World, own: str) -> None:
    asked, made = request(world, tier="high"), given(world, "second", by="chief")
    voters = ["chief", made] if own == "first" else [made, "chief"]
    assert vote(world, asked, by=voters[0]).json()["state"] == "open"
    refused = vote(world, asked, by=voters[1])
    assert refused.status_code == 409
    assert "count as one person's" in refused.json()["detail"]
    assert vote(world, asked, by="third").json()["state"] == "approved"


def test_a_token_that_was_made_with_a_token_that_was_made(town: World) -> None:
    """Neither of those who could have made it answers beside it, by whichever hand it came."""
    first = given(town, "vice", by="chief")
    again = given(town, "vice", by=first)
    made = given(town, "second", by=again)
    for own in ("chief", "vice"):
        asked = request(town, tier="high")
        assert makers(vote(town, asked, by=made)) == [ids(town, "chief", "vice")]
        assert vote(town, asked, by=own).status_code == 409


def test_a_token_that_its_owner_made_with_one_that_was_made_for_them(town: World) -> None:
    town.join("pupil", "admin", "approver")
    made = given(town, "pupil", by="chief")
    washed = given(town, "pupil", by=made)
    asked = request(town, tier="high")
    assert makers(vote(town, asked, by=washed)) == [ids(town, "chief")]
    assert vote(town, asked, by="chief").status_code == 409


def test_a_voice_beside_a_token_that_its_owner_made(town: World) -> None:
    until = (town.platform.clock.now() + timedelta(days=5)).isoformat()
    body = {"to": "steward", "namespace": "finance", "reason": "away", "until": until}
    lent = town.post("/delegations", body, by="chief").json()["id"]
    made, voice = given(town, "second", by="chief"), {"voice_id": ids(town, "chief")[0]}
    asked = request(town, tier="high")
    assert vote(town, asked, by="steward", **voice).status_code == 200
    assert vote(town, asked, by=made).status_code == 409
    asked = request(town, tier="high")
    assert vote(town, asked, by=made).status_code == 200
    assert vote(town, asked, by="steward", **voice).status_code == 409
    assert town.ask("DELETE", f"/delegations/{lent}", by="chief").status_code == 204


def test_two_who_came_in_with_tokens_of_one_administrator(town: World) -> None:
    """How an installation without a provider starts; each answer names the administrator."""
    asked = request(town, tier="high")
    vote(town, asked, by=given(town, "second", by="maker"))
    answer = vote(town, asked, by=given(town, "third", by="maker"))
    assert answer.json()["state"] == "approved"
    assert makers(answer) == [ids(town, "maker"), ids(town, "maker")]
    with town.platform.database.reading() as session:
        noted = session.scalars(
            select(AuditEvent).where(
                AuditEvent.action == "approval.decided", AuditEvent.subject_id == asked
            )
        ).all()
    told = [json.loads(one.body)["details"]["vouched_by"] for one in noted]
    assert told == [ids(town, "maker"), ids(town, "maker")]


def test_a_token_that_who_asked_has_made(town: World, city: World) -> None:
    made = given(town, "second", by="chief")
    asked = request(city, by="chief")
    assert denied_by(vote(city, asked, by=made)) == ["voucher-never-approves"]
    assert makers(vote(town, asked, by=made)) == [ids(town, "chief")], "no other way to come in"


def test_a_browser_that_was_signed_in_with_such_a_token(town: World, city: World) -> None:
    made, asked = given(town, "second", by="chief"), request(town, by="chief")
    for world, status in ((city, 403), (town, 303)):
        world.client.cookies.clear()
        world.client.post("/console/sign-in", data={"token": world.tokens[made]}, headers=ORIGIN)
        assert world.client.cookies.get(COOKIE)
        path = f"/console/approvals/{asked}/decide"
        answer = world.client.post(path, data={"answer": "approve"}, headers=ORIGIN)
        assert answer.status_code == status, answer.text
    page = town.client.get("/console/approvals").text
    assert "with a token that chief made" in page
    town.client.cookies.clear()


def test_who_signs_in_by_themselves_is_believed(city: World, provider: Provider) -> None:
    """An administrator has made a token for them, too: it proves nothing about this answer."""
    provider.person = Person(subject="s9", username="signed")
    city.tokens["signed"] = provider.token()
    assert city.get("/me", by="signed").status_code == 200
    cleared = {"clearance_level": "restricted", "clearance_compartments": ["finance"]}
    city.patch("/principals/signed", cleared, by="chief")
    role = {"role": "approver", "namespace": "*"}
    assert city.post("/principals/signed/roles", role, by="maker").status_code < 300
    asked, made = request(city, by="chief"), given(city, "signed", by="chief")
    assert denied_by(vote(city, asked, by=made)) == ["voucher-never-approves"]
    assert makers(vote(city, asked, by="signed")) == [[]]


def ids(world: World, *names: str) -> list[str]:
    return sorted(str(world.principals[name].id) for name in names)
