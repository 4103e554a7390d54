"""Every write leaves an event of its actor, in its own transaction."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import event, select
from sqlalchemy.orm import Session

from bailiwick.audit import AuditEvent
from bailiwick.core.errors import Unavailable
from bailiwick.lineage import DatasetVersion
from bailiwick.registry import RegisteredModel
from support.api_everything import furnish, reach
from support.api_routes import operations
from support.api_world import World
from support.api_writes import STEPS

# What a deployment answers and learns is its inference log, no change of the platform;
# corrections of labels are audited (see `log_feedback`).
TRAFFIC = ("/predict", "/inferences", "/feedback", "/v1/traces")
# Asked by POST, as the question is long; the answer changes nothing.
KEEPS_NOTHING = {"POST /policies/dry-run"}


def filled(value: Any, places: dict[str, str]) -> Any:
    """`value` with its places filled in."""
    if isinstance(value, str):
        for name, place in places.items():
            value = value.replace("{" + name + "}", place)
    if isinstance(value, dict):
        return {name: filled(item, places) for name, item in value.items()}
    return value


def events(world: World) -> list[AuditEvent]:
    with world.platform.database.reading() as session:
        return list(session.scalars(select(AuditEvent).order_by(AuditEvent.id)))


@contextmanager
def commits_refused() -> Iterator[None]:
    """Every commit of the process fails, as on a full disk."""

    def refuse(_: Session) -> None:
        raise Unavailable("the disk that holds the database is full")

    event.listen(Session, "before_commit", refuse)
    try:
        yield
    finally:
        event.remove(Session, "before_commit", refuse)


@pytest.fixture
def places(world: World) -> dict[str, str]:
    """A running deployment, and a second version that may be promoted."""
    embedded = world.platform.settings.model_copy(update={"database_url": None})
    world.app.state.platform = replace(world.platform, settings=embedded)  # it has passwords
    deployment = world.running(keeps_text=True)
    with world.platform.database.transaction() as session:
        model = session.scalars(select(RegisteredModel)).one()
        data = session.scalars(select(DatasetVersion)).one()
        world.factory(session).model_version(model, data)
    return {"deployment": str(deployment.id)}


def test_every_write_leaves_an_event_and_none_if_it_is_rolled_back(
    world: World, places: dict[str, str]
) -> None:
    for step in STEPS:
        if step.before:
            step.before(world, places)
        method = step.route.partition(" ")[0]
        path = filled(step.path, places)
        request = {"json": filled(step.body, places), **step.extra}
        before = len(events(world))
        with commits_refused():
            refused = world.ask(method, path, by=step.by, **request)
        assert refused.status_code == 503, (step.route, refused.text)
        assert len(events(world)) == before
        answer = world.ask(method, path, by=step.by, **request)
        assert answer.is_success, (step.route, answer.text)
        actors = {made.actor_id for made in events(world)[before:]}
        expected = set() if step.path.endswith(TRAFFIC) else {world.principals[step.by].id}
        assert actors == expected, step.route
        if step.keeps:
            places[step.keeps] = answer.json()["id"]
    report = world.get("/audit/verification", by="auditor").json()
    assert (report["ok"], report["problem"]) == (True, None)


def test_no_write_of_the_api_is_left_out_here(world: World) -> None:
    document = world.get("//openapi.json", by=None).json()
    real = {
        f"{operation.method} {operation.path.removeprefix('/api/v1')}"
        for operation in operations(document)
        if operation.method != "GET"
    }
    assert {step.route for step in STEPS} | KEEPS_NOTHING == real


def test_a_write_that_is_denied_leaves_a_decision_and_no_event(world: World) -> None:
    places = furnish(world, champions=2)
    before = len(events(world))
    document = world.get("//openapi.json", by=None).json()
    writes = [
        operation
        for operation in operations(document)
        if operation.method != "GET" and operation.action != "self:update"
    ]
    for operation in writes:
        answer = reach(world, operation, places, by="auditor")
        assert answer.status_code in {403, 404}, (operation.method, operation.path, answer.text)
    assert len(events(world)) == before
    denied = world.get("/decisions?allowed=false&limit=100", by="auditor").json()["items"]
    own = [d for d in denied if d["principal_id"] == str(world.principals["auditor"].id)]
    assert len(own) == len(writes)


def test_corrected_labels_are_audited(world: World, places: dict[str, str]) -> None:
    path = f"/deployments/{places['deployment']}/feedback"
    before = len(events(world))
    for label in ("Fuel", "Travel"):
        world.post(path, {"feedback": [{"record_id": "a", "label": label}]})
    fresh = events(world)[before:]
    assert [made.action for made in fresh] == ["feedback.corrected"]
    assert b"Travel" not in fresh[0].body
