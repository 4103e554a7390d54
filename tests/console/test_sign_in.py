"""Signing in and out, and what must not work."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from argon2 import PasswordHasher
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import select, update

from bailiwick.access import (
    Hasher,
    Password,
    Principal,
    Token,
    find_principal,
    grant_role,
    hash_token,
    issue_token,
    keep_password,
)
from bailiwick.access.throttle import LOCKED_FOR, MAX_OF_ADDRESS, MAX_OF_NAME
from bailiwick.console.routing import local_path
from bailiwick.core.clock import ReplayClock
from bailiwick.lifecycle import Platform
from bailiwick.web import LIFETIME
from bailiwick.web.tables import ConsoleSession
from console.story import Story, sign_in
from factories import Factory
from support.hashing import CHEAP, cheap_hasher

COOKIE = "__Host-bailiwick_session"
PHRASE = "correct horse battery"


@pytest.fixture
def root(platform: Platform) -> str:
    """The first admin's API token, in an installation that holds nothing else."""
    with platform.database.transaction() as session:
        make = Factory(session, platform)
        grant_role(session, make.root, "admin", actor_id=make.root.id, at=make.at)
        return issue_token(session, make.root, "test", actor_id=make.root.id, at=make.at)[1]


@pytest.fixture
def admin(browser: TestClient, root: str) -> TestClient:
    """The first admin, signed in."""
    sign_in(browser, root)
    return browser


@pytest.fixture
def embedded(app: FastAPI, platform: Platform, root: str) -> Platform:
    """The installation as the embedded default, where root has a password."""
    assert root
    here = replace(platform, settings=platform.settings.model_copy(update={"database_url": None}))
    app.state.platform = here
    with here.database.transaction() as session:
        person = find_principal(session, "root")
        hashed = here.hasher.hash(PHRASE)
        keep_password(session, person, hashed, actor_id=person.id, at=here.clock.now())
    return here


def give(browser: TestClient, name: str = "root", password: str = PHRASE) -> Any:
    return browser.post("/console/sign-in/password", data={"name": name, "password": password})


def test_a_token_opens_a_session_in_a_cookie_that_scripts_and_other_sites_cannot_use(
    browser: TestClient, root: str
) -> None:
    answer = browser.post("/console/sign-in", data={"token": f" {root} ", "next": "/console/jobs"})
    assert answer.headers["location"] == "/console/jobs"
    cookie = answer.headers["set-cookie"]
    for part in (f"{COOKIE}=", "HttpOnly", "SameSite=strict", "Secure", "Path=/;", "Max-Age=43200"):
        assert part in cookie
    assert "Domain" not in cookie
    assert root not in cookie
    assert browser.get("/console").status_code == 200


def test_the_cookie_opens_the_console_and_not_the_api(admin: TestClient) -> None:
    assert admin.get("/console").status_code == 200
    assert admin.get("/api/v1/me").status_code == 401


def test_every_wrong_token_gets_the_same_answer(browser: TestClient, root: str) -> None:
    answers = {
        browser.post("/console/sign-in", data={"token": token}).text
        for token in ("", "x", "bwk_" + "A" * 43, root[:-1])
    }
    assert len(answers) == 1
    assert "not valid here" in answers.pop()


def test_too_many_wrong_tokens_have_to_wait_even_with_the_right_one(
    browser: TestClient, root: str, clock: ReplayClock
) -> None:
    for _ in range(MAX_OF_ADDRESS):
        assert browser.post("/console/sign-in", data={"token": "wrong"}).status_code == 401
    answer = browser.post("/console/sign-in", data={"token": root})
    assert answer.status_code == 429
    assert 0 < int(answer.headers["retry-after"]) <= LOCKED_FOR.total_seconds() + 1
    clock.advance_to(clock.now() + LOCKED_FOR)
    sign_in(browser, root)


def test_a_cookie_that_was_there_before_is_never_made_ones_own(
    browser: TestClient, root: str
) -> None:
    planted = "planted-by-somebody-else"
    browser.cookies.set(COOKIE, planted, domain="console.test", path="/")
    sign_in(browser, root)
    assert browser.cookies[COOKIE] != planted
    first = browser.cookies[COOKIE]
    sign_in(browser, root)
    assert browser.cookies[COOKIE] != first
    assert not stands(browser, first)


