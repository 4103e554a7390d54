"""Ways to be believed with a token that the identity provider never gave, or not for this."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from bailiwick.access import OpenIdProvider
from bailiwick.lifecycle import Platform
from support.api_world import World
from support.escapes import founded, made
from support.oidc_provider import CLIENT, Person, Provider, new_key


@pytest.fixture(scope="module")
def provider(provider_server: Provider, shared_platform: Platform) -> Provider:
    """The provider with nothing in mind, by the installation's clock."""
    provider_server.begin_anew(shared_platform.clock)
    return provider_server


@pytest.fixture(scope="module")
def town(shared_platform: Platform, provider: Provider) -> Iterator[World]:
    """A group that the provider knows as `ml`, and something that its members may read."""
    told = {"oidc_issuer": provider.issuer, "oidc_client_id": CLIENT}
    settings = shared_platform.settings.model_copy(update=told)
    world = founded(
        replace(shared_platform, settings=settings, provider=OpenIdProvider.of(settings))
    )
    world.join("admin", "admin")
    made(world, "/models", "finance/coder")
    world.post("/groups", {"name": "crew", "claim": "ml"}, by="admin")
    world.post("/groups/crew/roles", {"role": "engineer"}, by="admin")
    yield world
    world.client.close()


def reads(world: World, token: str) -> int:
    """What the holder of the token is answered about the model, which is public to no stranger."""
    headers = {"Authorization": f"Bearer {token}"}
    status: int = world.get("/models/finance/coder", by=None, headers=headers).status_code
    return status


def listed(world: World, token: str) -> Any:
    headers = {"Authorization": f"Bearer {token}"}
    return world.get("/models", by=None, headers=headers).json().get("items")


def test_claims_of_a_token_that_is_for_something_else(town: World, provider: Provider) -> None:
    for claims in (
        {"iss": "https://evil.test"},
        {"aud": "another-service"},
        {"exp": 1},
        {"exp": None},
        {"sub": None},
        {"nbf": 4_000_000_000},
    ):
        assert reads(town, provider.token(**claims)) == 401, claims


def test_a_token_that_the_provider_did_not_sign(town: World, provider: Provider) -> None:
    own = Provider(provider.issuer, provider.clock)
    own.keys = [new_key(provider.keys[0].kid or "")]
    assert reads(town, own.token()) == 401, "by a key of the same name"
    header, payload, signature = provider.token().split(".")
    for forged in ("", f"{signature[:-4]}AAAA", signature.swapcase()):
        assert reads(town, f"{header}.{payload}.{forged}") == 401
    assert reads(town, provider.id_token(aud="another-app")) == 401, "of another client"


def test_somebody_who_is_called_like_our_administrator(town: World, provider: Provider) -> None:
    provider.person = Person(subject="stranger", username="admin")
    token = provider.token()
    headers = {"Authorization": f"Bearer {token}"}
    me = town.get("/me", by=None, headers=headers).json()
    assert me["id"] != str(town.principals["admin"].id)
    assert me["roles"] == []
    assert me["clearance_level"] == "public"


def test_a_group_that_the_provider_says_somebody_is_in(town: World, provider: Provider) -> None:
    """Roles come with the group; clearance is given by people, so that it opens nothing yet."""
    provider.person = Person(subject="s1", username="ada", groups=["ml"])
    assert reads(town, provider.token()) == 404
    town.patch(
        "/principals/ada",
        {"clearance_level": "confidential", "clearance_compartments": ["finance"]},
        by="admin",
    )
    assert reads(town, provider.token()) == 200


def test_a_token_from_before_the_group_was_left(town: World, provider: Provider) -> None:
    provider.person = Person(subject="s2", username="bob", groups=["ml"])
    old = provider.token()
    reads(town, old)
    cleared = {"clearance_level": "confidential", "clearance_compartments": ["finance"]}
    town.patch("/principals/bob", cleared, by="admin")
    assert reads(town, old) == 200
    town.platform.clock.advance_to(  # type: ignore[attr-defined]  # a replay's clock
        town.platform.clock.now().replace(second=30)
    )
    provider.person.groups = []
    assert reads(town, provider.token()) == 404
    assert reads(town, old) == 404, "the newest word counts, not the best"


def test_a_claim_that_another_group_takes_over(town: World, provider: Provider) -> None:
    """Who came in by the old meaning of a word is not in by the new one, nor the other way."""
    town.post("/groups", {"name": "band", "claim": "data"}, by="admin")
    town.post("/groups/band/roles", {"role": "engineer"}, by="admin")
    provider.person = Person(subject="s3", username="cyd", groups=["data"])
    cleared = {"clearance_level": "confidential", "clearance_compartments": ["finance"]}
    reads(town, provider.token())
    town.patch("/principals/cyd", cleared, by="admin")
    assert reads(town, provider.token()) == 200
    taken = town.post("/groups", {"name": "other", "claim": "data"}, by="admin")
    assert taken.status_code == 409
    town.patch("/groups/band", {"claim": "data-science"}, by="admin")
    assert reads(town, provider.token()) == 404
    assert town.post("/groups", {"name": "other", "claim": "data"}, by="admin").status_code == 201
    assert reads(town, provider.token()) == 404
    assert listed(town, provider.token()) == []


def test_a_disabled_person_whom_the_provider_still_knows(town: World, provider: Provider) -> None:
    provider.person = Person(subject="s4", username="dee", groups=["ml"])
    reads(town, provider.token())
    assert town.post("/principals/dee/disable", by="admin").status_code == 200
    assert reads(town, provider.token()) == 401
    assert reads(town, provider.token(jti="again")) == 401
