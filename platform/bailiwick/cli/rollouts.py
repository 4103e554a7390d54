"""`bailiwick deploy rollout`: plans, what is under way, and moving it by hand."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType

from bailiwick.cli.api_client import Cursor, Limit, command
from bailiwick.cli.output import facts, moment, page_table, percent, plain, table
from bailiwick.client import Bailiwick
from bailiwick.client.shapes import Guard, Page, Rollout, RolloutDetail, RolloutPlan, RolloutRun
from bailiwick.core.errors import Invalid

app = typer.Typer(no_args_is_help=True, help="How a deployment comes to a new champion.")

DeploymentName = Annotated[
    str, typer.Argument(metavar="DEPLOYMENT", help="NAMESPACE/NAME, or the id.")
]
Reason = Annotated[str, typer.Option(help="Why; it is kept.")]


def _serving(_: Bailiwick, one: Rollout) -> RenderableType:
    beside = one["challenger"]
    told = "none"
    if beside is not None:
        share = percent(beside["share"]) if beside["state"] == "canary" else "unseen"
        told = f"version {beside['version']} ({beside['state']}, {share})"
    return facts({"answers": f"version {one['version']}", "rolled out beside it": told})


def _plan(_: Bailiwick, one: RolloutPlan) -> RenderableType:
    settings = one["settings"]
    limits = settings.pop("limits")
    shares = ", ".join(percent(share) for share in settings.pop("canary_shares"))
    told = {
        name.replace("_", " "): "" if value is None else str(value)
        for name, value in settings.items()
    }
    told |= {f"limit of {name.replace('_', ' ')}": str(value) for name, value in limits.items()}
    return facts({"canary shares": shares, **told, "set": moment(one["set_at"])})


def _runs(_: Bailiwick, page: Page[RolloutRun]) -> RenderableType:
    rows = (
        (
            moment(one["started_at"]),
            f"{one['from_version']} → {one['to_version']}",
            one["state"],
            percent(one["share"]),
            f"{one['requests']:,}",
            one["ended_why"] or "",
            one["id"],
        )
        for one in page["items"]
    )
    head = ("STARTED", "VERSIONS", "STATE", "SHARE", "REQUESTS", "ENDED BECAUSE", "ID")
    return page_table(page, head, rows)


def _run(_: Bailiwick, one: RolloutDetail) -> RenderableType:
    told = facts(
        {
            "rollout": f"version {one['from_version']} → {one['to_version']}",
            "state": one["state"],
            "step": f"{one['step'] + 1} of {one['steps']}, since {moment(one['step_started_at'])}",
            "share": percent(one["share"]),
            "requests": f"{one['requests']:,} of {one['plan']['min_requests']:,} in this step",
            "labels": f"{one['labels']:,} in this step",
            "ended because": one["ended_why"] or "",
            "id": one["id"],
        }
    )
    moves = (
        (moment(move["at"]), move["move"], percent(move["share"]), move["why"])
        for move in one["moves"]
    )
    return Group(told, _guards(one["guards"]), table(("WHEN", "MOVE", "SHARE", "WHY"), moves))


def _guards(guards: list[Guard]) -> RenderableType:
    rows = (
        (
            f"{one['guard']} ({one['phase']})",
            f"{one['pairs']:,}",
            "" if one["worse_by"] is None else f"{one['worse_by']:+.1%}",
            percent(one["tolerated"]),
            "breached" if one["breached"] else _evidence(one),
        )
        for one in guards
    )
    return table(("GUARD", "PAIRS", "WORSE BY", "TOLERATED", "EVIDENCE"), rows)


def _evidence(one: Guard) -> str:
    """How far to a breach, on the scale of logarithms."""
    return percent(max(one["log_evidence"], 0.0) / one["log_threshold"])


@command(app, "serving", show=_serving)
def show_serving(client: Bailiwick, deployment: DeploymentName) -> Rollout:
    """Which version answers now, or should where another system serves."""
    return client.rollouts.serving(deployment)


@command(app, "show", show=_run)
def show_rollout(
    client: Bailiwick,
    deployment: DeploymentName,
    rollout: Annotated[str | None, typer.Option(help="Its id; default: the newest.")] = None,
) -> RolloutDetail:
    """Where a rollout stands: steps, guards and their evidence, moves."""
    if rollout is None:
        newest = client.rollouts.page(deployment, limit=1)["items"]
        if not newest:
            raise Invalid("this deployment has had no rollout; a promotion under a plan begins one")
        rollout = newest[0]["id"]
    return client.rollouts.get(deployment, rollout)


@command(app, "list", show=_runs)
def list_rollouts(
    client: Bailiwick, deployment: DeploymentName, limit: Limit = 20, cursor: Cursor = None
) -> Page[RolloutRun]:
    """The deployment's rollouts, newest first."""
    return client.rollouts.page(deployment, limit=limit, cursor=cursor)


@command(app, "plan", show=_plan)
def plan(
    client: Bailiwick,
    deployment: DeploymentName,
    shadow_hours: Annotated[float | None, typer.Option(min=0, help="Beside it first.")] = None,
    share: Annotated[list[float] | None, typer.Option(help="Canary shares, in order.")] = None,
    step_hours: Annotated[float | None, typer.Option(min=0, help="Of each canary.")] = None,
    min_requests: Annotated[int | None, typer.Option(min=1, help="Judged in each step.")] = None,
    max_hours: Annotated[float | None, typer.Option(min=0, help="Before it says so.")] = None,
    warm_hours: Annotated[float | None, typer.Option(min=0, help="To go back at once.")] = None,
    file: Annotated[Path | None, typer.Option(help="JSON with these and other settings.")] = None,
) -> RolloutPlan:
    """Show the plan; with options, set it (what is not given takes its default)."""
    given = {
        "shadow_hours": shadow_hours,
        "canary_shares": share or None,
        "step_hours": step_hours,
        "min_requests": min_requests,
        "max_hours": max_hours,
        "warm_hours": warm_hours,
    }
    settings = _read(file) | {name: value for name, value in given.items() if value is not None}
    if not settings:
        return client.rollouts.plan(deployment)
    return client.rollouts.set_plan(deployment, **settings)


@command(app, "unplan", show=lambda _, __: plain("Promotions are followed at once from now on."))
def remove_plan(client: Bailiwick, deployment: DeploymentName) -> dict[str, Any]:
    """Take the plan away: promotions are followed at once."""
    client.rollouts.remove_plan(deployment)
    return {"deployment": deployment, "plan": None}


@command(app, "advance", show=_run)
def advance(client: Bailiwick, deployment: DeploymentName, reason: Reason) -> RolloutDetail:
    """Go to the next step now; not past a guard that is breached."""
    return client.rollouts.advance(deployment, reason=reason)


@command(app, "stop", show=_run)
def stop(client: Bailiwick, deployment: DeploymentName, reason: Reason) -> RolloutDetail:
    """End the rollout that is under way; the champion answers everything."""
    return client.rollouts.stop(deployment, reason=reason)


@command(app, "rollback", show=_run)
def roll_back(client: Bailiwick, deployment: DeploymentName, reason: Reason) -> RolloutDetail:
    """Go back to the version before, also once it is full, while that one is warm."""
    return client.rollouts.roll_back(deployment, reason=reason)


def _read(file: Path | None) -> dict[str, Any]:
    if file is None:
        return {}
    try:
        settings = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise Invalid(f"{file} is no readable JSON: a plan is an object of settings") from error
    if not isinstance(settings, dict):
        raise Invalid(f"{file} holds no object: a plan is an object of settings")
    return settings
