import json
import sqlite3
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, text
from sqlalchemy.engine import Engine

from bailiwick.access import Token, disable, issue_token, revoke_token
from support import api_bodies
from support.api_world import World

TYPE = "application/problem+json"
NEEDLE = "Zebra-4711"


def problem(answer: Any, status: int, code: str) -> dict[str, Any]:
    """The answer's body, after a look at its shape."""
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, TYPE)
    body: dict[str, Any] = answer.json()
    assert body["status"] == status
    assert body["code"] == code
    assert body["type"] == f"urn:bailiwick:problem:{code}"
    assert body["title"]
    assert len(body["detail"]) > 20
    return body


def test_an_unknown_address_is_a_problem(world: World) -> None:
    for path in ("/nowhere", "//nowhere", "/models/a/b/c/d"):
        problem(world.get(path, by=None), 404, "not-found")


def test_a_wrong_method_is_a_problem_that_names_the_right_ones(world: World) -> None:
    answer = world.ask("DELETE", "/models", by="engineer")
    problem(answer, 405, "method-not-allowed")
    assert set(answer.headers["Allow"].split(", ")) & {"GET", "POST"}


def test_without_a_token_the_problem_says_how_to_send_one(world: World) -> None:
    for headers in ({}, {"Authorization": "Basic eDp5"}, {"Authorization": "Bearer"}):
        answer = world.get("/models", by=None, headers=headers)
        assert "Authorization: Bearer" in problem(answer, 401, "unauthenticated")["detail"]
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_every_way_of_a_token_being_wrong_gets_the_same_answer(world: World) -> None:
    platform = world.platform
    with platform.database.transaction() as session:
        make = world.factory(session)
        brief, _ = make.principal("brief", "engineer"), make.principal("gone", "engineer")
        later = make.at + timedelta(hours=1)
        token, expiring = issue_token(
            session, brief, "x", actor_id=make.root.id, at=make.at, expires_at=later
        )
        revoked, secret = issue_token(session, brief, "y", actor_id=make.root.id, at=make.at)
        revoke_token(session, revoked, actor_id=make.root.id, at=make.at)
        gone, orphan = issue_token(session, _, "z", actor_id=make.root.id, at=make.at)
        disable(session, _, actor_id=make.root.id, at=make.at)
        assert isinstance(token, Token) is isinstance(gone, Token) is True
    world.tokens |= {"expired": expiring, "revoked": secret, "disabled": orphan}
    world.tokens |= {"garbage": "bwk_nothing", "odd": "ÿ" * 300, "other": secret[:-1]}
    assert world.get("/me", by="expired").status_code == 200
    platform.clock.advance_to(later)  # type: ignore[attr-defined]  # a replay's clock
    answers = [
        world.get("/me", by=None, headers={"Authorization": f"Bearer {token}".encode("latin-1")})
        for name, token in world.tokens.items()
        if name in {"expired", "revoked", "disabled", "garbage", "odd", "other"}
    ]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.content for answer in answers}) == 1
    problem(answers[0], 401, "unauthenticated")


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"namespace": "finance"}, "body.name"),
        (api_bodies.model(name=NEEDLE), "body.name"),
        (api_bodies.model(label=NEEDLE), "body.label"),
        (api_bodies.model(description=["x", NEEDLE]), "body.description"),
        (api_bodies.model(description=NEEDLE * 300), "body.description"),
        (api_bodies.model() | {f"{NEEDLE} and more": 1}, "body"),
        ([NEEDLE], "body"),
        (NEEDLE, "body"),
    ],
)
def test_a_body_that_does_not_fit_is_told_where_and_is_not_repeated(
    world: World, body: Any, named: str
) -> None:
    answer = world.post("/models", body)
    faults = problem(answer, 422, "invalid")["errors"]
    assert any(fault["where"].startswith(named) for fault in faults)
    assert NEEDLE not in answer.text


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/approvals", {"subject": {"type": NEEDLE}}),
        ("/models", api_bodies.model(label=api_bodies.LABEL | {NEEDLE + "!": 1})),
    ],
)
def test_a_type_or_field_that_is_not_known_is_not_repeated(
    world: World, path: str, body: Any
) -> None:
    answer = world.post(path, body)
    problem(answer, 422, "invalid")
    assert NEEDLE not in answer.text


def test_a_thousand_faults_give_a_short_answer(world: World) -> None:
    deployment = world.running()
    body = {"instances": [{"features": 7}] * 1_000}
    answer = world.post(f"/deployments/{deployment.id}/predict", body)
    assert len(problem(answer, 422, "invalid")["errors"]) == 20


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"nul", b'{"name": "\\ud800"}'])
def test_a_body_that_is_no_json_is_a_problem(world: World, content: bytes) -> None:
    answer = world.ask(
        "POST",
        "/models",
        by="engineer",
        content=content,
        headers={"Content-Type": "application/json"},
    )
    assert answer.status_code in {400, 422}
    assert answer.headers["Content-Type"] == TYPE


@pytest.mark.parametrize(
    "body",
    [
        api_bodies.model(description="a\0b"),
        api_bodies.model(description="\ud83d"),
    ],
)
def test_text_that_no_database_keeps_is_stored_or_refused_but_no_defect(
    world: World, body: Any
) -> None:
    content = json.dumps(body).encode()
    answer = world.ask(
        "POST",
        "/models",
        by="engineer",
        content=content,
        headers={"Content-Type": "application/json"},
    )
    assert answer.status_code in {201, 422}


