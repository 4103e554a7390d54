"""`bailiwick principal`: people, services and their roles."""

from enum import StrEnum
from typing import Annotated

import typer
from rich.console import RenderableType

from bailiwick.cli.api_client import Cursor, Limit, command
from bailiwick.cli.output import facts, moment, page_table, said
from bailiwick.client import Bailiwick
from bailiwick.client.shapes import Page, Principal

app = typer.Typer(no_args_is_help=True, help="People, services and their roles.")

EVERY_NAMESPACE = "*"
Name = Annotated[str, typer.Argument(metavar="NAME")]
Namespace = Annotated[str, typer.Option(help="Only in this namespace.", show_default="every one")]


class Kind(StrEnum):
    """Who may approve, and who may only ask."""

    PERSON = "person"
    SERVICE = "service"


class Role(StrEnum):
    """What one may do."""

    ADMIN = "admin"
    STEWARD = "steward"
    ENGINEER = "engineer"
    APPROVER = "approver"
    AUDITOR = "auditor"
    SERVICE = "service"


def _principals(_: Bailiwick, page: Page[Principal]) -> RenderableType:
    rows = (
        (
            one["name"],
            one["kind"],
            "active" if one["disabled_at"] is None else "disabled",
            _cleared(one),
            _roles(one),
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
            "roles": _roles(one),
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


@command(app, "me", show=show_principal)
def me(client: Bailiwick) -> Principal:
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
) -> Principal:
    """Grant a role."""
    return client.principals.grant(name, role, namespace=namespace)


@command(app, "revoke", show=said("The role is taken away."))
def revoke(
    client: Bailiwick,
    name: Name,
    role: Annotated[Role, typer.Argument()],
    namespace: Namespace = EVERY_NAMESPACE,
) -> None:
    """Take a role away."""
    client.principals.revoke(name, role, namespace=namespace)


@command(app, "disable", show=said("{name} is disabled: no token of theirs is accepted."))
def disable(client: Bailiwick, name: Name) -> Principal:
    """Accept none of a principal's tokens any more."""
    return client.principals.disable(name)


def _cleared(one: Principal) -> str:
    return " / ".join([one["clearance_level"], ", ".join(one["clearance_compartments"])]).strip(
        " /"
    )


def _roles(one: Principal) -> str:
    return ", ".join(
        held["role"]
        if held["namespace"] == EVERY_NAMESPACE
        else f"{held['role']}@{held['namespace']}"
        for held in one["roles"]
    )
