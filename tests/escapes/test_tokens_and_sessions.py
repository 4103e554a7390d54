"""Ways to get in with a token, a session or a key that should no longer open, or not that far."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient

from bailiwick.cli.application import listen, serving_in_background
from bailiwick.core.clock import ReplayClock
from bailiwick.lifecycle import Platform
from support import api_bodies
from support.api_world import World
from support.escapes import denied_by, founded, made

SITE = "https://vault.test"


@pytest.fixture(scope="module")
def town(shared_platform: Platform) -> Iterator[World]:
    """An administrator who makes tokens, and a model to read."""
    world = founded(shared_platform)
    world.join("admin", "admin")
    made(world, "/models", "finance/coder")
    made(world, "/models", "people/coder")
    yield world
    world.client.close()


@pytest.fixture
def browser(town: World) -> Iterator[TestClient]:
    """Somebody in front of the console."""
    headers = {"origin": SITE}
    with TestClient(town.app, base_url=SITE, follow_redirects=False, headers=headers) as client:
        yield client


def token(world: World, owner: str, name: str, *, by: str = "admin", **terms: Any) -> Any:
    """Ask for a token of the owner's; it is known as `name` from then on."""
    answer = world.post("/tokens", {"principal": owner, "name": name} | terms, by=by)
    if answer.status_code == 201:
        world.tokens[name] = answer.json()["token"]
    return answer


def enter(browser: TestClient, secret: str) -> None:
    """Sign in with an API token."""
    answer = browser.post("/console/sign-in", data={"token": secret})
    assert answer.status_code == 303, answer.text


# ---- Tokens --------------------------------------------------------------------------------


def test_a_token_that_was_revoked(town: World) -> None:
    made_token = token(town, "engineer", "revoked").json()
    assert town.get("/models", by="revoked").status_code == 200
    assert town.ask("DELETE", f"/tokens/{made_token['id']}", by="admin").status_code == 204
    assert town.get("/models", by="revoked").status_code == 401


def test_a_token_after_its_end(town: World) -> None:
    clock = town.platform.clock
    assert isinstance(clock, ReplayClock)
    end = clock.now() + timedelta(hours=1)
    token(town, "engineer", "brief", expires_at=end.isoformat())
    assert town.get("/models", by="brief").status_code == 200
    clock.advance_to(end)
    assert town.get("/models", by="brief").status_code == 401


@pytest.mark.parametrize("change", ["lower", "cut", "longer", "prefix", "spaced", "basic", "none"])
def test_a_token_that_is_almost_right(town: World, change: str) -> None:
    right = town.tokens["engineer"]
    wrong = {
        "lower": f"Bearer {right.lower()}",
        "cut": f"Bearer {right[:-1]}",
        "longer": f"Bearer {right}A",
        "prefix": f"Bearer {right.removeprefix('bwk_')}",
        "spaced": f"Bearer {right[:20]} {right[20:]}",
        "basic": f"Basic {right}",
        "none": "Bearer ",
    }[change]
    answer = town.get("/models", by=None, headers={"Authorization": wrong})
    assert answer.status_code == 401
    assert right not in answer.text


@pytest.mark.parametrize("place", ["query", "cookie", "body", "header"])
def test_a_token_in_another_place(town: World, place: str) -> None:
    secret = town.tokens["engineer"]
    options: dict[str, dict[str, Any]] = {
        "query": {"params": {"access_token": secret, "token": secret}},
        "cookie": {"headers": {"Cookie": f"bailiwick_session={secret}; token={secret}"}},
        "body": {"json": {"access_token": secret}},
        "header": {"headers": {"X-Api-Key": secret, "X-Auth-Token": secret, "Token": secret}},
    }
    for path in ("/models", "//console/models"):
        assert town.get(path, by=None, **options[place]).status_code in {401, 303}


def test_a_token_for_less_than_its_owner_may_do(town: World) -> None:
    town.join("rich", "engineer", "steward", "approver", "admin")
    token(town, "rich", "predict-only", scopes=["predict"])
    token(town, "rich", "read-only", scopes=["read"])
    assert denied_by(town.post("/models", api_bodies.model("x"), by="read-only")) == ["token-scope"]
    body = {"name": "x", "kind": "person"}
    assert town.post("/principals", body, by="read-only").status_code == 404
    assert town.get("/models/finance/coder", by="predict-only").status_code == 404
    assert town.get("/models/finance/coder", by="read-only").status_code == 200
    for by in ("predict-only", "read-only"):
        assert town.post("/tokens", {"principal": "rich", "name": "y"}, by=by).status_code == 404


