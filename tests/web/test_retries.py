from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from bailiwick.access import Token
from bailiwick.registry import RegisteredModel
from support import api_bodies
from support.api_world import World

KEY = {"Idempotency-Key": "one"}


def count(world: World, table: type[Any]) -> int:
    with world.platform.database.reading() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def test_the_same_request_again_gets_the_same_bytes(world: World) -> None:
    first = world.post("/models", api_bodies.model(), headers=KEY)
    again = world.post("/models", api_bodies.model(), headers=KEY)
    assert first.status_code == again.status_code == 201
    assert first.content == again.content
    assert first.headers["ETag"] == again.headers["ETag"]
    assert first.headers["Content-Type"] == again.headers["Content-Type"]
    assert "Idempotent-Replay" not in first.headers
    assert again.headers["Idempotent-Replay"] == "true"
    assert count(world, RegisteredModel) == 1


def test_an_answer_without_a_body_is_replayed_as_one(world: World) -> None:
    token = world.post("/tokens", {"principal": "robot", "name": "x"}, by="admin").json()["id"]
    answers = [world.ask("DELETE", f"/tokens/{token}", by="admin", headers=KEY) for _ in range(2)]
    assert [(a.status_code, a.content) for a in answers] == [(204, b"")] * 2


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/models", api_bodies.model("other")),
        ("/models", api_bodies.model(description="changed")),
        ("/models?x=1", api_bodies.model()),
        ("/datasets", api_bodies.model()),
    ],
)
def test_a_key_of_another_request_is_refused(world: World, path: str, body: dict[str, Any]) -> None:
    world.post("/models", api_bodies.model(), headers=KEY)
    answer = world.post(path, body, headers=KEY)
    assert (answer.status_code, answer.json()["code"]) == (409, "idempotency-key-reused")
    assert count(world, RegisteredModel) == 1


def test_keys_belong_to_one_principal(world: World) -> None:
    world.join("colleague", "engineer")
    first = world.post("/models", api_bodies.model("a"), headers=KEY)
    other = world.post("/models", api_bodies.model("b"), headers=KEY, by="colleague")
    assert first.status_code == other.status_code == 201
    assert first.json()["id"] != other.json()["id"]


def test_a_request_that_failed_may_be_repeated_with_its_key(world: World) -> None:
    body = api_bodies.model(namespace="finance", label=api_bodies.LABEL | {"level": "odd"})
    assert world.post("/models", body, headers=KEY).status_code == 422
    assert world.post("/models", api_bodies.model(), headers=KEY).status_code == 201


def test_a_secret_is_never_kept_nor_replayed(world: World) -> None:
    body = {"principal": "robot", "name": "ci"}
    before = count(world, Token)
    made = world.post("/tokens", body, headers=KEY, by="admin")
    again = world.post("/tokens", body, headers=KEY, by="admin")
    assert (made.status_code, again.status_code) == (201, 409)
    assert again.json()["code"] == "answer-not-kept"
    assert "shown once" in again.json()["detail"]
    assert made.json()["token"] not in again.text
    assert count(world, Token) == before + 1
    with world.platform.database.engine.connect() as connection:
        kept = connection.exec_driver_sql("SELECT * FROM idempotent_responses").all()
    assert made.json()["token"] not in str(kept)


@pytest.mark.parametrize("key", ["", "k" * 201])
def test_an_unusable_key_is_refused(world: World, key: str) -> None:
    answer = world.post("/models", api_bodies.model(), headers={"Idempotency-Key": key})
    assert answer.status_code == 422
    assert "1 to 200 characters" in answer.json()["detail"]


def test_of_requests_at_the_same_moment_one_does_the_work(world: World) -> None:
    def send(_: int) -> Any:
        return world.post("/models", api_bodies.model(), headers=KEY)

    with world.client, ThreadPoolExecutor(6) as threads:
        answers = list(threads.map(send, range(6)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert count(world, RegisteredModel) == 1


def test_training_ordered_twice_with_one_key_is_one_job(world: World) -> None:
    world.running()
    body = {
        "model": "finance/classifier",
        "dataset": "finance/purchases",
        "dataset_versions": [1],
        "purpose": "accounting",
    }
    first, again = (world.post("/jobs", body, headers=KEY) for _ in range(2))
    assert first.status_code == 202
    assert first.content == again.content
    world.platform.clock.advance_to(  # type: ignore[attr-defined]  # a replay's clock
        world.platform.clock.now() + timedelta(days=1)
    )
    assert world.post("/jobs", body, headers={"Idempotency-Key": "two"}).json() != first.json()
