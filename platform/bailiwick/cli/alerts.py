"""`bailiwick alert`: what moved, since when, and where it stands."""

from enum import StrEnum
from typing import Annotated

import typer
from rich.console import RenderableType

from bailiwick.cli.api_client import Cursor, Limit, command
from bailiwick.cli.output import day, facts, moment, page_table, said, short
from bailiwick.cli.references import deployment_names, whole_id
from bailiwick.client import Bailiwick
from bailiwick.client.shapes import Alert, Page

app = typer.Typer(no_args_is_help=True, help="Alerts.")

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
            one["state"],
            names[one["deployment_id"]],
            day(one["since"]),
            f"{one['kind']}: {one['sentence']}",
        )
        for one in page["items"]
    )
    return page_table(page, ("ALERT", "STATE", "DEPLOYMENT", "SINCE", "WHAT MOVED"), rows)


def _alert(client: Bailiwick, one: Alert) -> RenderableType:
    return facts(
        {
            "deployment": client.deployments.name_of(one["deployment_id"]),
            "state": one["state"],
            "kind": one["kind"],
            "what moved": one["sentence"],
            "since": day(one["since"]),
            "opened": moment(one["opened_at"]),
            "acknowledged": moment(one["acknowledged_at"]),
            "resolved": moment(one["resolved_at"]),
            "resolution": one["resolution"],
            "check": one["check_id"],
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


def _id(client: Bailiwick, reference: str) -> str:
    return whole_id(reference, client.alerts.list(), "alert")