def test_a_token_for_one_namespace(town: World) -> None:
    town.join("wide", "engineer", "admin")
    token(town, "wide", "finance-only", namespaces=["finance"])
    assert town.get("/models/finance/coder", by="finance-only").status_code == 200
    assert town.get("/models/people/coder", by="finance-only").status_code == 404
    items = town.get("/models?limit=500", by="finance-only").json()["items"]
    assert {item["namespace"] for item in items} == {"finance"}
    body = {"name": "x", "kind": "person"}
    assert town.post("/principals", body, by="finance-only").status_code == 404
    beyond = api_bodies.model("x", namespace="people")
    assert town.post("/models", beyond, by="finance-only").status_code == 404


def test_a_narrow_token_that_makes_a_wider_one(town: World) -> None:
    town.join("issuer", "admin")
    end = (town.platform.clock.now() + timedelta(days=1)).isoformat()
    token(town, "issuer", "narrow", scopes=["administer", "read"], expires_at=end)
    for terms in (
        {},
        {"scopes": ["administer", "read", "content"], "expires_at": end},
        {"scopes": ["administer", "read"]},  # for longer
        {"scopes": ["administer", "read"], "expires_at": None},
        {"scopes": None, "expires_at": end},
    ):
        answer = token(town, "issuer", "wider", by="narrow", **terms)
        assert answer.status_code == 403, terms
    assert "wider" not in town.tokens


def test_a_narrow_token_that_gives_itself_a_password(town: World) -> None:
    """With a password one would sign in to all that the token was not made for."""
    town.join("locked", "admin")
    token(town, "locked", "small", scopes=["administer"])
    body = {"new_password": "a long enough password"}
    for path in ("/me/password", "/principals/locked/password"):
        assert town.post(path, body, by="small").status_code in {403, 409}


def test_reading_a_token_again(town: World) -> None:
    made_token = token(town, "engineer", "once").json()
    secret = made_token["token"]
    listed = town.get("/tokens?limit=500", by="admin").text
    assert made_token["id"] in listed
    assert secret not in listed
    assert secret not in town.get("/audit/events?limit=500", by="admin").text
    with town.platform.database.engine.connect() as connection:
        stored = connection.exec_driver_sql("SELECT * FROM tokens").all()
    assert secret not in str(stored)


# ---- Keys of retries -----------------------------------------------------------------------


def test_somebody_elses_idempotency_key(town: World) -> None:
    town.join("peeper", "engineer", namespace="people")
    key = {"Idempotency-Key": "shared"}
    body = api_bodies.model("keyed", description="what the engineer wrote")
    first = town.post("/models", body, headers=key)
    assert first.status_code == 201
    theirs = town.post("/models", body, headers=key, by="peeper")
    assert theirs.status_code == 404
    assert "Idempotent-Replay" not in theirs.headers


def test_a_kept_answer_after_the_right_to_it_is_gone(town: World) -> None:
    town.join("former", "engineer")
    key = {"Idempotency-Key": "before"}
    body = api_bodies.model("kept", description="what only engineers read")
    assert town.post("/models", body, headers=key, by="former").status_code == 201
    path = "/principals/former/roles/*/engineer"
    assert town.ask("DELETE", path, by="admin").status_code == 204
    again = town.post("/models", body, headers=key, by="former")
    assert again.status_code == 409
    assert again.json()["code"] == "idempotency-key-reused"
    assert "only engineers" not in again.text


def test_a_kept_answer_with_a_token_that_is_for_less(town: World) -> None:
    town.join("owner", "engineer")
    token(town, "owner", "limited", scopes=["predict"])
    key = {"Idempotency-Key": "full"}
    body = api_bodies.model("limited", description="what the full token wrote")
    assert town.post("/models", body, headers=key, by="owner").status_code == 201
    again = town.post("/models", body, headers=key, by="limited")
    assert again.status_code == 409
    assert "full token" not in again.text


# ---- Sessions ------------------------------------------------------------------------------


def test_a_cookie_after_signing_out(town: World, browser: TestClient) -> None:
    enter(browser, town.tokens["engineer"])
    jar = dict(browser.cookies)
    assert browser.get("/console/models").status_code == 200
    assert browser.post("/console/sign-out").status_code == 303
    browser.cookies.clear()
    headers = {"cookie": "; ".join(f"{name}={value}" for name, value in jar.items())}
    assert jar
    assert browser.get("/console/models", headers=headers).status_code == 303


