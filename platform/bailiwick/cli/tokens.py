"""`bailiwick token`: API tokens."""

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated

import typer
from rich.console import RenderableType
from rich.text import Text

from bailiwick.cli.api_client import Cursor, Limit, command
from bailiwick.cli.output import moment, page_table, said, short
from bailiwick.cli.references import whole_id
from bailiwick.client import Bailiwick
from bailiwick.client.shapes import NewToken, Page, Token
from bailiwick.core.errors import Invalid

app = typer.Typer(no_args_is_help=True, help="API tokens.")


class State(StrEnum):
    """Whether it is accepted, and if not, why."""

    IN_FORCE = "in-force"
    EXPIRED = "expired"
    REVOKED = "revoked"


def _tokens(client: Bailiwick, page: Page[Token]) -> RenderableType:
    names = client.principals.names(one["principal_id"] for one in page["items"])
    rows = (
        (
            short(one["id"]),
            names[one["principal_id"]],
            _state(one),
            moment(one["last_used_at"]),
            moment(one["expires_at"]),
            one["name"],
        )
        for one in page["items"]
    )
    return page_table(page, ("TOKEN", "PRINCIPAL", "IS", "LAST USED", "EXPIRES", "NAME"), rows)


def _state(one: Token) -> State:
    if one["revoked_at"]:
        return State.REVOKED
    end = one["expires_at"]
    ended = end is not None and datetime.fromisoformat(end) <= datetime.now(UTC)
    return State.EXPIRED if ended else State.IN_FORCE


def _new(_: Bailiwick, made: NewToken) -> RenderableType:
    """The token alone, so that it can be sent to a file."""
    typer.echo("This is shown once; keep it where only its owner can read it.", err=True)
    return Text(made["token"], no_wrap=True, overflow="ignore")


@command(app, "list", show=_tokens)
def list_tokens(
    client: Bailiwick,
    principal: Annotated[str | None, typer.Option(help="Only those of this principal.")] = None,
    state: Annotated[State | None, typer.Option(help="Only these.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[Token]:
    """What is known of tokens, newest first; never the tokens themselves."""
    return client.tokens.page(limit=limit, cursor=cursor, principal=principal, state=state)


@command(app, "create", show=_new)
def create(
    client: Bailiwick,
    principal: Annotated[str, typer.Argument(help="Whose it is.")],
    name: Annotated[str, typer.Option(help="What it is for.")] = "command line",
    days: Annotated[int | None, typer.Option(min=1, help="It expires after so many.")] = None,
    scope: Annotated[
        list[str] | None, typer.Option(help="What it is for; may be repeated.")
    ] = None,
    namespace: Annotated[list[str] | None, typer.Option(help="Where; may be repeated.")] = None,
    *,
    never_expires: Annotated[bool, typer.Option("--never-expires")] = False,
) -> NewToken:
    """Make a token. It is printed this once, alone: send it to a file for --token-file."""
    if never_expires and days is not None:
        raise Invalid("--days and --never-expires: choose one of them")
    expires_at = None if days is None else datetime.now(UTC) + timedelta(days=days)
    return client.tokens.create(
        principal,
        name=name,
        expires_at="never" if never_expires else expires_at,
        scopes=scope or None,
        namespaces=namespace or None,
    )


@command(app, "revoke", show=said("The token is refused from now on."))
def revoke(
    client: Bailiwick, token: Annotated[str, typer.Argument(help="Its id, or the end of it.")]
) -> None:
    """Refuse a token from now on."""
    client.tokens.revoke(whole_id(token, client.tokens.list(), "token"))
