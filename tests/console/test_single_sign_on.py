"""Through the provider and back, against a real one; and what comes back that should not."""

from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import func, select

from bailiwick.access import Principal, create_group, find_principal, grant_role, issue_token
from bailiwick.core.clock import ReplayClock
from bailiwick.core.settings import Settings
from bailiwick.lifecycle import Platform
from bailiwick.serving import Gateway
from bailiwick.web.pending_sign_ins import MAX_STARTS
from bailiwick.web.tables import ConsoleSession
from console.story import sign_in
from factories import Factory
from support.applications import application_of
from support.oidc_provider import CLIENT, Person, Provider

START, BACK = "/console/sign-in/provider", "/console/sign-in/callback"
SESSION, PENDING = "__Host-bailiwick_session", "__Host-bailiwick_sign_in"


@pytest.fixture
def settings(settings: Settings, provider: Provider) -> Settings:
    """An installation with single sign-on."""
    told = {"oidc_issuer": provider.issuer, "oidc_client_id": CLIENT}
    return settings.model_copy(update=told)


@pytest.fixture
def root(platform: Platform) -> str:
    """The first admin's token, in an installation that has a group which the provider knows."""
    with platform.database.transaction() as session:
        make = Factory(session, platform)
        by: dict[str, Any] = {"actor_id": make.root.id, "at": make.at}
        group = create_group(session, "ml", claim="ml-team", **by)
        grant_role(session, group, "auditor", **by)
        return issue_token(session, make.root, "test", **by)[1]


@pytest.fixture
def app(platform: Platform, root: str) -> FastAPI:
    """The application."""
    assert root
    return application_of(platform, Gateway("http://127.0.0.1:9", ""))


def begin(browser: TestClient, query: str = "") -> str:
    """Where the provider sends the browser back to."""
    sent = browser.get(START + query)
    assert sent.status_code == 303, sent.text
    answer = httpx.get(sent.headers["location"])
    assert answer.status_code == 302, answer.text
    return answer.headers["location"]


def people(platform: Platform) -> set[str]:
    with platform.database.reading() as session:
        return set(session.scalars(select(Principal.name)))


def test_the_way_through_the_provider_ends_on_the_page_that_was_wanted(
    browser: TestClient, provider: Provider, platform: Platform
) -> None:
    provider.person.groups = ["ml-team"]
    back = begin(browser, "?next=/console/audit")
    assert back.startswith(f"https://console.test{BACK}?")
    arrived = browser.get(back)
    # Not a redirect: the strict cookie would not go along with one that another site began.
    assert arrived.status_code == 200
    assert 'content="0;url=/console/audit"' in arrived.text
    kept = [line for line in arrived.headers.get_list("set-cookie") if line.startswith(SESSION)]
    assert "SameSite=strict" in kept[0]
    assert "HttpOnly" in kept[0]
    page = browser.get("/console/audit")
    assert page.status_code == 200
    assert "ada" in page.text
    assert {"ada", "root"} <= people(platform)


def test_what_is_sent_to_the_provider_is_bound_to_this_browser(
    browser: TestClient, provider: Provider
) -> None:
    sent = browser.get(START)
    told = parse_qs(urlsplit(sent.headers["location"]).query)
    assert told["code_challenge_method"] == ["S256"]
    assert len(told["state"][0]) >= 43
    assert told["nonce"] != told["state"]
    assert provider.issuer in sent.headers["location"]
    cookie = sent.headers["set-cookie"]
    assert cookie.startswith(PENDING)
    for part in ("SameSite=lax", "HttpOnly", "Secure", "Max-Age=600"):
        assert part in cookie
    assert told["state"][0] not in cookie