def test_a_session_whose_token_was_revoked(town: World, browser: TestClient) -> None:
    made_token = token(town, "engineer", "opener").json()
    enter(browser, made_token["token"])
    assert browser.get("/console/models").status_code == 200
    town.ask("DELETE", f"/tokens/{made_token['id']}", by="admin")
    assert browser.get("/console/models").status_code == 303


def test_a_session_that_outlives_its_token(town: World, browser: TestClient) -> None:
    clock = town.platform.clock
    assert isinstance(clock, ReplayClock)
    end = clock.now() + timedelta(minutes=30)
    made_token = token(town, "engineer", "half-hour", expires_at=end.isoformat()).json()
    enter(browser, made_token["token"])
    assert browser.get("/console/models").status_code == 200
    clock.advance_to(end)
    assert browser.get("/console/models").status_code == 303


def test_a_session_that_was_opened_with_a_narrow_token(town: World, browser: TestClient) -> None:
    town.join("double", "approver", "engineer")
    secret = token(town, "double", "narrow-door", namespaces=["people"]).json()["token"]
    enter(browser, secret)
    assert "people/coder" in browser.get("/console/models").text
    assert "finance/coder" not in browser.get("/console/models").text
    assert browser.get("/console/models/finance/coder").status_code == 404


def test_a_session_of_somebody_who_was_disabled(town: World, browser: TestClient) -> None:
    town.join("dismissed", "engineer")
    enter(browser, town.tokens["dismissed"])
    assert browser.get("/console").status_code == 200
    assert town.post("/principals/dismissed/disable", by="admin").status_code == 200
    assert browser.get("/console").status_code == 303


@pytest.mark.parametrize(
    "origin", ["https://evil.test", "null", "http://vault.test", SITE + ".evil.test", None]
)
def test_a_form_that_another_site_sends(
    town: World, browser: TestClient, origin: str | None
) -> None:
    """Also the same host by another scheme, and a host that begins alike."""
    enter(browser, town.tokens["approver"])
    headers = {"origin": origin} if origin is not None else {}
    del browser.headers["origin"]
    answer = browser.post(
        "/console/approvals/x/decide", data={"answer": "approve"}, headers=headers
    )
    assert answer.status_code == 403
    assert browser.post("/console/sign-out", headers=headers).status_code == 403
    assert browser.get("/console").status_code == 200, "and the session stands"


def test_the_api_with_the_consoles_cookie(town: World, browser: TestClient) -> None:
    """The API takes tokens: a page of another site that reaches it brings none."""
    enter(browser, town.tokens["engineer"])
    assert browser.get("/api/v1/models").status_code == 401
    for origin in (SITE, "https://evil.test"):
        answer = browser.post(
            "/api/v1/models", json=api_bodies.model("x"), headers={"origin": origin}
        )
        assert answer.status_code in {401, 403}


def test_a_cookie_that_was_put_there_before_signing_in(town: World, browser: TestClient) -> None:
    """Whoever plants a session id in a browser does not share the session that follows."""
    planted = "planted-by-somebody-else"
    for name in ("bailiwick_session", "__Host-bailiwick_session"):
        browser.cookies.set(name, planted)
    enter(browser, town.tokens["engineer"])
    browser.cookies.clear()
    for name in ("bailiwick_session", "__Host-bailiwick_session"):
        headers = {"cookie": f"{name}={planted}"}
        assert browser.get("/console/models", headers=headers).status_code == 303


def test_trying_tokens_from_ever_other_addresses_by_a_header(town: World) -> None:
    """A real server, for it is the server that reads who calls."""
    listener = listen("127.0.0.1", 0)
    port = listener.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    with serving_in_background(town.app, listener), httpx.Client(base_url=url) as client:
        seen = [
            client.post(
                "/console/sign-in",
                data={"token": f"wrong-{attempt}"},
                headers={
                    "origin": url,
                    "X-Forwarded-For": f"10.0.0.{attempt}",
                    "Forwarded": "for=10.1.1.1",
                },
            ).status_code
            for attempt in range(40)
        ]
    assert seen[0] == 401
    assert seen[-1] == 429


def test_being_sent_to_another_site_after_signing_in(town: World, browser: TestClient) -> None:
    for path in (
        "https://evil.test",
        "//evil.test",
        "/\\evil.test",
        "/console@evil.test",
        "javascript:1",
    ):
        answer = browser.post(
            "/console/sign-in", data={"token": town.tokens["engineer"], "next": path}
        )
        assert answer.headers["location"] == "/console"
