"""Passwords from the command line: asked for, never given as an argument."""

from dataclasses import replace
from typing import Any

import pytest

from bailiwick.access import issue_token
from bailiwick.cli import passwords
from bailiwick.cli.application import listen, serving_in_background
from bailiwick.core.errors import Unauthenticated
from bailiwick.lifecycle import Platform
from bailiwick.web.sign_ins import by_password
from cli.conftest import Shell
from client.installation import FakeModels
from factories import Factory
from support.applications import api_of

PHRASE = "correct horse battery"


@pytest.fixture
def embedded(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> Any:
    """An API on the embedded default, and an admin who calls it."""
    here = replace(platform, settings=platform.settings.model_copy(update={"database_url": None}))
    with here.database.transaction() as session:
        make = Factory(session, here)
        admin = make.principal("admin", "admin")
        assert make.engineer
        session.flush()
        _, token = issue_token(session, admin, "x", actor_id=make.root.id, at=make.at)
    listener = listen("127.0.0.1", 0)
    monkeypatch.setenv("BAILIWICK_URL", f"http://127.0.0.1:{listener.getsockname()[1]}")
    monkeypatch.setenv("BAILIWICK_TOKEN", token)
    app = api_of(here, FakeModels())
    with serving_in_background(app, listener):
        yield here


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What will be typed, in turn; asking shows nothing of it."""
    answers: list[str] = []

    def prompt(_: str, *, hide_input: bool, err: bool, **__: Any) -> str:
        assert hide_input
        assert err
        return answers.pop(0)

    monkeypatch.setattr(passwords.typer, "prompt", prompt)
    return answers


def works(platform: Platform, name: str, password: str) -> bool:
    try:
        return bool(by_password(platform, name, password, address="127.0.0.1"))
    except Unauthenticated:
        return False


def test_ones_own_password_is_set_and_then_changed_with_the_old_one(
    run: Shell, embedded: Platform, typed: list[str]
) -> None:
    typed += ["", PHRASE]
    assert "is set" in run("principal", "password").out
    assert works(embedded, "admin", PHRASE)
    typed += ["wrong", PHRASE * 2]
    assert "is wrong" in run("principal", "password", "admin", expect=1).err
    typed += [PHRASE, PHRASE * 2]
    run("principal", "password", "admin")
    assert works(embedded, "admin", PHRASE * 2)


def test_an_admin_sets_somebody_elses_and_signs_them_out(
    run: Shell, embedded: Platform, typed: list[str]
) -> None:
    typed += ["too short"]
    assert "12 to 256 characters" in run("principal", "password", "engineer", expect=2).err
    typed += [PHRASE]
    said = run("principal", "password", "engineer")
    assert PHRASE not in said.out + said.err
    assert works(embedded, "engineer", PHRASE)
    assert "have ended" in run("principal", "sign-out", "engineer").out


def test_no_option_takes_a_password(run: Shell) -> None:
    assert "--password" not in run("principal", "password", "--help").out
    run("principal", "password", "engineer", "secret", expect=2)
