"""`bailiwick group`: principals that hold the same roles."""

from typing import Annotated

import typer
from rich.console import RenderableType

from bailiwick.cli.api_client import Cursor, Limit, command
from bailiwick.cli.output import day, facts, moment, page_table, said, table
from bailiwick.cli.roles import EVERY_NAMESPACE, Namespace, On, Role, roles_of
from bailiwick.client import Bailiwick
from bailiwick.client.shapes import Group, Member, Page

app = typer.Typer(no_args_is_help=True, help="Groups, their members and roles.")

Name = Annotated[str, typer.Argument(metavar="GROUP")]
Who = Annotated[str, typer.Argument(metavar="PRINCIPAL")]
Claim = Annotated[str | None, typer.Option(help="The identity provider's word for it.")]


def _groups(_: Bailiwick, page: Page[Group]) -> RenderableType:
    rows = (
        (one["name"], one["members"], one["claim"] or "-", roles_of(one)) for one in page["items"]
    )
    return page_table(page, ("NAME", "MEMBERS", "CLAIM", "ROLES"), rows)


def _group(_: Bailiwick, one: Group) -> RenderableType:
    return facts(
        {
            "name": one["name"],
            "description": one["description"],
            "claim": one["claim"],
            "roles": roles_of(one),
            "members": one["members"],
            "created": moment(one["created_at"]),
            "id": one["id"],
        }
    )


def _members(_: Bailiwick, members: list[Member]) -> RenderableType:
    rows = ((one["principal"], day(one["since"]), one["source"]) for one in members)
    return table(("PRINCIPAL", "SINCE", "COMES FROM"), rows)


@command(app, "list", show=_groups)
def list_groups(client: Bailiwick, limit: Limit = 50, cursor: Cursor = None) -> Page[Group]:
    """Groups, newest first."""
    return client.groups.page(limit=limit, cursor=cursor)


@command(app, "show", show=_group)
def show(client: Bailiwick, name: Name) -> Group:
    """A group."""
    return client.groups.get(name)


@command(app, "members", show=_members)
def members(client: Bailiwick, name: Name) -> list[Member]:
    """Who is in a group."""
    return list(client.groups.members(name))


@command(app, "create", show=_group)
def create(
    client: Bailiwick,
    name: Name,
    description: Annotated[str, typer.Option(help="What it is for.")] = "",
    claim: Claim = None,
) -> Group:
    """Create a group; it has no members and gives nothing yet."""
    return client.groups.create(name, description=description, claim=claim)


@command(app, "map", show=_group)
def map_claim(client: Bailiwick, name: Name, claim: Claim = None) -> Group:
    """Map a claim to a group; without --claim members come by hand only."""
    return client.groups.update(name, claim=claim)


@command(app, "add", show=said("{principal} is a member."))
def add(client: Bailiwick, name: Name, principal: Who) -> Member:
    """Add a member by hand."""
    return client.groups.add(name, principal)


@command(app, "remove", show=said("They are no member any more."))
def remove(client: Bailiwick, name: Name, principal: Who) -> None:
    """End a membership."""
    client.groups.remove(name, principal)


@command(app, "grant", show=_group)
def grant(
    client: Bailiwick,
    name: Name,
    role: Annotated[Role, typer.Argument()],
    namespace: Namespace = EVERY_NAMESPACE,
    on: On = None,
) -> Group:
    """Grant a role to all members."""
    return client.groups.grant(name, role, namespace=namespace, on=on)


@command(app, "revoke", show=said("The role is taken away from all members."))
def revoke(
    client: Bailiwick,
    name: Name,
    role: Annotated[Role, typer.Argument()],
    namespace: Namespace = EVERY_NAMESPACE,
    on: On = None,
) -> None:
    """Take a role away from all members."""
    client.groups.revoke(name, role, namespace=namespace, on=on)
