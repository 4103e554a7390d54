"""`bailiwick alert`: what moved, since when, and where it stands."""

from enum import StrEnum
from typing import Annotated

import typer
from rich.console import Group, RenderableType

from bailiwick.cli.api_client import Cursor, Limit, command
from bailiwick.cli.channels import app as channels
from bailiwick.cli.output import (
    day,
    facts,
    moment,
    page_table,
    plain,
    said,
    short,
    table,
)
from bailiwick.cli.references import deployment_names, whole_id
from bailiwick.cli.silences import app as silences
from bailiwick.client import Bailiwick
from bailiwick.client.shapes import Alert, AlertEvent, AlertTimeline, Delivery, Page
from bailiwick.core.durations import duration
from bailiwick.core.sentences import headline

app = typer.Typer(no_args_is_help=True, help="Alerts.")
app.add_typer(silences, name="silence")
app.add_typer(channels, name="channel")

AlertId = Annotated[str, typer.Argument(metavar="ALERT", help="Its id, or the end of it.")]


class State(StrEnum):
    """Where an alert stands."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


def _alerts(client: Bailiwick, page: Page[Alert]) -> RenderableType:
    names = deployment_names(client, page)
    rows = (
        (
            short(one["id"]),
            one["state"] + (" (silenced)" if one["silenced_until"] else ""),
            names[one["deployment_id"]],
            day(one["since"]),
            f"{one['severity']}, {one['kind']}: {headline(one['sentence'])}",
        )
        for one in page["items"]
    )
    return page_table(page, ("ALERT", "STATE", "DEPLOYMENT", "SINCE", "WHAT MOVED"), rows)


def _alert(client: Bailiwick, one: Alert) -> RenderableType:
    return facts(
        {
            "deployment": client.deployments.name_of(one["deployment_id"]),
            "state": one["state"],
            "severity": one["severity"],
            "kind": one["kind"],
            "cause": one["cause"],
            "silenced until": moment(one["silenced_until"]),
            "what moved": one["sentence"],
            "since": day(one["since"]),
            "opened": moment(one["opened_at"]),
            "reopened": moment(one["reopened_at"]),
            "acknowledged": moment(one["acknowledged_at"]),
            "resolved": moment(one["resolved_at"]),
            "resolution": one["resolution"],
            "check": one["check_id"],
            "incident": one["incident_id"],
            "loss by labels": one["label_incident_id"],
            "breach": one["breach_id"],
            "id": one["id"],
        }
    )


@command(app, "list", show=_alerts)
def list_alerts(
    client: Bailiwick,
    state: Annotated[State | None, typer.Option(help="Only these.")] = None,
    deployment: Annotated[str | None, typer.Option(help="Only of NAMESPACE/NAME, or id.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[Alert]:
    """Alerts, newest first."""
    return client.alerts.page(state=state, deployment=deployment, limit=limit, cursor=cursor)


@command(app, "show", show=_alert)
def show_alert(client: Bailiwick, alert: AlertId) -> Alert:
    """An alert: what moved, since when, and where it stands."""
    return client.alerts.get(_id(client, alert))


@command(app, "acknowledge", show=said("Acknowledged: {sentence}"))
def acknowledge(client: Bailiwick, alert: AlertId) -> Alert:
    """Say that you are looking."""
    return client.alerts.acknowledge(_id(client, alert))


@command(app, "resolve", show=said("Resolved: {sentence}"))
def resolve(
    client: Bailiwick,
    alert: AlertId,
    reason: Annotated[str, typer.Option(help="Why it is over; it is kept.")],
) -> Alert:
    """Close an alert with a reason."""
    return client.alerts.resolve(_id(client, alert), resolution=reason)


def _history(_: Bailiwick, events: list[AlertEvent]) -> RenderableType:
    rows = (
        (
            one["number"],
            moment(one["at"]),
            one["move"],
            one["new_state"],
            one["severity"],
            one["why"],
        )
        for one in events
    )
    return table(("NO", "WHEN", "MOVE", "STATE", "LOUDNESS", "WHY"), rows)


@command(app, "history", show=_history)
def history(client: Bailiwick, alert: AlertId) -> list[AlertEvent]:
    """How an alert came to where it stands, newest first."""
    return list(client.alerts.events(_id(client, alert)))


def _timeline(_: Bailiwick, found: AlertTimeline) -> RenderableType:
    rows = (
        (f"+{duration(one['seconds'])}", moment(one["at"]), one["sentence"])
        for one in found["moments"]
    )
    answered = found["seconds_to_answer"]
    said = "no champion yet that was trained for it"
    if answered is not None:
        said = f"{duration(answered)} from the change to a champion that was trained for it"
    return Group(table(("AFTER", "WHEN", "WHAT"), rows), plain(said))


@command(app, "timeline", show=_timeline)
def timeline(client: Bailiwick, alert: AlertId) -> AlertTimeline:
    """From the change to its answer: detection, training, gates, rollout."""
    return client.alerts.timeline(_id(client, alert))


def _told(_: Bailiwick, messages: list[Delivery]) -> RenderableType:
    rows = (
        (
            one["channel"],
            one["state"],
            one["attempts"],
            moment(one["due_at"]),
            one["last_error"] or "-",
        )
        for one in messages
    )
    return table(("CHANNEL", "STATE", "TRIED", "DUE", "WHAT WENT WRONG"), rows)


@command(app, "deliveries", show=_told)
def deliveries(client: Bailiwick, alert: AlertId) -> list[Delivery]:
    """Who was told of an alert, who will be, and what went wrong."""
    return list(client.alerts.deliveries(_id(client, alert)))


def _id(client: Bailiwick, reference: str) -> str:
    return whole_id(reference, client.alerts.list(), "alert")