@pytest.mark.parametrize(
    "path", ["/console/sign-in", "/console/sign-in/password", "/console/sign-out"]
)
@pytest.mark.parametrize("origin", ["https://evil.test", "null", ""])
def test_forms_of_other_sites_are_refused(
    browser: TestClient, embedded: Platform, root: str, path: str, origin: str
) -> None:
    assert embedded
    fields = {"token": root, "name": "root", "password": PHRASE}
    answer = browser.post(path, data=fields, headers={"origin": origin})
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


def test_signing_out_ends_the_session_for_good(admin: TestClient) -> None:
    cookie = admin.cookies[COOKIE]
    answer = admin.post("/console/sign-out")
    assert answer.headers["location"] == "/console/sign-in"
    assert "Max-Age=0" in answer.headers["set-cookie"]
    assert not stands(admin, cookie)


def test_signing_out_everywhere_ends_the_sessions_of_other_browsers(
    admin: TestClient, root: str
) -> None:
    elsewhere = admin.cookies[COOKIE]
    admin.cookies.clear()
    sign_in(admin, root)
    admin.post("/console/sign-out", data={"everywhere": "true"})
    assert not stands(admin, elsewhere)


def test_a_session_ends_by_itself(admin: TestClient, clock: ReplayClock) -> None:
    clock.advance_to(clock.now() + LIFETIME)
    assert admin.get("/console").status_code == 303


def test_using_a_session_keeps_it_and_is_noted_every_ten_minutes(
    admin: TestClient, clock: ReplayClock, platform: Platform
) -> None:
    noted = []
    for minutes in (9, 11, 60, 119):
        clock.advance_to(clock.now() + timedelta(minutes=minutes))
        assert admin.get("/console/sign-in").status_code == 303
        assert admin.get("/console").status_code == 200
        with platform.database.reading() as session:
            noted.append(session.scalars(select(ConsoleSession.last_used_at)).one() == clock.now())
    assert noted == [False, True, True, True]
    clock.advance_to(clock.now() + timedelta(minutes=120))
    assert admin.get("/console").status_code == 303


def test_a_session_does_what_its_token_can_and_ends_with_it(
    admin: TestClient, platform: Platform
) -> None:
    assert admin.get("/console/audit").status_code == 200
    with platform.database.transaction() as session:
        root = find_principal(session, "root")
        at = platform.clock.now()
        token, secret = issue_token(
            session, root, "narrow", actor_id=root.id, at=at, namespaces=["elsewhere"]
        )
    sign_in(admin, secret)
    assert admin.get("/console").status_code == 200
    assert admin.get("/console/audit").status_code == 403
    with platform.database.transaction() as session:
        session.execute(update(Token).where(Token.id == token.id).values(revoked_at=at))
    assert admin.get("/console").status_code == 303


def test_a_name_and_password_open_a_session_on_the_embedded_default(
    browser: TestClient, embedded: Platform
) -> None:
    answer = give(browser, " Root ")
    assert (answer.status_code, answer.headers["location"]) == (303, "/console")
    assert browser.get("/console").status_code == 200
    assert embedded.settings.local_passwords


def test_with_a_database_or_a_provider_there_are_no_passwords(
    browser: TestClient, root: str
) -> None:
    assert root
    assert give(browser).status_code == 404
    assert "Password" not in browser.get("/console/sign-in").text


def test_a_wrong_password_and_an_unknown_name_get_the_same_answer(
    browser: TestClient, embedded: Platform
) -> None:
    assert embedded
    answers = {
        name: give(browser, name, "wrong " * 4).text.replace(name, "…")
        for name in ("root", "nobody-of-that-name", "approver")
    }
    assert len(set(answers.values())) == 1
    assert "do not belong together" in answers["root"]


def test_a_locked_name_and_an_unknown_one_get_the_same_answer(
    browser: TestClient, embedded: Platform, clock: ReplayClock
) -> None:
    assert embedded
    for name in ("root", "nobody-of-that-name"):
        for _ in range(MAX_OF_NAME):
            assert give(browser, name, "wrong " * 4).status_code == 401
    locked = [give(browser, name) for name in ("root", "nobody-of-that-name")]
    assert [answer.status_code for answer in locked] == [429, 429]
    told = {
        answer.text.replace(n, "…")
        for answer, n in zip(locked, ("root", "nobody-of-that-name"), strict=True)
    }
    assert len(told) == 1
    assert {answer.headers["retry-after"] for answer in locked} == {"901"}
    clock.advance_to(clock.now() + LOCKED_FOR)
    assert give(browser).status_code == 303


