"""`bailiwick waiver`: exceptions for one exact thing, approved by others, for a limited time."""

from enum import StrEnum
from typing import Annotated

import typer
from rich.console import Group, RenderableType

from bailiwick.cli.api_client import Cursor, Limit, command
from bailiwick.cli.labels import Compartments, Level, Purposes, Residency, label_of
from bailiwick.cli.moments import Until, utc
from bailiwick.cli.output import facts, moment, page_table, plain, said, short, words_of
from bailiwick.cli.references import whole_id
from bailiwick.client import Bailiwick
from bailiwick.client.approvals import about
from bailiwick.client.shapes import Page, Waiver

app = typer.Typer(no_args_is_help=True, help="Exceptions that others approved, for a time.")

WaiverId = Annotated[str, typer.Argument(metavar="WAIVER", help="Its id, or the end of it.")]
Reason = Annotated[str, typer.Option(help="Why it should not apply.")]
Evidence = Annotated[str, typer.Option(help="What shows that this is safe; approvers read it.")]


class State(StrEnum):
    """Where a waiver stands."""

    REQUESTED = "requested"
    ACTIVE = "active"
    REJECTED = "rejected"
    ENDED = "ended"
    EXPIRED = "expired"


def _what(one: Waiver) -> str:
    lower = one["waived_label"]
    return f"gate {one['gate']}" if lower is None else f"as {words_of(lower)}"


def _waivers(_: Bailiwick, page: Page[Waiver]) -> RenderableType:
    rows = (
        (
            short(one["id"]),
            "void" if one["void"] else one["state"],
            moment(one["expires_at"]),
            f"{one['subject'] or one['subject_type']}: {_what(one)}",
        )
        for one in page["items"]
    )
    return page_table(page, ("WAIVER", "STATE", "UNTIL", "FOR"), rows)


def _waiver(client: Bailiwick, one: Waiver) -> RenderableType:
    shown = {
        "state": f"{one['state']}, but void: {one['void']}" if one["void"] else one["state"],
        "for": f"{one['subject_type']} {one['subject'] or one['subject_id']}",
        "exactly": one["subject_digest"],
        "label": words_of(one["label"]),
        "waives": _what(one),
        "because": one["reason"],
        "evidence": one["evidence"],
        "asked by": client.principals.names([one["requested_by"]])[one["requested_by"]],
        "asked": moment(one["created_at"]),
        "since": moment(one["started_at"]),
        "until": moment(one["expires_at"]),
    }
    if one["ended_at"]:
        shown["ended"] = f"{moment(one['ended_at'])} {one['end_reason']}"
    return facts(shown | {"approval": one["approval_id"], "id": one["id"]})


def _asked(_: Bailiwick, one: Waiver) -> RenderableType:
    return Group(
        plain(f"Asked for waiver {short(one['id'])}: {_what(one)}."),
        plain(
            f"Another person approves it: bailiwick approval approve {short(one['approval_id'])}"
        ),
    )


@command(app, "list", show=_waivers)
def list_waivers(
    client: Bailiwick,
    state: Annotated[State | None, typer.Option(help="Only these.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[Waiver]:
    """Waivers, newest first."""
    return client.waivers.page(state=state, limit=limit, cursor=cursor)


@command(app, "show", show=_waiver)
def show_waiver(client: Bailiwick, waiver: WaiverId) -> Waiver:
    """A waiver, and whether it acts."""
    return client.waivers.get(_id(client, waiver))


@command(app, "label", show=_asked)
def request_label(
    client: Bailiwick,
    subject: Annotated[
        str,
        typer.Argument(
            help="model:NAMESPACE/NAME@VERSION, dataset:NAMESPACE/NAME[@VERSION] or "
            "deployment:NAMESPACE/NAME."
        ),
    ],
    residency: Residency,
    purpose: Purposes,
    reason: Reason,
    evidence: Evidence,
    until: Until,
    level: Level = "internal",
    compartment: Compartments = None,
) -> Waiver:
    """Ask that something counts as a lower label for a time."""
    kind, _, named = subject.partition(":")
    if kind == "deployment":
        subject = f"deployment:{client.deployments.id_of(named)}"
    return client.waivers.request_label(
        about(subject),
        label_of(level, compartment, residency, purpose),
        reason=reason,
        evidence=evidence,
        expires_at=utc(until),
    )


@command(app, "gate", show=_asked)
def request_gate(
    client: Bailiwick,
    version: Annotated[str, typer.Argument(metavar="NAMESPACE/NAME@VERSION")],
    gate: Annotated[str, typer.Argument(help="A gate that it failed, as in min_accuracy.")],
    reason: Reason,
    evidence: Evidence,
    until: Until,
) -> Waiver:
    """Ask that a version need not pass a gate for a time."""
    return client.waivers.request_gate(
        version, gate, reason=reason, evidence=evidence, expires_at=utc(until)
    )


@command(app, "end", show=said("The waiver is {state}."))
def end(client: Bailiwick, waiver: WaiverId, reason: Reason) -> Waiver:
    """End an active waiver before its time."""
    return client.waivers.end(_id(client, waiver), reason=reason)


def _id(client: Bailiwick, reference: str) -> str:
    return whole_id(reference, client.waivers.list(), "waiver")
