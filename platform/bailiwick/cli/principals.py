"""`bailiwick principal`: people, services and their roles."""

from enum import StrEnum
from typing import Annotated

import typer
from rich.console import Group, RenderableType

from bailiwick.cli import passwords
from bailiwick.cli.api_client import Cursor, Limit, command
from bailiwick.cli.output import facts, moment, page_table, said
from bailiwick.cli.roles import EVERY_NAMESPACE, Namespace, On, Role, roles_of
from bailiwick.client import Bailiwick
from bailiwick.client.shapes import Me, Page, Principal

app = typer.Typer(no_args_is_help=True, help="People, services and their roles.")
app.registered_commands.extend(passwords.app.registered_commands)

Name = Annotated[str, typer.Argument(metavar="NAME")]


class Kind(StrEnum):
    """Who may approve, and who may only ask."""

    PERSON = "person"
    SERVICE = "service"


def _principals(_: Bailiwick, page: Page[Principal]) -> RenderableType:
    rows = (
        (
            one["name"],
            one["kind"],
            "active" if one["disabled_at"] is None else "disabled",
            _cleared(one),
            roles_of(one),
        )
        for one in page["items"]
    )
    return page_table(page, ("NAME", "KIND", "IS", "CLEARED FOR", "ROLES"), rows)


def show_principal(_: Bailiwick, one: Principal) -> RenderableType:
    """A principal with its roles."""
    return facts(
        {
            "name": one["name"],
            "kind": one["kind"],
            "cleared for": _cleared(one),
            "roles": roles_of(one),
            "disabled": moment(one["disabled_at"]),
            "created": moment(one["created_at"]),
            "id": one["id"],
        }
    )


@command(app, "list", show=_principals)
def list_principals(client: Bailiwick, limit: Limit = 50, cursor: Cursor = None) -> Page[Principal]:
    """People and services, newest first."""
    return client.principals.page(limit=limit, cursor=cursor)


@command(app, "show", show=show_principal)
def show_one(client: Bailiwick, name: Name) -> Principal:
    """A person or service."""
    return client.principals.get(name)


def show_me(client: Bailiwick, one: Me) -> RenderableType:
    """The caller, and what their token narrows."""
    token = one["token"]
    if token is None or (token["scopes"] is None and token["namespaces"] is None):
        return show_principal(client, one)
    narrowed = {
        "token is for": ", ".join(token["scopes"] or ["everything"]),
        "token works in": ", ".join(token["namespaces"] or ["every namespace"]),
    }
    return Group(show_principal(client, one), facts(narrowed))


@command(app, "me", show=show_me)
def me(client: Bailiwick) -> Me:
    """Who your token stands for."""
    return client.me()


@command(app, "create", show=show_principal)
def create(
    client: Bailiwick,
    name: Name,
    kind: Annotated[Kind, typer.Option(help="Services never approve.")],
    role: Annotated[list[Role] | None, typer.Option(help="May be repeated.")] = None,
    namespace: Namespace = EVERY_NAMESPACE,
    clearance: Annotated[str | None, typer.Option(help="The highest level they may see.")] = None,
    compartment: Annotated[list[str] | None, typer.Option(help="Need to know.")] = None,
) -> Principal:
    """Create a person or service with roles."""
    return client.principals.create(
        name,
        kind=kind.value,
        clearance_level=clearance,
        clearance_compartments=compartment or [],
        roles=[(held.value, namespace) for held in role or []],
    )


@command(app, "grant", show=show_principal)
def grant(
    client: Bailiwick,
    name: Name,
    role: Annotated[Role, typer.Argument()],
    namespace: Namespace = EVERY_NAMESPACE,
    on: On = None,
) -> Principal:
    """Grant a role."""
    return client.principals.grant(name, role, namespace=namespace, on=on)


@command(app, "revoke", show=said("The role is taken away."))
def revoke(
    client: Bailiwick,
    name: Name,
    role: Annotated[Role, typer.Argument()],
    namespace: Namespace = EVERY_NAMESPACE,
    on: On = None,
) -> None:
    """Take a role away."""
    client.principals.revoke(name, role, namespace=namespace, on=on)


@command(app, "disable", show=said("{name} is disabled: no token of theirs is accepted."))
def disable(client: Bailiwick, name: Name) -> Principal:
    """Accept none of a principal's tokens any more."""
    return client.principals.disable(name)


@command(app, "enable", show=said("{name} is accepted again, with the tokens that have not ended."))
def enable(client: Bailiwick, name: Name) -> Principal:
    """Accept a disabled principal again."""
    return client.principals.update(name, disabled=False)


@command(app, "clearance", show=show_principal)
def clearance(
    client: Bailiwick,
    name: Name,
    level: Annotated[str | None, typer.Option(help="The highest level they may see.")] = None,
    compartment: Annotated[
        list[str] | None, typer.Option(help="All that they need to know; may be repeated.")
    ] = None,
    *,
    no_compartment: Annotated[bool, typer.Option(help="They need to know none.")] = False,
) -> Principal:
    """Change what a principal is cleared for; nobody their own."""
    compartments = [] if no_compartment else compartment or None
    return client.principals.update(
        name, clearance_level=level, clearance_compartments=compartments
    )


def _cleared(one: Principal) -> str:
    return " / ".join([one["clearance_level"], ", ".join(one["clearance_compartments"])]).strip(
        " /"
    )
