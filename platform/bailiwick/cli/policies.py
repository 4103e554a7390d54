"""`bailiwick policy`: the rules in force, and decisions explained."""

from typing import Annotated

import typer
from rich.console import Group, RenderableType

from bailiwick.cli.api_client import Cursor, Limit, command
from bailiwick.cli.output import facts, moment, page_table, plain, short, table
from bailiwick.cli.references import whole_id
from bailiwick.client import Bailiwick
from bailiwick.client.shapes import Bundle, Decision, Page, Scheme

app = typer.Typer(no_args_is_help=True, help="The rules in force, and decisions explained.")


def _bundle(_: Bailiwick, bundle: Bundle) -> RenderableType:
    rows = ((one["id"], one["effect"], one["reason"]) for one in bundle["policies"])
    return Group(
        table(("POLICY", "EFFECT", "REASON"), rows), "", plain(f"bundle {bundle['digest']}")
    )


def _decisions(_: Bailiwick, page: Page[Decision]) -> RenderableType:
    rows = (
        (
            short(one["id"]),
            moment(one["at"]),
            "allowed" if one["allowed"] else "denied",
            one["action"],
            ", ".join(one["policy_ids"]),
        )
        for one in page["items"]
    )
    return page_table(page, ("DECISION", "TIME", "ANSWER", "ACTION", "POLICIES"), rows)


def _decision(client: Bailiwick, one: Decision) -> RenderableType:
    """The decision with the words of the policies that decided, as they stand today."""
    today = {policy["id"]: policy["text"] for policy in client.rules.policies()["policies"]}
    said = facts(
        {
            "answer": "allowed" if one["allowed"] else "denied",
            "because": one["reason"],
            "action": one["action"],
            "on": f"{one['resource_type']} {one['resource_id']}",
            "by": one["principal_id"],
            "at": moment(one["at"]),
            **{f"  {name}": value for name, value in one["context"].items()},
            "policies": ", ".join(one["policy_ids"]) or "none applied, so it was denied",
            "bundle": one["bundle_digest"],
        }
    )
    texts = [
        Group("", *(plain(line) for line in today[policy].splitlines()))
        for policy in one["policy_ids"]
        if policy in today
    ]
    return Group(said, *texts)


def _scheme(_: Bailiwick, scheme: Scheme) -> RenderableType:
    zones = ((zone, f"in {around}" if around else "") for zone, around in scheme["zones"].items())
    return Group(
        facts({"levels": " < ".join(scheme["levels"])}),
        "",
        table(("COMPARTMENT", "MEANS"), scheme["compartments"].items()),
        "",
        table(("ZONE", "LIES"), zones),
        "",
        table(("PURPOSE", "MEANS"), scheme["purposes"].items()),
    )


@command(app, "show", show=_bundle)
def show_policies(client: Bailiwick) -> Bundle:
    """The policies in force."""
    return client.rules.policies()


@command(app, "words", show=_scheme)
def words(client: Bailiwick) -> Scheme:
    """The levels, compartments, zones and purposes that labels may name."""
    return client.rules.classifications()


@command(app, "decisions", show=_decisions)
def list_decisions(
    client: Bailiwick,
    limit: Limit = 50,
    cursor: Cursor = None,
    *,
    denied: Annotated[bool, typer.Option("--denied", help="Only denials.")] = False,
) -> Page[Decision]:
    """Recorded decisions, newest first: changes that were allowed, and all denials."""
    allowed = False if denied else None
    return client.rules.decisions_page(allowed=allowed, limit=limit, cursor=cursor)


@command(app, "explain", show=_decision)
def explain(
    client: Bailiwick,
    decision: Annotated[str, typer.Argument(help="Its id, or the end of it.")],
) -> Decision:
    """Why something was allowed or denied."""
    return client.rules.decision(whole_id(decision, client.rules.decisions(), "decision"))
