"""`bailiwick job`: what the platform does on its own, and on request."""

import json
from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.console import RenderableType

from bailiwick.cli.api_client import Cursor, Json, Limit, TokenFile, Url, command, connected
from bailiwick.cli.output import facts, moment, page_table, plain, said, short
from bailiwick.cli.references import whole_id
from bailiwick.cli.training import show_order, waited_for
from bailiwick.client import Bailiwick
from bailiwick.client.shapes import Job, JobEvent, Page
from bailiwick.core.sentences import headline

app = typer.Typer(no_args_is_help=True, help="Jobs.")

JobId = Annotated[str, typer.Argument(metavar="JOB", help="Its id, or the end of it.")]


class State(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Kind(StrEnum):
    """What a job does."""

    TRAIN = "train"
    RETRAIN = "retrain"
    CHECK = "check"
    COMPARE = "compare"
    BACKTEST = "backtest"
    TRIAL = "trial"


def _jobs(_: Bailiwick, page: Page[Job]) -> RenderableType:
    rows = (
        (
            short(one["id"]),
            one["kind"],
            one["state"],
            moment(one["created_at"]),
            headline(_so_far(one)),
        )
        for one in page["items"]
    )
    return page_table(page, ("JOB", "KIND", "STATE", "CREATED", "SO FAR"), rows)


def _job(_: Bailiwick, one: Job) -> RenderableType:
    return facts(
        {
            "kind": one["kind"],
            "state": one["state"],
            "so far": _so_far(one),
            **{f"  {name}": _brief(value) for name, value in (one["result"] or {}).items()},
            "namespace": one["namespace"],
            "attempt": f"{one['attempt']} of {one['max_attempts']}",
            **dict(one["limits"].items()),
            "created": moment(one["created_at"]),
            "started": moment(one["started_at"]),
            "finished": moment(one["finished_at"]),
            "subject": one["subject_id"],
            "id": one["id"],
        }
    )


def _events(_: Bailiwick, page: Page[JobEvent]) -> RenderableType:
    rows = (
        (moment(one["at"]), one["attempt"], one["kind"], one["message"]) for one in page["items"]
    )
    return page_table(page, ("TIME", "ATTEMPT", "EVENT", "MESSAGE"), rows)


@command(app, "list", show=_jobs)
def list_jobs(
    client: Bailiwick,
    state: Annotated[State | None, typer.Option(help="Only these.")] = None,
    kind: Annotated[Kind | None, typer.Option(help="Only these.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[Job]:
    """Jobs, newest first."""
    return client.jobs.page(state=state, kind=kind, limit=limit, cursor=cursor)


@command(app, "show", show=_job)
def show_job(client: Bailiwick, job: JobId) -> Job:
    """A job with its progress and result."""
    return client.jobs.get(_id(client, job))


@command(app, "events", show=_events)
def list_events(
    client: Bailiwick, job: JobId, limit: Limit = 100, cursor: Cursor = None
) -> Page[JobEvent]:
    """What happened to a job, newest first."""
    return client.jobs.events_page(_id(client, job), limit=limit, cursor=cursor)


@app.command("logs")
def logs(
    job: JobId,
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="The last so many lines.")] = 200,
    *,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Stay, and print what comes until it is over.")
    ] = False,
    as_json: Json = False,
    url: Url = None,
    token_file: TokenFile = None,
) -> None:
    """What a job's processes told: stages, figures, kinds and places of faults."""
    with connected(url, token_file) as client:
        job_id = _id(client, job)
        lines = (
            client.jobs.follow(job_id) if follow else client.jobs.log(job_id, limit=limit)["lines"]
        )
        for line in lines:
            if as_json:
                typer.echo(json.dumps(line, ensure_ascii=False))
            else:
                typer.echo(plain(f"{line['at'][:19]}  {line['attempt']}  {line['line']}").plain)


@command(app, "wait", show=show_order)
def wait(client: Bailiwick, job: JobId) -> Job:
    """Wait until a job is done, with a progress bar."""
    return waited_for(client, client.jobs.get(_id(client, job)))


@command(app, "cancel", show=said("The {kind} job is {state}."))
def cancel(client: Bailiwick, job: JobId) -> Job:
    """Stop a job; a running one ends at its worker's next heartbeat."""
    return client.jobs.cancel(_id(client, job))


def _id(client: Bailiwick, reference: str) -> str:
    return whole_id(reference, client.jobs.list(), "job")


def _so_far(job: Job) -> str:
    """The end of a finished job, the progress of a running one."""
    if job["error"] is not None:
        return job["error"]
    if job["result"] is not None:
        return str(job["result"].get("summary", "done"))
    now = job["progress"]
    return f"{now['stage']} {now['step']}/{now['steps']}" if "stage" in now else "-"


def _brief(value: Any) -> object:
    return f"{value:.4g}" if isinstance(value, float) else value
