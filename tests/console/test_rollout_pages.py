"""A rollout on its deployment's page: shares, guards, what happened, and moving it by hand."""

from fastapi.testclient import TestClient
from sqlalchemy import select

from bailiwick.access import issue_token
from bailiwick.lifecycle import Platform
from bailiwick.lifecycle.rolling_out import judge_all
from bailiwick.monitoring import Alert
from console.story import sign_in
from factories import Factory
from support.lifecycle_world import factory_again
from support.rollouts import Begun, begun, observe


def rolled_out(platform: Platform, browser: TestClient) -> Begun:
    """Begun, and an engineer signed in."""
    with platform.database.transaction() as session:
        make = Factory(session, platform)
        one = begun(make)
        _, token = issue_token(session, make.engineer, "console", actor_id=make.root.id, at=make.at)
    sign_in(browser, token)
    return one


def test_the_page_shows_shares_guards_and_moves(platform: Platform, browser: TestClient) -> None:
    one = rolled_out(platform, browser)
    text = browser.get(f"/console/deployments/{one.deployment.id}").text
    for said in ("Rollout", "10.0% of requests", "errors", "Next step", "Started"):
        assert said in text, said
    assert "to version 2" in text


def test_what_was_taken_back_is_told_on_its_page_and_by_its_alert(
    platform: Platform, browser: TestClient
) -> None:
    one = rolled_out(platform, browser)
    with platform.database.transaction() as session:
        at = platform.clock.now()
        observe(session, one.rollout, "champion", 60, at=at)
        observe(session, one.rollout, "canary", 60, at=at, failed=lambda _: True)
    judge_all(platform)
    text = browser.get(f"/console/deployments/{one.deployment.id}").text
    for said in ("breached", "+100.0% against the champion", "Rolled-back alert"):
        assert said in text, said
    assert "Next step" not in text
    with platform.database.reading() as session:
        alert = session.scalars(select(Alert)).one()
    told = browser.get(f"/console/alerts/{alert.id}").text
    assert "Version 2 was rolled back: errors (canary)" in told


def test_it_is_moved_from_the_page_with_a_reason(platform: Platform, browser: TestClient) -> None:
    one = rolled_out(platform, browser)
    path = f"/console/deployments/{one.deployment.id}"
    lacking = browser.post(f"{path}/rollout", data={"move": "advance", "reason": " "})
    assert (lacking.status_code, "say why" in lacking.text) == (422, True)
    strange = browser.post(f"{path}/rollout", data={"move": "fly", "reason": "x"})
    assert strange.status_code == 422
    for _ in range(2):
        moved = browser.post(f"{path}/rollout", data={"move": "advance", "reason": "known good"})
        assert moved.status_code == 303
    assert "known good" in browser.get(path).text
    over = browser.post(f"{path}/rollout", data={"move": "stop", "reason": "x"})
    assert (over.status_code, "no rollout" in over.text) == (409, True)
    assert browser.post(f"{path}/rollout", data={"move": "rollback", "reason": "no"}).is_redirect
    assert "Rolled back" in browser.get(path).text


def test_who_may_only_read_sees_no_buttons_and_moves_nothing(
    platform: Platform, browser: TestClient
) -> None:
    one = rolled_out(platform, browser)
    with platform.database.transaction() as session:
        make = factory_again(session, platform)
        reader = make.principal("reader", "auditor")
        _, token = issue_token(session, reader, "console", actor_id=make.root.id, at=make.at)
    sign_in(browser, token)
    path = f"/console/deployments/{one.deployment.id}"
    assert "Next step" not in browser.get(path).text
    refused = browser.post(f"{path}/rollout", data={"move": "stop", "reason": "x"})
    assert refused.status_code == 403
