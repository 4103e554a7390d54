"""`bailiwick access-review`: who can do what on what, as of any moment, and who used it."""

import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import RenderableType

from bailiwick.cli.api_client import Cursor, Json, Limit, TokenFile, Url, connected
from bailiwick.cli.output import moment, page_table, print_json, print_text
from bailiwick.cli.roles import place_of
from bailiwick.client.shapes import AccessReview
from bailiwick.core.errors import Invalid

app = typer.Typer(help="Who can do what on what, and who used it.")

MOMENTS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"]


@app.command("access-review")
def access_review(
    at: Annotated[
        datetime | None,
        typer.Option(formats=MOMENTS, help="The moment, UTC unless it says; default: now."),
    ] = None,
    namespace: Annotated[str | None, typer.Option(help="Only what works there.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    *,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print the whole report as CSV.")] = False,
    as_json: Json = False,
    url: Url = None,
    token_file: TokenFile = None,
) -> None:
    """Who held which role where, how they came by it, and what they did with it."""
    if as_csv and as_json:
        raise Invalid("--csv and --json: choose one of them")
    if at is not None and at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    with connected(url, token_file) as client:
        if as_csv:
            with tempfile.TemporaryDirectory() as folder:
                file = client.access_reviews.export(
                    Path(folder) / "access.csv", at=at, namespace=namespace
                )
                typer.echo(file.read_text(encoding="utf-8"), nl=False)
            return
        page = client.access_reviews.page(at=at, namespace=namespace, limit=limit, cursor=cursor)
        if as_json:
            print_json(page)
        else:
            print_text(_shown(page))


def _shown(page: AccessReview) -> RenderableType:
    rows = (
        (
            one["principal"] + (" (disabled)" if one["disabled"] else ""),
            one["role"],
            one["group"] or "-",
            one["uses"],
            moment(one["last_used_at"]),
            place_of(one),
        )
        for one in page["items"]
    )
    return page_table(page, ("WHO", "IS", "THROUGH", "USES", "LAST USED", "WHERE"), rows)
