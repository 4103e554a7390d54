"""`bailiwick approval`: what other people should approve."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated

import typer
from rich.console import RenderableType

from bailiwick.cli.api_client import Cursor, Limit, command
from bailiwick.cli.moments import Deadline, utc
from bailiwick.cli.output import facts, moment, page_table, plain, said, short, table
from bailiwick.cli.references import whole_id
from bailiwick.cli.retraining import policy_id, show_request
from bailiwick.client import Bailiwick
from bailiwick.client.shapes import Approval, Comment, Page, Vote
from bailiwick.core.errors import Invalid

app = typer.Typer(no_args_is_help=True, help="Approvals by other people.")

ApprovalId = Annotated[str, typer.Argument(metavar="APPROVAL", help="Its id, or the end of it.")]
Remark = Annotated[str, typer.Option("--comment", help="What was looked at; it is kept.")]
Voice = Annotated[str | None, typer.Option(help="Whose voice, by id, where one was lent to you.")]


class State(StrEnum):
    """Where a request stands."""

    OPEN = "open"
    APPROVED = "approved"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


def _approvals(_: Bailiwick, page: Page[Approval]) -> RenderableType:
    rows = (
        (
            short(one["id"]),
            "void" if one["void"] else one["state"],
            moment(one["created_at"]),
            f"{sum(vote['approve'] for vote in one['votes'])} of {one['required']}",
            f"{one['subject_type']} {one['subject'] or short(one['subject_id'])}",
        )
        for one in page["items"]
    )
    return page_table(page, ("APPROVAL", "STATE", "ASKED", "GIVEN", "FOR"), rows)


def _approval(client: Bailiwick, one: Approval) -> RenderableType:
    voices = [who for vote in one["votes"] for who in (vote["approver_id"], vote["voice_id"])]
    makers = [maker for vote in one["votes"] for maker in vote["vouched_by"]]
    names = client.principals.names([one["requested_by"], one["trained_by"], *voices, *makers])
    votes = {f"  {names[vote['approver_id']]}": _vote(vote, names) for vote in one["votes"]}
    return facts(
        {
            "state": f"{one['state']}, but void: {one['void']}" if one["void"] else one["state"],
            "for": f"{one['subject_type']} {one['subject'] or one['subject_id']}",
            "to": one["purpose"],
            "exactly": one["subject_digest"],
            "approvals needed": one["required"],
            "answers": len(votes),
            **votes,
            "asked by": names[one["requested_by"]],
            "made by": names[one["trained_by"]],
            "asked": moment(one["created_at"]),
            "until": moment(one["expires_at"]),
            "id": one["id"],
        }
    )


def _vote(vote: Vote, names: Mapping[str, str]) -> str:
    own, made = vote["voice_id"] == vote["approver_id"], vote["vouched_by"]
    said = [
        "approved" if vote["approve"] else "rejected",
        moment(vote["at"]),
        "" if own else f"with the voice of {names[vote['voice_id']]}",
        f"with a token that {' and '.join(names[maker] for maker in made)} made" if made else "",
        vote["comment"],
    ]
    return " ".join(part for part in said if part)


def _comments(client: Bailiwick, found: list[Comment]) -> RenderableType:
    if not found:
        return plain("Nobody has said anything.")
    names = client.principals.names(one["author_id"] for one in found)
    rows = ((moment(one["at"]), names[one["author_id"]], one["text"]) for one in found)
    return table(("TIME", "BY", "SAID"), rows)


@command(app, "list", show=_approvals)
def list_approvals(
    client: Bailiwick,
    state: Annotated[State | None, typer.Option(help="Only these.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[Approval]:
    """Requests for approval, newest first."""
    return client.approvals.page(state=state, limit=limit, cursor=cursor)


@command(app, "show", show=_approval)
def show_approval(client: Bailiwick, approval: ApprovalId) -> Approval:
    """A request for approval with its answers."""
    return client.approvals.get(_id(client, approval))


@command(app, "request", show=show_request)
def request(
    client: Bailiwick,
    version: Annotated[
        str | None, typer.Argument(metavar="NAMESPACE/NAME@VERSION", help="A model version.")
    ] = None,
    policy: Annotated[
        str | None, typer.Option(help="A retraining policy instead: its deployment, or its id.")
    ] = None,
    deadline: Deadline = None,
) -> Approval:
    """Ask other people to approve a model version, or a retraining policy."""
    end = utc(deadline) if deadline else None
    if version is not None and policy is None:
        return client.approvals.request(version, expires_at=end)
    if policy is not None and version is None:
        return client.approvals.request_policy(policy_id(client, policy), expires_at=end)
    raise Invalid("name a version (NAMESPACE/NAME@VERSION) or a policy (--policy), one of them")


@command(app, "approve", show=said("The request is {state}."))
def approve(
    client: Bailiwick, approval: ApprovalId, comment: Remark = "", voice: Voice = None
) -> Approval:
    """Approve what somebody else asked for."""
    return client.approvals.decide(
        _id(client, approval), approve=True, comment=comment, voice_id=voice
    )


@command(app, "reject", show=said("The request is {state}."))
def reject(
    client: Bailiwick, approval: ApprovalId, comment: Remark = "", voice: Voice = None
) -> Approval:
    """Reject what somebody else asked for."""
    return client.approvals.decide(
        _id(client, approval), approve=False, comment=comment, voice_id=voice
    )


@command(app, "withdraw", show=said("The request is {state}."))
def withdraw(client: Bailiwick, approval: ApprovalId) -> Approval:
    """Take back what you asked for."""
    return client.approvals.withdraw(_id(client, approval))


@command(app, "comment", show=said("Said."))
def comment(
    client: Bailiwick,
    approval: ApprovalId,
    text: Annotated[str, typer.Argument(help="What to say; it is kept.")],
) -> Comment:
    """Say something about a request without deciding it."""
    return client.approvals.comment(_id(client, approval), text)


@command(app, "comments", show=_comments)
def comments(client: Bailiwick, approval: ApprovalId) -> list[Comment]:
    """What was said about a request, newest first."""
    return list(client.approvals.comments(_id(client, approval)))


def _id(client: Bailiwick, reference: str) -> str:
    return whole_id(reference, client.approvals.list(), "request for approval")
