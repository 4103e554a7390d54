"""`bailiwick approval`: what other people should approve."""

from enum import StrEnum
from typing import Annotated

import typer
from rich.console import RenderableType

from bailiwick.cli.api_client import Cursor, Limit, command
from bailiwick.cli.output import facts, moment, page_table, said, short
from bailiwick.cli.references import whole_id
from bailiwick.cli.retraining import policy_id, show_request
from bailiwick.client import Bailiwick
from bailiwick.client.shapes import Approval, Page
from bailiwick.core.errors import Invalid

app = typer.Typer(no_args_is_help=True, help="Approvals by other people.")

ApprovalId = Annotated[str, typer.Argument(metavar="APPROVAL", help="Its id, or the end of it.")]
Comment = Annotated[str, typer.Option(help="What was looked at; it is kept.")]


class State(StrEnum):
    """Where a request stands."""

    OPEN = "open"
    APPROVED = "approved"
    REJECTED = "rejected"


def _approvals(_: Bailiwick, page: Page[Approval]) -> RenderableType:
    rows = (
        (
            short(one["id"]),
            one["state"],
            moment(one["created_at"]),
            f"{sum(vote['approve'] for vote in one['votes'])} of {one['required']}",
            f"{one['subject_type']} {short(one['subject_id'])} in {one['namespace']}",
        )
        for one in page["items"]
    )
    return page_table(page, ("APPROVAL", "STATE", "ASKED", "GIVEN", "FOR"), rows)


def _approval(_: Bailiwick, one: Approval) -> RenderableType:
    votes = {
        f"  {short(vote['approver_id'])}": (
            f"{'approved' if vote['approve'] else 'rejected'} {moment(vote['at'])} "
            f"{vote['comment']}"
        ).strip()
        for vote in one["votes"]
    }
    return facts(
        {
            "state": one["state"],
            "for": f"{one['subject_type']} {one['subject_id']}",
            "to": one["purpose"],
            "exactly": one["subject_digest"],
            "approvals needed": one["required"],
            "answers": len(votes),
            **votes,
            "asked by": one["requested_by"],
            "asked": moment(one["created_at"]),
            "until": moment(one["expires_at"]),
            "id": one["id"],
        }
    )


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
) -> Approval:
    """Ask other people to approve a model version, or a retraining policy."""
    if version is not None and policy is None:
        return client.approvals.request(version)
    if policy is not None and version is None:
        return client.approvals.request_policy(policy_id(client, policy))
    raise Invalid("name a version (NAMESPACE/NAME@VERSION) or a policy (--policy), one of them")


@command(app, "approve", show=said("The request is {state}."))
def approve(client: Bailiwick, approval: ApprovalId, comment: Comment = "") -> Approval:
    """Approve what somebody else asked for."""
    return client.approvals.decide(_id(client, approval), approve=True, comment=comment)


@command(app, "reject", show=said("The request is {state}."))
def reject(client: Bailiwick, approval: ApprovalId, comment: Comment = "") -> Approval:
    """Reject what somebody else asked for."""
    return client.approvals.decide(_id(client, approval), approve=False, comment=comment)


def _id(client: Bailiwick, reference: str) -> str:
    return whole_id(reference, client.approvals.list(), "request for approval")
