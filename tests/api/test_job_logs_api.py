"""`/jobs/{id}/log` and `/jobs/{id}/stream`: what comes, from where one left off."""

import json
from typing import Any
from uuid import UUID

import pytest

from bailiwick.api import job_logs
from bailiwick.lifecycle.job_logs import add_lines
from bailiwick.lifecycle.jobs import cancel, claim, heartbeat
from bailiwick.lifecycle.tables import Job
from support.api_world import World
from support.lifecycle_world import queue_job


@pytest.fixture
def job_id(world: World) -> UUID:
    """A job that runs, and has told three lines."""
    with world.platform.database.transaction() as session:
        make = world.factory(session)
        job = queue_job(make)
        lease = claim(session, owner="w", lease_seconds=60, at=make.at)
        assert lease is not None
        progress = {"stage": "train", "step": 1, "steps": 2}
        heartbeat(session, lease, lease_seconds=60, at=make.at, progress=progress)
        add_lines(session, job.id, ["one", "two", "three"], attempt=1, at=make.at)
        return job.id


def end(world: World, job_id: UUID) -> None:
    with world.platform.database.transaction() as session:
        make = world.factory(session)
        add_lines(session, job_id, ["four"], attempt=1, at=make.at)
        cancel(session, session.get_one(Job, job_id), actor_id=make.engineer.id, at=make.at)


def events(text: str) -> list[tuple[str, Any]]:
    blocks = [
        dict(line.split(": ", 1) for line in part.split("\n")) for part in text.split("\n\n")[:-1]
    ]
    return [(block["event"], json.loads(block["data"])) for block in blocks]


def test_the_last_lines_and_then_those_that_came(world: World, job_id: UUID) -> None:
    tail = world.get(f"/jobs/{job_id}/log?limit=2").json()
    assert [line["line"] for line in tail["lines"]] == ["two", "three"]
    assert (tail["state"], tail["after"]) == ("running", 3)
    nothing = world.get(f"/jobs/{job_id}/log?after=3").json()
    assert (nothing["lines"], nothing["after"]) == ([], 3)
    end(world, job_id)
    more = world.get(f"/jobs/{job_id}/log?after=3").json()
    assert [(line["number"], line["line"]) for line in more["lines"]] == [(4, "four")]
    assert (more["state"], more["after"]) == ("cancelled", 4)


def test_a_stream_tells_lines_and_progress_and_goes_on_where_it_was_left(
    world: World, job_id: UUID
) -> None:
    answer = world.get(f"/jobs/{job_id}/stream?seconds=0")
    assert answer.headers["content-type"].startswith("text/event-stream")
    told = events(answer.text)
    assert [data.get("line") for kind, data in told if kind == "log"] == ["one", "two", "three"]
    assert told[-1] == (
        "progress",
        {
            "state": "running",
            "attempt": 1,
            "progress": {"stage": "train", "step": 1, "steps": 2},
        },
    )
    headers = {"Last-Event-ID": "2"}
    again = world.ask("GET", f"/jobs/{job_id}/stream?seconds=0", by="engineer", headers=headers)
    assert [data.get("number") for kind, data in events(again.text) if kind == "log"] == [3]


def test_a_stream_of_a_job_that_is_over_ends_by_itself(
    world: World, job_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_logs, "LOOK_SECONDS", 0.01)
    end(world, job_id)
    told = events(world.get(f"/jobs/{job_id}/stream?seconds=300&after=3").text)
    assert [kind for kind, _ in told] == ["log", "progress"]
    assert told[1][1]["state"] == "cancelled"


def test_who_may_not_see_the_job_sees_no_line_of_it(world: World, job_id: UUID) -> None:
    world.join("outsider", "engineer", clearance="public")
    for path in ("log", "stream?seconds=0"):
        assert world.get(f"/jobs/{job_id}/{path}", by="outsider").status_code == 404
