"""`/jobs/{id}/log` and `/jobs/{id}/stream`: what a job tells while it works."""

import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from anyio import sleep
from fastapi import APIRouter, Header, Query
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from bailiwick.api.schemas import Schema
from bailiwick.lifecycle.job_logs import KEPT_LINES, log_lines
from bailiwick.lifecycle.jobs import UNFINISHED, JobState, job_resource
from bailiwick.lifecycle.platform import Platform
from bailiwick.lifecycle.tables import Job
from bailiwick.web import Governed, GovernedRoute, acts, by_id

LOOK_SECONDS = 1.0
LINES_A_LOOK = 200

router = APIRouter(prefix="/jobs/{job_id}", tags=["keeping them fit"], route_class=GovernedRoute)

After = Annotated[int | None, Query(ge=0, description="The number of the last line that is known.")]


class JobLogLineOut(Schema):
    """One line: a stage with its figures, or the kind and place of a fault; no data."""

    number: int
    at: datetime
    attempt: int
    line: str


class JobLogOut(Schema):
    """Lines, oldest first, and where the job stands. `after`: what to ask for next."""

    state: str
    lines: list[JobLogLineOut]
    after: int


@router.get("/log", **acts("job:read"))
def read_log(
    job_id: UUID,
    caller: Governed,
    after: After = None,
    limit: Annotated[int, Query(ge=1, le=KEPT_LINES)] = LINES_A_LOOK,
) -> JobLogOut:
    """The last lines of a job's log, or those after one. The newest thousand are kept."""
    job = _job(caller, job_id)
    lines = log_lines(caller.session, job.id, after=after, limit=limit)
    return JobLogOut(
        state=job.state,
        lines=list(map(JobLogLineOut.model_validate, lines)),
        after=lines[-1].number if lines else after or 0,
    )


@router.get("/stream", response_class=StreamingResponse, **acts("job:read"))
def stream(
    job_id: UUID,
    caller: Governed,
    seconds: Annotated[int, Query(ge=0, le=300, description="How long to stay at most.")],
    after: After = None,
    last_event_id: Annotated[int | None, Header(ge=0)] = None,
) -> StreamingResponse:
    """Progress and log as server-sent events, until the job is over.

    `event: progress` with state, attempt and progress whenever they change; `event: log` with a
    line, whose number is the event's id. Who comes back with `Last-Event-ID` goes on from there.
    """
    job = _job(caller, job_id)
    known = last_event_id if after is None else after
    events = _events(caller.platform, job.id, after=known or 0, seconds=seconds)
    return StreamingResponse(
        events, media_type="text/event-stream", headers={"Cache-Control": "no-store"}
    )


@dataclass(frozen=True, slots=True)
class _Look:
    """A job as it stands, and the lines that came."""

    standing: dict[str, Any]
    lines: list[JobLogLineOut]

    @property
    def is_last(self) -> bool:
        """Whether nothing more will come."""
        over = JobState(self.standing["state"]) not in UNFINISHED
        return over and len(self.lines) < LINES_A_LOOK


async def _events(
    platform: Platform, job_id: UUID, *, after: int, seconds: int
) -> AsyncIterator[str]:
    """Nothing is held between two looks: neither a thread nor a connection to the database."""
    ends, told = time.monotonic() + seconds, None
    looks_left = 2  # at a job that is over: its last lines may come after its end
    while looks_left:
        look = await run_in_threadpool(_look, platform, job_id, after)
        for line in look.lines:
            after = line.number
            yield f"id: {after}\nevent: log\ndata: {line.model_dump_json()}\n\n"
        if look.standing != told:
            told = look.standing
            yield f"event: progress\ndata: {json.dumps(told)}\n\n"
        looks_left -= look.is_last
        if time.monotonic() >= ends:
            return
        await sleep(LOOK_SECONDS)


def _look(platform: Platform, job_id: UUID, after: int) -> _Look:
    with platform.database.reading() as session:
        job = session.get_one(Job, job_id)
        standing = {"state": job.state, "attempt": job.attempt, "progress": job.progress}
        lines = log_lines(session, job_id, after=after, limit=LINES_A_LOOK)
        return _Look(standing, list(map(JobLogLineOut.model_validate, lines)))


def _job(caller: Governed, job_id: UUID) -> Job:
    job = by_id(caller, Job, job_id)
    caller.require(job_resource(caller.session, job))
    return job