@pytest.mark.parametrize(
    "path",
    [
        "/models/a%00b/c",
        "/models?namespace=%00",
        "/models/finance/notes/versions/99999999999999999999999",
        "/models/finance/notes/versions/-1",
        "/lineage?node=model:finance/notes@99999999999999999999999",
        "/lineage?node=model:a%00b/c@1",
        "/audit/events?action=%00",
        "/audit/proofs/inclusion?index=0&size=99999999999999999999999",
        "/models/%FF/%FE",
        "/principals/a%00b",
    ],
)
def test_odd_names_and_numbers_are_never_a_defect(world: World, path: str) -> None:
    world.post("/models", api_bodies.model())
    for by in ("engineer", "auditor", "admin"):
        assert world.get(path, by=by).status_code in {200, 403, 404, 422}


class TestBodySize:
    @pytest.fixture
    def world(self, world: World) -> World:
        settings = world.platform.settings.model_copy(
            update={"max_body_bytes": 5_000, "max_upload_bytes": 9_000}
        )
        object.__setattr__(world.platform, "settings", settings)
        return world

    def test_a_body_over_the_limit_is_refused(self, world: World) -> None:
        answer = world.post("/models", api_bodies.model(description="x" * 6_000))
        assert "5,000 bytes" in problem(answer, 413, "too-large")["detail"]

    def test_a_body_of_unknown_length_is_stopped_at_the_limit(self, world: World) -> None:
        taken: list[int] = []

        def endless() -> Iterator[bytes]:
            for number in range(1_000):
                taken.append(number)
                yield b"x" * 1_000

        answer = world.ask(
            "POST",
            "/models",
            by="engineer",
            content=endless(),
            headers={"Content-Type": "application/json"},
        )
        problem(answer, 413, "too-large")

    def test_a_form_of_unknown_length_is_stopped_at_its_own_limit(self, world: World) -> None:
        with world.platform.database.transaction() as session:
            world.factory(session).dataset()

        def endless() -> Iterator[bytes]:
            yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\n'
            for _ in range(1_000):
                yield b"x" * 1_000

        answer = world.ask(
            "POST",
            "/datasets/finance/purchases/versions",
            by="engineer",
            content=endless(),
            headers={"Content-Type": "multipart/form-data; boundary=b"},
        )
        assert "9,000 bytes" in problem(answer, 413, "too-large")["detail"]

    @pytest.mark.parametrize("length", ["-1", "many", "1e3"])
    def test_a_length_that_is_no_number_is_refused(self, world: World, length: str) -> None:
        answer = world.post("/models", api_bodies.model(), headers={"Content-Length": length})
        problem(answer, 413, "too-large")


@pytest.fixture
def impatient(world: World, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """The world's engine, whose connections wait for a lock only a moment."""
    engine = world.platform.database.engine
    monkeypatch.setattr("bailiwick.db.session.LOCK_WAIT_SECONDS", 0.2)

    def hurry(connection: Any, *_: object) -> None:
        if isinstance(connection, sqlite3.Connection):
            connection.execute("PRAGMA busy_timeout = 200").close()
        else:
            connection.execute("SET lock_timeout = '200ms'")
            connection.commit()

    engine.dispose()
    event.listen(engine, "connect", hurry)
    return engine


def test_a_locked_database_is_a_sentence_and_changes_nothing(
    world: World, impatient: Engine
) -> None:
    with impatient.connect() as holder:
        if holder.dialect.name == "sqlite":
            holder.execution_options(bailiwick_write=True)
            holder.execute(text("SELECT 1"))
        else:
            holder.execute(text("LOCK TABLE registered_models IN ACCESS EXCLUSIVE MODE"))
        answer = world.post("/models", api_bodies.model())
        holder.rollback()
    assert "try again" in problem(answer, 503, "unavailable")["detail"]
    assert answer.headers["Retry-After"] == "2"
    assert world.get("/models").json()["items"] == []
    assert world.post("/models", api_bodies.model()).status_code == 201


def test_a_defect_is_a_problem_that_tells_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object, **__: object) -> None:
        secret = NEEDLE
        raise ValueError(secret)

    monkeypatch.setattr("bailiwick.api.models.create_model", broken)
    answer = world.post("/models", api_bodies.model(description=NEEDLE))
    problem(answer, 500, "internal")
    logged = "".join(capsys.readouterr())
    assert "ValueError" in logged
    assert NEEDLE not in answer.text + logged


@pytest.mark.parametrize(
    ("changes", "named", "told"),
    [
        ({"name": NEEDLE}, "body.name", "lower-case letters"),
        ({"namespaces": [NEEDLE]}, "body.namespaces.0", "lower-case letters"),
        ({"deployments": [NEEDLE]}, "body.deployments.0", "NAMESPACE/NAME"),
    ],
)
def test_a_name_that_does_not_fit_is_told_what_names_look_like_without_a_pattern(
    world: World, changes: dict[str, Any], named: str, told: str
) -> None:
    answer = world.post("/channels", api_bodies.channel(**changes), by="admin")
    (fault,) = problem(answer, 422, "invalid")["errors"]
    assert fault["where"] == named
    assert told in fault["what"]
    assert "pattern" not in answer.text
    assert NEEDLE not in answer.text
