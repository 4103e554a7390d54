"""Signing in and out, and what must not work."""

import pytest
from fastapi.testclient import TestClient

from bailiwick.console.routing import local_path
from bailiwick.console.throttle import MAX_ADDRESSES, MAX_FAILURES, WINDOW_SECONDS, Throttle
from bailiwick.core.clock import ReplayClock
from bailiwick.web import COOKIE, LIFETIME
from console.story import Story, sign_in


def test_a_token_opens_a_session_in_a_cookie_that_scripts_and_other_sites_cannot_use(
    browser: TestClient, story: Story
) -> None:
    answer = browser.post(
        "/console/sign-in", data={"token": f" {story.admin_token} ", "next": "/console/jobs"}
    )
    assert answer.headers["location"] == "/console/jobs"
    cookie = answer.headers["set-cookie"]
    for part in ("HttpOnly", "SameSite=strict", "Secure", "Path=/console"):
        assert part in cookie
    assert story.admin_token not in cookie
    assert browser.get("/console").status_code == 200


def test_every_wrong_token_gets_the_same_answer(browser: TestClient, story: Story) -> None:
    answers = {
        browser.post("/console/sign-in", data={"token": token}).text
        for token in ("", "x", "bwk_" + "A" * 43, story.admin_token[:-1])
    }
    assert len(answers) == 1
    assert "not valid here" in answers.pop()


def test_too_many_failures_have_to_wait_even_with_the_right_token(
    browser: TestClient, story: Story
) -> None:
    for _ in range(MAX_FAILURES):
        assert browser.post("/console/sign-in", data={"token": "wrong"}).status_code == 401
    answer = browser.post("/console/sign-in", data={"token": story.admin_token})
    assert answer.status_code == 429
    assert 0 < int(answer.headers["retry-after"]) <= WINDOW_SECONDS


@pytest.mark.parametrize("path", ["/console/sign-in", "/console/sign-out"])
@pytest.mark.parametrize("origin", ["https://evil.test", "null", ""])
def test_forms_of_other_sites_are_refused(
    browser: TestClient, story: Story, path: str, origin: str
) -> None:
    answer = browser.post(path, data={"token": story.admin_token}, headers={"origin": origin})
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


def test_signing_out_ends_the_session_for_good(admin: TestClient) -> None:
    cookie = admin.cookies[COOKIE]
    assert admin.post("/console/sign-out").headers["location"] == "/console/sign-in"
    admin.cookies.set(COOKIE, cookie, domain="console.test", path="/console")
    assert admin.get("/console").status_code == 303


def test_a_session_ends_by_itself(admin: TestClient, clock: ReplayClock) -> None:
    clock.advance_to(clock.now() + LIFETIME)
    assert admin.get("/console").status_code == 303


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


def test_old_failures_are_forgiven_and_others_are_not_held_liable() -> None:
    throttle = Throttle()
    for _ in range(MAX_FAILURES):
        throttle.note_failure("10.0.0.1", 0.0)
    assert throttle.wait_seconds("10.0.0.1", 1.0) == WINDOW_SECONDS - 1
    assert throttle.wait_seconds("10.0.0.2", 1.0) == 0
    assert throttle.wait_seconds("10.0.0.1", WINDOW_SECONDS) == 0


def test_the_memory_of_failures_is_bounded() -> None:
    throttle = Throttle()
    for number in range(MAX_ADDRESSES + 5):
        throttle.note_failure(str(number), 0.0)
    assert len(throttle._failures) == MAX_ADDRESSES


def test_a_principal_without_any_role_sees_empty_pages(browser: TestClient, story: Story) -> None:
    sign_in(browser, story.token("nobody"))
    answer = browser.get("/console")
    assert answer.status_code == 200
    assert "cards" not in answer.text