def test_a_way_back_is_gone_once(browser: TestClient, platform: Platform) -> None:
    back = begin(browser)
    pending = browser.cookies[PENDING]
    assert browser.get(back).status_code == 200
    browser.cookies.clear()
    browser.cookies.set(PENDING, pending, domain="console.test", path="/")
    again = browser.get(back)
    assert again.status_code == 401
    assert SESSION not in browser.cookies
    with platform.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(ConsoleSession)) == 1


def test_the_end_of_somebody_elses_sign_in_signs_nobody_in(
    browser: TestClient, provider: Provider
) -> None:
    provider.person = Person("evil", "mallory")
    back = begin(browser)
    browser.cookies.clear()  # as in the browser of a victim who follows the link
    assert browser.get(back).status_code == 401
    provider.person = Person()
    begin(browser)  # who may have begun a sign-in of their own
    assert browser.get(back).status_code == 401
    assert SESSION not in browser.cookies


@pytest.mark.parametrize(
    "changed",
    [{"state": "made-up"}, {"code": "made-up"}, {"code": ""}, {"iss": "https://elsewhere.test"}],
)
def test_a_way_back_that_was_changed_is_refused(
    browser: TestClient, platform: Platform, changed: dict[str, str]
) -> None:
    before = people(platform)
    back = begin(browser)
    query = {name: values[0] for name, values in parse_qs(urlsplit(back).query).items()} | changed
    answer = browser.get(BACK, params=query)
    assert answer.status_code == 401
    assert "start again" in answer.text
    assert SESSION not in browser.cookies
    assert people(platform) == before


def test_an_answer_to_another_sign_in_is_refused(browser: TestClient, provider: Provider) -> None:
    provider.nonce = "of-another-sign-in"
    answer = browser.get(begin(browser))
    assert answer.status_code == 401
    assert "another sign-in" in answer.text


def test_whoever_does_not_consent_may_choose_another_way(
    browser: TestClient, provider: Provider
) -> None:
    provider.consents = False
    answer = browser.get(begin(browser))
    assert answer.status_code == 401
    assert "API token" in answer.text


def test_a_provider_that_is_down_is_said_to_be(
    browser: TestClient, provider: Provider, root: str
) -> None:
    provider.down = True
    away = browser.get(START)
    assert away.status_code == 503
    provider.down = False
    back = begin(browser)
    provider.down = True
    for answer in (away, browser.get(back)):
        assert answer.status_code == 503
        assert "The OpenID provider answered 503" in answer.text
    sign_in(browser, root)  # which needs no provider


def test_ten_minutes_are_enough(browser: TestClient, clock: ReplayClock) -> None:
    back = begin(browser)
    clock.advance_to(clock.now() + timedelta(minutes=10))
    assert browser.get(back).status_code == 401


def test_groups_that_were_left_take_their_rights_away_at_the_next_sign_in(
    browser: TestClient, provider: Provider, clock: ReplayClock
) -> None:
    provider.person.groups = ["ml-team"]
    browser.get(begin(browser))
    assert browser.get("/console/audit").status_code == 200
    provider.person.groups = []
    clock.advance_to(clock.now() + timedelta(minutes=1))
    browser.get(begin(browser))
    assert browser.get("/console/audit").status_code == 403


def test_whoever_is_disabled_is_told_so_and_not_let_in(
    browser: TestClient, platform: Platform
) -> None:
    browser.get(begin(browser))
    with platform.database.transaction() as session:
        find_principal(session, "ada").disabled_at = platform.clock.now()
    assert browser.get("/console").status_code == 303
    answer = browser.get(begin(browser))
    assert answer.status_code == 401
    assert "disabled here" in answer.text


def test_nobody_is_sent_elsewhere_afterwards(browser: TestClient) -> None:
    arrived = browser.get(begin(browser, "?next=https://evil.test"))
    assert 'content="0;url=/console"' in arrived.text


def test_beginning_over_and_over_is_slowed(browser: TestClient) -> None:
    for _ in range(MAX_STARTS):
        assert browser.get(START).status_code == 303
    answer = browser.get(START)
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) <= 60
