"""Local passwords over the API: one's own, somebody else's, and what ends with a change."""

from dataclasses import replace

import pytest

from bailiwick.access import find_principal
from bailiwick.access.throttle import MAX_OF_NAME
from bailiwick.core.errors import Unauthenticated
from bailiwick.web.sessions import sign_in, signed_in
from bailiwick.web.sign_ins import by_password
from support.api_world import World

FIRST, SECOND = "correct horse battery", "staple and some more"


@pytest.fixture(autouse=True)
def embedded(world: World) -> None:
    """The embedded default: SQLite in the home folder, no provider."""
    settings = world.platform.settings.model_copy(update={"database_url": None})
    world.platform = replace(world.platform, settings=settings)
    world.app.state.platform = world.platform


def change(world: World, new: str, current: str = "", *, by: str = "engineer") -> int:
    body = {"new_password": new, "current_password": current}
    status: int = world.post("/me/password", body, by=by).status_code
    return status


def works(world: World, name: str, password: str) -> bool:
    try:
        return bool(by_password(world.platform, name, password, address="127.0.0.1"))
    except Unauthenticated:
        return False


def open_session(world: World, name: str) -> str:
    with world.platform.database.transaction() as session:
        at = world.platform.clock.now()
        return sign_in(session, find_principal(session, name), by="token", at=at)


def stands(world: World, cookie: str) -> bool:
    with world.platform.database.reading() as session:
        try:
            return bool(signed_in(session, cookie, at=world.platform.clock.now()))
        except Unauthenticated:
            return False


def test_the_first_password_needs_none_before_and_the_next_one_does(world: World) -> None:
    assert not works(world, "engineer", FIRST)
    assert change(world, FIRST) == 204
    assert works(world, "engineer", FIRST)
    assert [change(world, SECOND), change(world, SECOND, "wrong")] == [403, 403]
    assert works(world, "engineer", FIRST)
    assert change(world, SECOND, FIRST) == 204
    assert (works(world, "engineer", FIRST), works(world, "engineer", SECOND)) == (False, True)


def test_guessing_the_current_password_locks_like_signing_in(world: World) -> None:
    change(world, FIRST)
    assert {change(world, SECOND, "wrong") for _ in range(MAX_OF_NAME)} == {403}
    answer = world.post("/me/password", {"new_password": SECOND, "current_password": FIRST})
    assert (answer.status_code, answer.json()["code"]) == (429, "too-many-attempts")
    assert answer.headers["retry-after"] == "901"


def test_a_change_ends_the_sessions_of_that_person_only(world: World) -> None:
    mine, other = open_session(world, "engineer"), open_session(world, "approver")
    change(world, FIRST)
    assert (stands(world, mine), stands(world, other)) == (False, True)


def test_an_admin_gives_a_password_and_lifts_the_lock(world: World) -> None:
    change(world, FIRST)
    for _ in range(MAX_OF_NAME):
        change(world, SECOND, "wrong")
    session = open_session(world, "engineer")
    path = "/principals/engineer/password"
    assert world.post(path, {"new_password": SECOND}, by="admin").status_code == 204
    assert works(world, "engineer", SECOND)
    assert not stands(world, session)
    for by, status in (("steward", 404), ("auditor", 403), ("engineer", 404)):
        assert world.post(path, {"new_password": FIRST}, by=by).status_code == status


def test_whoever_audits_may_change_their_own_password_too(world: World) -> None:
    assert change(world, FIRST, by="auditor") == 204


def test_a_token_for_less_does_not_become_a_password_for_everything(world: World) -> None:
    for number, narrow in enumerate(({"scopes": ["administer"]}, {"namespaces": ["finance"]})):
        body = {"principal": "admin", "name": f"narrow-{number}"} | narrow
        world.tokens["narrow"] = world.post("/tokens", body, by="admin").json()["token"]
        assert change(world, FIRST, by="narrow") == 403
    assert not works(world, "admin", FIRST)


def test_services_and_unknown_names_get_none(world: World) -> None:
    body = {"new_password": FIRST}
    robot = world.post("/principals/robot/password", body, by="admin")
    assert (robot.status_code, "API token" in robot.json()["detail"]) == (409, True)
    assert world.post("/principals/nobody/password", body, by="admin").status_code == 404


@pytest.mark.parametrize("password", ["short", "x" * 257, "x" * 5000])
def test_a_password_that_does_not_fit_is_refused_and_not_repeated(
    world: World, password: str
) -> None:
    answer = world.post("/me/password", {"new_password": password})
    assert answer.status_code == 422
    assert password not in answer.text


def test_signing_out_everywhere_is_ones_own_or_an_admins_business(world: World) -> None:
    mine = open_session(world, "engineer")
    assert world.post("/principals/engineer/sign-out", by="approver").status_code == 404
    assert stands(world, mine)
    assert world.post("/me/sign-out").status_code == 204
    assert not stands(world, mine)
    again = open_session(world, "engineer")
    assert world.post("/principals/engineer/sign-out", by="admin").status_code == 204
    assert not stands(world, again)


def test_elsewhere_there_are_no_passwords(world: World) -> None:
    settings = world.platform.settings.model_copy(update={"oidc_issuer": "https://login.example"})
    world.app.state.platform = replace(world.platform, settings=settings)
    for path, by in (("/me/password", "engineer"), ("/principals/engineer/password", "admin")):
        answer = world.post(path, {"new_password": FIRST}, by=by)
        assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
