"""`bailiwick delegation`: approvers' voices, lent to other people for a time."""

from typing import Annotated

import typer
from rich.console import RenderableType

from bailiwick.cli.api_client import Cursor, Limit, command
from bailiwick.cli.moments import Since, Until, utc
from bailiwick.cli.output import moment, page_table, said, short
from bailiwick.cli.references import whole_id
from bailiwick.client import Bailiwick
from bailiwick.client.shapes import Delegation, Page

app = typer.Typer(no_args_is_help=True, help="Approvers' voices, lent to others for a time.")


def _delegations(_: Bailiwick, page: Page[Delegation]) -> RenderableType:
    rows = (
        (
            short(one["id"]),
            one["state"],
            f"{short(one['from_id'])} > {short(one['to_id'])}",
            moment(one["until"]),
            f"{one['namespace']}: {one['reason']}",
        )
        for one in page["items"]
    )
    return page_table(page, ("DELEGATION", "STATE", "FROM > TO", "UNTIL", "WHERE AND WHY"), rows)


@command(app, "list", show=_delegations)
def list_delegations(
    client: Bailiwick, limit: Limit = 50, cursor: Cursor = None
) -> Page[Delegation]:
    """Voices that are or were lent, newest first."""
    return client.delegations.page(limit=limit, cursor=cursor)


@command(
    app,
    "lend",
    show=said("Lent until {until}. Who was lent it votes with --voice {from_id}, or without."),
)
def lend(
    client: Bailiwick,
    to: Annotated[str, typer.Argument(help="The name of another person.")],
    namespace: Annotated[str, typer.Option(help="Where; * for everywhere.")],
    reason: Annotated[str, typer.Option(help="Why; it is kept.")],
    until: Until,
    since: Since = None,
) -> Delegation:
    """Lend one's voice to another person. It counts once, whoever uses it."""
    return client.delegations.create(
        to,
        namespace=namespace,
        reason=reason,
        until=utc(until),
        since=utc(since) if since else None,
    )


@command(app, "revoke", show=said("Taken back."))
def revoke(
    client: Bailiwick,
    delegation: Annotated[str, typer.Argument(help="Its id, or the end of it.")],
) -> None:
    """Take one's voice back. Answers that were given with it stand."""
    client.delegations.revoke(whole_id(delegation, client.delegations.list(), "delegation"))
