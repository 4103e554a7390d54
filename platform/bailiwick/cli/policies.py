"""`bailiwick policy`: the rules in force, how they change, and decisions explained."""

from pathlib import Path
from typing import Annotated, Any

import typer

from bailiwick.cli import policy_views as views
from bailiwick.cli.api_client import Cursor, Json, Limit, TokenFile, Url, command, connected
from bailiwick.cli.output import plain, print_json, print_text
from bailiwick.cli.references import whole_id
from bailiwick.client import Bailiwick
from bailiwick.client.shapes import (
    Activation,
    Bundle,
    Decision,
    Explanation,
    Page,
    Policy,
    RulesInForce,
    Scheme,
)
from bailiwick.core.errors import BailiwickError, Invalid, NotFound
from bailiwick.core.resources import bundled
from bailiwick.core.settings import read_settings
from bailiwick.lifecycle.rulesets import Ruleset
from bailiwick.policy import Rules, read_bundle
from bailiwick.policy.bundle_diff import diff_bundles
from bailiwick.policy.bundle_tests import run_bundle_tests

app = typer.Typer(
    no_args_is_help=True, help="The rules in force, how they change, and decisions explained."
)

EXIT_FAILED = 1
SHORTEST_DIGEST = 6

Folder = Annotated[
    Path | None, typer.Argument(help="A bundle's folder; default: the one this installation has.")
]
Digest = Annotated[str, typer.Argument(help="The bundle's digest, or the beginning of it.")]
Reason = Annotated[str, typer.Option(help="Why; it is kept in the audit log.")]
Last = Annotated[int, typer.Option(min=1, max=10_000, help="How many decisions to ask again.")]


@command(app, "show", show=views.rules_in_force)
def show_policies(client: Bailiwick) -> RulesInForce:
    """The policies in force."""
    return client.rules.policies()


@command(app, "words", show=views.scheme)
def words(client: Bailiwick) -> Scheme:
    """The levels, compartments, zones and purposes that labels may name."""
    return client.rules.classifications()


