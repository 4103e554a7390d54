"""Whom the API believes: JWTs of the provider, what they bring, and tokens that are wrong."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, func, select

from bailiwick.access import (
    Identity,
    OpenIdProvider,
    Principal,
    create_group,
    disable,
    find_group,
    find_principal,
    grant_role,
)
from bailiwick.access.keys import MIN_INTERVAL_SECONDS
from bailiwick.audit import AuditEvent
from bailiwick.core.clock import ReplayClock
from bailiwick.core.settings import Settings
from bailiwick.lifecycle import Platform
from support import api_bodies
from support.api_world import World
from support.oidc_provider import CLIENT, Person, Provider

METADATA = "https://bailiwick.test/.well-known/oauth-protected-resource"


@pytest.fixture
def settings(settings: Settings, provider: Provider) -> Settings:
    """An installation with single sign-on."""
    told = {"oidc_issuer": provider.issuer, "oidc_client_id": CLIENT}
    return settings.model_copy(update=told)


@pytest.fixture
def world(platform: Platform) -> Iterator[World]:
    """An installation with one engineer of its own."""
    made = World(platform)
    made.join("engineer", "engineer").join("admin", "admin")
    made.client.base_url = "https://bailiwick.test"
    yield made
    made.client.close()


def me(world: World, token: str) -> Any:
    return world.get("/me", by=None, headers={"Authorization": f"Bearer {token}"})


def people(world: World) -> int:
    with world.platform.database.reading() as session:
        return session.scalar(select(func.count()).select_from(Principal)) or 0


def map_group(world: World, name: str, claim: str, role: str) -> None:
    with world.platform.database.transaction() as session:
        make = world.factory(session)
        actor: dict[str, Any] = {"actor_id": make.root.id, "at": make.at}
        create_group(session, name, claim=claim, **actor)
        session.flush()
        grant_role(session, find_group(session, name), role, **actor)


def test_a_jwt_opens_the_api_to_a_person_who_was_not_known(
    world: World, provider: Provider
) -> None:
    answer = me(world, provider.token())
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["name"], told["kind"], told["clearance_level"]) == ("ada", "person", "public")
    assert opens(world, provider.token()) == 403


def test_reading_again_with_the_same_token_writes_nothing(world: World, provider: Provider) -> None:
    token = provider.token()
    me(world, token)
    before = people(world)
    written: list[str] = []

    def note(_c: object, _k: object, statement: str, *_: object) -> None:
        if statement.startswith(("INSERT", "UPDATE", "DELETE")):
            written.append(statement)

    event.listen(world.platform.database.engine, "before_cursor_execute", note)
    assert me(world, token).status_code == 200
    event.remove(world.platform.database.engine, "before_cursor_execute", note)
    assert (written, people(world)) == ([], before)


def test_a_group_that_moved_takes_its_rights_away_with_the_next_token_and_for_good(
    world: World, provider: Provider, clock: ReplayClock
) -> None:
    map_group(world, "ml", "ml-team", "engineer")
    provider.person.groups = ["ml-team"]
    old = provider.token()
    assert opens(world, old) == 200
    clock.advance_to(clock.now() + timedelta(minutes=1))
    provider.person.groups = []
    assert opens(world, provider.token()) == 403
    assert opens(world, old) == 403


def test_a_mapping_made_later_counts_from_the_next_token_on(
    world: World, provider: Provider, clock: ReplayClock
) -> None:
    provider.person.groups = ["ml-team"]
    me(world, provider.token())
    map_group(world, "ml", "ml-team", "engineer")
    clock.advance_to(clock.now() + timedelta(seconds=1))
    assert opens(world, provider.token()) == 200


def test_whoever_is_disabled_is_refused_with_every_token(
    world: World, provider: Provider, clock: ReplayClock
) -> None:
    old = provider.token()
    me(world, old)
    with world.platform.database.transaction() as session:
        root = world.principals["root"]
        disable(session, find_principal(session, "ada"), actor_id=root.id, at=clock.now())
    clock.advance_to(clock.now() + timedelta(seconds=1))
    for token in (old, provider.token()):
        answer = me(world, token)
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")


def test_a_name_of_ours_at_the_provider_gets_none_of_our_rights(
    world: World, provider: Provider
) -> None:
    provider.person = Person("x", "admin")
    token = provider.token()
    assert me(world, token).json()["name"] == "admin-2"
    assert world.get("/principals", by=None, headers=bearer(token)).status_code in {403, 404}


def test_a_write_is_the_persons_own(world: World, provider: Provider) -> None:
    map_group(world, "ml", "ml-team", "engineer")
    provider.person.groups = ["ml-team"]
    me(world, provider.token())
    with world.platform.database.transaction() as session:
        ada = find_principal(session, "ada")
        ada.clearance_level, ada.clearance_compartments = "confidential", ["finance"]
    body = api_bodies.model()
    answer = world.post("/models", body, by=None, headers=bearer(provider.token()))
    assert answer.status_code == 201, answer.text
    with world.platform.database.reading() as session:
        made = session.scalars(select(AuditEvent).where(AuditEvent.action == "model.created"))
        assert made.one().actor_id == ada.id


def test_two_first_requests_at_the_same_time_make_one_person(
    world: World, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = provider.token()
    admitted = "bailiwick.web.proofs.known_person"

    def meanwhile(*_: object) -> None:
        """Nobody yet; and then the other request is quicker."""
        monkeypatch.undo()
        assert me(world, token).status_code == 200

    monkeypatch.setattr(admitted, meanwhile)
    assert me(world, token).status_code == 200
    with world.platform.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Identity)) == 1


@pytest.mark.parametrize("claims", [{"aud": "payroll"}, {"iss": "https://elsewhere.test"}])
def test_a_wrong_jwt_is_told_where_to_sign_in(
    world: World, provider: Provider, claims: dict[str, Any]
) -> None:
    before = people(world)
    answer = me(world, provider.token(**claims))
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid-token")
    told = answer.headers["www-authenticate"]
    assert told == f'Bearer error="invalid_token", resource_metadata="{METADATA}"'
    assert people(world) == before


def test_whoever_brings_nothing_is_told_where_to_sign_in(world: World, provider: Provider) -> None:
    answer = world.get("/me", by=None)
    assert answer.headers["www-authenticate"] == f'Bearer resource_metadata="{METADATA}"'
    told = world.get("//.well-known/oauth-protected-resource", by=None).json()
    assert told == {
        "resource": "https://bailiwick.test",
        "resource_name": "Bailiwick",
        "bearer_methods_supported": ["header"],
        "authorization_servers": [provider.issuer],
        "audience": CLIENT,
        "client_id": CLIENT,
    }


def test_without_a_provider_the_metadata_name_none_and_a_jwt_is_a_wrong_token(
    world: World, provider: Provider
) -> None:
    world.app.state.platform = replace(world.platform, provider=None)
    told = world.get("//.well-known/oauth-protected-resource", by=None).json()
    assert set(told) == {"resource", "resource_name", "bearer_methods_supported"}
    assert me(world, provider.token()).status_code == 401


def test_while_the_provider_is_down_known_people_go_on_and_new_keys_are_unavailable(
    world: World, provider: Provider
) -> None:
    seconds = [0.0]
    ours = OpenIdProvider(world.platform.settings, monotonic=lambda: seconds[0])
    world.app.state.platform = replace(world.platform, provider=ours)
    token = provider.token()
    assert me(world, token).status_code == 200
    provider.down = True
    assert me(world, token).status_code == 200
    provider.rotate("second")
    seconds[0] += MIN_INTERVAL_SECONDS
    answer = me(world, provider.token())
    assert (answer.status_code, answer.json()["code"]) == (503, "identity-provider-unavailable")
    assert "retry-after" in answer.headers


def test_failing_tokens_are_slowed_and_right_ones_never(world: World, provider: Provider) -> None:
    right = provider.token()
    wrong = [provider.token(aud="payroll"), "bwk_wrong", "x.y.z"]
    answers = [me(world, wrong[number % 3]).status_code for number in range(60)]
    assert set(answers) == {401}
    slowed = me(world, wrong[0])
    assert (slowed.status_code, slowed.json()["code"]) == (429, "too-many-attempts")
    assert 0 < int(slowed.headers["retry-after"]) <= 300
    assert me(world, right).status_code == 200
    assert world.get("/me").status_code == 200
    assert world.get("/me", by=None).status_code == 401  # who brings nothing guesses nothing


def opens(world: World, token: str) -> int:
    """What asking for something that takes a role answers."""
    answer: int = world.get("//metrics", by=None, headers=bearer(token)).status_code
    return answer


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}
