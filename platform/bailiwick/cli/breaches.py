"""`bailiwick breaches`: deployments that the policies would not allow any more."""

from typing import Annotated

import typer
from rich.console import RenderableType

from bailiwick.cli.api_client import Cursor, Limit, command
from bailiwick.cli.output import facts, moment, page_table, short
from bailiwick.cli.references import whole_id
from bailiwick.client import Bailiwick
from bailiwick.client.shapes import Breach, Page

app = typer.Typer(no_args_is_help=True, help="Deployments out of policy.")


def _breaches(_: Bailiwick, page: Page[Breach]) -> RenderableType:
    rows = (
        (
            short(one["id"]),
            one["state"],
            one["deployment"],
            moment(one["found_at"]),
            moment(one["stop_at"]),
            ", ".join(one["policy_ids"]),
        )
        for one in page["items"]
    )
    return page_table(page, ("BREACH", "STATE", "DEPLOYMENT", "FOUND", "STOPS", "POLICIES"), rows)


def _breach(_: Bailiwick, one: Breach) -> RenderableType:
    return facts(
        {
            "deployment": one["deployment"],
            "state": one["state"],
            "what changed": one["cause"],
            "policies": ", ".join(one["policy_ids"]),
            "what they say": one["reason"],
            "found": moment(one["found_at"]),
            "stops": moment(one["stop_at"]),
            "stopped": moment(one["stopped_at"]),
            "resolved": moment(one["resolved_at"]),
            "resolution": one["resolution"],
            "id": one["id"],
        }
    )


@command(app, "list", show=_breaches)
def list_breaches(
    client: Bailiwick,
    namespace: Annotated[str | None, typer.Option(help="Only of this namespace.")] = None,
    *,
    resolved: Annotated[bool, typer.Option("--resolved", help="Those that are over.")] = False,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[Breach]:
    """Deployments that are out of policy, newest first."""
    return client.breaches.page(open=not resolved, namespace=namespace, limit=limit, cursor=cursor)


@command(app, "show", show=_breach)
def show_breach(
    client: Bailiwick,
    breach: Annotated[str, typer.Argument(metavar="BREACH", help="Its id, or the end of it.")],
) -> Breach:
    """Why a deployment is out of policy, and what becomes of it."""
    return client.breaches.get(whole_id(breach, client.breaches.list(), "breach"))
