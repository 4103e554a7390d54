"""`bailiwick monitor traffic`: windows of traffic, what they are held to, and what they say."""

from typing import Annotated

import typer
from rich.console import Group, RenderableType

from bailiwick.cli.api_client import Cursor, Limit, command
from bailiwick.cli.moments import DayFrom, DayTo, span, utc
from bailiwick.cli.output import facts, moment, page_table, plain, short, table
from bailiwick.cli.references import whole_id
from bailiwick.cli.training import Wait, show_order, waited_for
from bailiwick.client import Bailiwick
from bailiwick.client.shapes import Incident, Job, Page, TrafficBaseline, WatchedWindow, Watching

app = typer.Typer(no_args_is_help=True, help="Windows of traffic, and what they say.")

DeploymentName = Annotated[
    str, typer.Argument(metavar="DEPLOYMENT", help="NAMESPACE/NAME, or the id.")
]
IncidentId = Annotated[str, typer.Argument(metavar="INCIDENT", help="Its id, or how that ends.")]
Reason = Annotated[str, typer.Option(help="Why; it is kept.")]
Alarms = Annotated[bool, typer.Option("--alarms", help="Only windows that alarmed.")]

SPAN = "START..END"
Before = Annotated[str, typer.Option(metavar=SPAN, help="The earlier span, in UTC: days or hours.")]
After = Annotated[str, typer.Option(metavar=SPAN, help="The later span.")]
Texts = Annotated[bool, typer.Option("--texts", help="Compare words too, where texts are kept.")]


def _watching(_: Bailiwick, one: Watching) -> RenderableType:
    baseline, incident = one["baseline"], one["incident"]
    return facts(
        {
            "judged until": moment(one["judged_until"]),
            "waits for": one["waits_for"] or "",
            "baseline": _baseline_in_words(baseline) if baseline else "none yet",
            "watches": ", ".join(baseline["watched"]) if baseline else "",
            "does not watch": ", ".join(baseline["unwatched"]) if baseline else "",
            "incident": incident["sentence"] if incident else "none",
        }
    )


def _baseline_in_words(one: TrafficBaseline) -> str:
    return (
        f"{one['grade']}, {one['rows']:,} rows from {moment(one['first'])} to "
        f"{moment(one['end'])} in windows of {one['window_hours']} h"
    )


def _windows(_: Bailiwick, page: Page[WatchedWindow]) -> RenderableType:
    rows = (
        (
            moment(one["start"]),
            f"{one['hours']} h",
            f"{one['rows']:,}",
            "alarm" if one["alarm"] else f"{one['evidence'] / one['threshold']:.1%}",
            ", ".join(one["features"]),
        )
        for one in page["items"]
    )
    return page_table(page, ("WINDOW", "LENGTH", "ROWS", "EVIDENCE", "MOVED"), rows)


def _baselines(_: Bailiwick, page: Page[TrafficBaseline]) -> RenderableType:
    rows = (
        (
            short(one["id"]),
            one["grade"],
            one["origin"],
            moment(one["first"]),
            moment(one["end"]),
            f"{one['rows']:,}",
            one["reason"],
        )
        for one in page["items"]
    )
    return page_table(page, ("BASELINE", "IS", "OF", "FROM", "TO", "ROWS", "WHY"), rows)


def _baseline(_: Bailiwick, one: TrafficBaseline) -> RenderableType:
    return plain(f"Baseline {short(one['id'])}: {_baseline_in_words(one)}.")


def _incidents(_: Bailiwick, page: Page[Incident]) -> RenderableType:
    rows = (
        (
            short(one["id"]),
            one["ended_as"] or "stands",
            moment(one["since"]),
            one["cause"],
            one["sentence"],
        )
        for one in page["items"]
    )
    return page_table(page, ("INCIDENT", "IS", "SINCE", "CAUSE", "FOUND"), rows)


def _incident(_: Bailiwick, one: Incident) -> RenderableType:
    told = facts(
        {
            "found": one["sentence"],
            "cause": one["cause"],
            "effect": one["effect"] or "not known yet",
            "is": one["ended_as"] or "standing",
            "since": moment(one["since"]),
            "at the earliest": moment(one["since_earliest"]),
            "at the latest": moment(one["since_latest"]),
            "alarmed": moment(one["opened_at"]),
            "again": moment(one["confirmed_at"]),
            "ended": moment(one["ended_at"]),
            "because": one["reason"] or "",
            "id": one["id"],
        }
    )
    rows = (
        (move["feature"], figure["name"], f"{figure['before']:.4g}", f"{figure['after']:.4g}")
        for move in one["moves"]
        for figure in move["figures"]
    )
    return Group(told, table(("FEATURE", "FIGURE", "BEFORE", "AFTER"), rows))


@command(app, "show", show=_watching)
def show_traffic(client: Bailiwick, deployment: DeploymentName) -> Watching:
    """Where the watching of a deployment's traffic stands, and what it waits for."""
    return client.traffic.watching(deployment)


@command(app, "windows", show=_windows)
def list_windows(
    client: Bailiwick,
    deployment: DeploymentName,
    alarms: Alarms = False,  # noqa: FBT002 - a flag of the command line
    limit: Limit = 24,
    cursor: Cursor = None,
) -> Page[WatchedWindow]:
    """The windows that were judged, newest first; at 100 % of evidence one alarms."""
    alarm = True if alarms else None
    return client.traffic.windows_page(deployment, alarm=alarm, limit=limit, cursor=cursor)


@command(app, "baselines", show=_baselines)
def list_baselines(
    client: Bailiwick, deployment: DeploymentName, limit: Limit = 20, cursor: Cursor = None
) -> Page[TrafficBaseline]:
    """What windows were and are held to, newest first."""
    return client.traffic.baselines_page(deployment, limit=limit, cursor=cursor)


@command(app, "rebase", show=_baseline)
def make_baseline(
    client: Bailiwick, deployment: DeploymentName, first: DayFrom, end: DayTo, reason: Reason
) -> TrafficBaseline:
    """Hold windows to the traffic of these days from now on."""
    return client.traffic.make_baseline(deployment, first=utc(first), end=utc(end), reason=reason)


@command(app, "compare", show=show_order)
def compare(
    client: Bailiwick,
    deployment: DeploymentName,
    before: Before,
    after: After,
    *,
    texts: Texts = False,
    wait: Wait = False,
) -> Job:
    """Have a classifier learn to tell two spans of requests apart, and say how well it can."""
    job = client.traffic.compare(deployment, span(before), span(after), texts=texts)
    return waited_for(client, job) if wait else job


@command(app, "incidents", show=_incidents)
def list_incidents(
    client: Bailiwick, deployment: DeploymentName, limit: Limit = 20, cursor: Cursor = None
) -> Page[Incident]:
    """Changes of a deployment's traffic, newest first."""
    return client.traffic.incidents_page(deployment, limit=limit, cursor=cursor)


@command(app, "incident", show=_incident)
def show_incident(client: Bailiwick, deployment: DeploymentName, incident: IncidentId) -> Incident:
    """One change: what moved, since when, by how much."""
    return client.traffic.incident(deployment, _id(client, deployment, incident))


@command(app, "accept", show=_incident)
def accept(
    client: Bailiwick, deployment: DeploymentName, incident: IncidentId, reason: Reason
) -> Incident:
    """Call a change the new normal; the next baseline is made of the days since."""
    return client.traffic.accept(deployment, _id(client, deployment, incident), reason=reason)


def _id(client: Bailiwick, deployment: str, incident: str) -> str:
    return whole_id(incident, client.traffic.incidents(deployment), "incident")