def test_success_begins_the_count_anew(browser: TestClient, embedded: Platform) -> None:
    assert embedded
    for _ in range(3):
        for _ in range(MAX_OF_NAME - 1):
            assert give(browser, password="wrong " * 4).status_code == 401
        assert give(browser).status_code == 303
        browser.cookies.clear()


def test_a_name_that_nobody_has_costs_the_same_hashing(
    browser: TestClient, embedded: Platform, app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    verify: Callable[..., Any] = PasswordHasher.verify

    def counted(hasher: PasswordHasher, hashed: str, password: str) -> Any:
        calls.append(hashed)
        return verify(hasher, hashed, password)

    monkeypatch.setattr(PasswordHasher, "verify", counted)
    app.state.platform = replace(embedded, hasher=cheap_hasher())
    for name in ("root", "nobody", "approver"):
        before = len(calls)
        give(browser, name, "wrong " * 4)
        assert len(calls) == before + 1


def test_a_hash_of_old_parameters_is_made_anew_at_the_next_sign_in(
    browser: TestClient, embedded: Platform, app: FastAPI
) -> None:
    stronger = Hasher(PasswordHasher(**CHEAP | {"time_cost": 2}))
    app.state.platform = replace(embedded, hasher=stronger)
    assert give(browser).status_code == 303
    with embedded.database.reading() as session:
        stored = session.scalars(select(Password.password_hash)).one()
    assert not stronger.is_outdated(stored)
    assert stronger.fits(PHRASE, stored)


def test_whoever_is_disabled_cannot_sign_in_with_their_password(
    browser: TestClient, embedded: Platform
) -> None:
    with embedded.database.transaction() as session:
        disabled = {"disabled_at": embedded.clock.now()}
        session.execute(update(Principal).where(Principal.name == "root").values(**disabled))
    assert give(browser).status_code == 401


def test_what_was_typed_as_name_comes_back_as_text(browser: TestClient, embedded: Platform) -> None:
    assert embedded
    answer = give(browser, '"><script>alert(1)</script>')
    assert "<script>alert" not in answer.text
    assert PHRASE not in answer.text


def test_whoever_is_signed_in_need_not_sign_in_again(admin: TestClient) -> None:
    answer = admin.get("/console/sign-in?next=/console/jobs")
    assert answer.headers["location"] == "/console/jobs"


def test_a_link_from_another_site_goes_on_by_a_page_of_ours(browser: TestClient) -> None:
    answer = browser.get("/console/jobs", headers={"sec-fetch-site": "cross-site"})
    assert answer.status_code == 200
    assert 'content="0;url=/console/sign-in?next=/console/jobs"' in answer.text


@pytest.mark.parametrize(
    "path",
    [
        "https://evil.test/console",
        "//evil.test/console",
        "/\\evil.test",
        "/console\\..\\..",
        "/console\r\nSet-Cookie: a=b",
        "/consoleevil",
        "javascript:alert(1)",
        "",
        None,
    ],
)
def test_nobody_is_sent_elsewhere_after_signing_in(path: str | None) -> None:
    assert local_path(path) == "/console"


def test_pages_of_the_console_are_kept_as_the_next_ones() -> None:
    assert local_path("/console/audit?action=alert.raised") == "/console/audit?action=alert.raised"


def test_a_principal_without_any_role_sees_empty_pages(browser: TestClient, story: Story) -> None:
    sign_in(browser, story.token("nobody"))
    answer = browser.get("/console")
    assert answer.status_code == 200
    assert "cards" not in answer.text


def stands(browser: TestClient, cookie: str) -> bool:
    """Whether a session is still known to the installation."""
    with browser.app.state.platform.database.reading() as session:  # type: ignore[attr-defined]  # a FastAPI app
        kept = select(ConsoleSession).where(ConsoleSession.cookie_hash == hash_token(cookie))
        return session.scalar(kept) is not None