@command(app, "decisions", show=views.decisions)
def list_decisions(
    client: Bailiwick,
    principal: Annotated[str | None, typer.Option(help="Of this principal.")] = None,
    action: Annotated[str | None, typer.Option(help="Of this action.")] = None,
    namespace: Annotated[str | None, typer.Option(help="In this namespace.")] = None,
    since: Annotated[str | None, typer.Option(help="From this moment on (RFC 3339).")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    *,
    denied: Annotated[bool, typer.Option("--denied", help="Only denials.")] = False,
) -> Page[Decision]:
    """Recorded decisions, newest first: changes that were allowed, and all denials."""
    return client.rules.decisions_page(
        principal=principal,
        action=action,
        namespace=namespace,
        since=since,
        allowed=False if denied else None,
        limit=limit,
        cursor=cursor,
    )


@command(app, "explain", show=views.explained)
def explain(
    client: Bailiwick,
    what: Annotated[str, typer.Argument(help="A policy, or a decision: its id, or its end.")],
) -> Explanation | Policy:
    """Why something was allowed or denied, and what would change that; or what a policy says."""
    policies = {one["id"]: one for one in client.rules.policies()["policies"]}
    if what in policies:
        return policies[what]
    return client.rules.decision(whole_id(what, client.rules.decisions(), "decision or policy"))


@command(app, "list", show=views.bundles)
def list_bundles(client: Bailiwick, limit: Limit = 50, cursor: Cursor = None) -> Page[Bundle]:
    """The bundles that were proposed, newest first."""
    return client.rules.bundles_page(limit=limit, cursor=cursor)


@command(app, "propose", show=views.proposal)
def propose(
    client: Bailiwick,
    folder: Annotated[Path, typer.Argument(help="The bundle's folder.")],
    note: Annotated[str, typer.Option(help="What changes, and why.")] = "",
    last: Last = 1_000,
) -> dict[str, Any]:
    """Propose a bundle: it is checked, and another person is asked to approve it."""
    bundle = client.rules.propose(_texts(folder), note=note, last=last)
    asked = client.rules.request_approval(bundle["digest"]) if bundle["passed"] else None
    return {"bundle": bundle, "approval": asked}


@command(app, "activate", show=views.activation)
def activate(client: Bailiwick, digest: Digest, *, reason: Reason) -> Activation:
    """Put a bundle in force that passed its checks and was approved by another person."""
    return client.rules.activate(_whole_digest(client, digest), reason=reason)


@command(app, "rollback", show=views.activation)
def roll_back(
    client: Bailiwick,
    to: Annotated[str | None, typer.Option(help="Another bundle that has been in force.")] = None,
    *,
    reason: Reason,
) -> Activation:
    """Bring back the bundle that was in force before."""
    digest = None if to is None else _whole_digest(client, to)
    return client.rules.roll_back(reason=reason, digest=digest)


@app.command("test")
def run_tests(folder: Folder = None, *, as_json: Json = False) -> None:
    """Run a bundle's own tests, without a server. Exits with 1 if one fails."""
    files = read_bundle(folder or read_settings().policies or bundled("policies"))
    failures = _faults(files) or run_bundle_tests(files)
    if as_json:
        print_json({"failures": failures})
    else:
        for failure in failures:
            print_text(plain(failure))
        told = f"{len(failures)} failed." if failures else "All of the bundle's tests passed."
        print_text(plain(told))
    if failures:
        raise typer.Exit(EXIT_FAILED)


@app.command("diff")
def diff(
    one: Annotated[str, typer.Argument(metavar="DIR|DIGEST", help="A bundle.")],
    other: Annotated[
        str | None,
        typer.Argument(metavar="[DIR|DIGEST]", help="What it became; without it, ONE is compared."),
    ] = None,
    last: Last = 1_000,
    *,
    as_json: Json = False,
    url: Url = None,
    token_file: TokenFile = None,
) -> None:
    """What differs between two bundles, or between the one in force and this one.

    Two folders are compared without a server. A folder that is compared with what is in force is
    put the questions of the last decisions, too.
    """
    if other is not None and Path(one).is_dir() and Path(other).is_dir():
        old, new = (Rules.load(Path(folder)) for folder in (one, other))
        _tell(diff_bundles(old, new), as_json=as_json)
        return
    with connected(url, token_file) as client:
        if other is not None:
            old, new = (_rules(client, reference) for reference in (one, other))
            _tell(diff_bundles(old, new), as_json=as_json)
        elif Path(one).is_dir():
            found = client.rules.dry_run(_texts(Path(one)), last=last)
            if as_json:
                print_json(found)
            else:
                print_text(views.changes(found))
        else:
            _tell(client.rules.diff(_whole_digest(client, one)), as_json=as_json)


def _tell(difference: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(difference)
    else:
        print_text(views.difference(difference))


def _faults(files: dict[str, bytes]) -> list[str]:
    """What keeps a bundle from being loaded at all."""
    try:
        Ruleset.of(files)
    except BailiwickError as error:
        return [error.message]
    return []


def _texts(folder: Path) -> dict[str, str]:
    try:
        return {name: content.decode() for name, content in read_bundle(folder).items()}
    except UnicodeDecodeError as error:
        raise Invalid(f"a file of the bundle is not UTF-8 text ({error})") from error


def _rules(client: Bailiwick, reference: str) -> Rules:
    """A bundle from a folder, or as it is kept."""
    if Path(reference).is_dir():
        return Rules.load(Path(reference))
    kept = client.rules.bundle(_whole_digest(client, reference))
    return Rules.of({name: text.encode() for name, text in kept["files"].items()})


def _whole_digest(client: Bailiwick, beginning: str) -> str:
    found = [one["digest"] for one in client.rules.bundles() if one["digest"].startswith(beginning)]
    if len(beginning) < SHORTEST_DIGEST or len(found) > 1:
        raise Invalid(f"give more of the digest than {beginning!r}")
    if not found:
        raise NotFound(f"no bundle's digest begins with {beginning}; `bailiwick policy list`")
    return found[0]
