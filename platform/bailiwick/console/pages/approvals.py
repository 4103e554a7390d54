"""Approvals: what others ask for, and the answer of whoever may give one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy import case, select

from bailiwick.console.queries import labels_of, names_of
from bailiwick.console.rendering import page
from bailiwick.console.routing import GovernedPage
from bailiwick.console.visibility import visible_approvals
from bailiwick.lifecycle.tables import Evaluation, RetrainingPolicy
from bailiwick.policy import ApprovalRequest, Label, Unseen, approval_resource, decide_approval
from bailiwick.registry import Deployment, ModelVersion, versions_by_id
from bailiwick.web import Caller, Governed, acts

MAX_COMMENT_LENGTH = 1_000
SHOWN_REQUESTS = 100

router = APIRouter(prefix="/console", include_in_schema=False, route_class=GovernedPage)


@dataclass(frozen=True, slots=True)
class RequestRow:
    """A request as the page shows it; `state` knows that open ones expire."""

    request: ApprovalRequest
    label: Label
    state: str
    subject: str
    path: str | None
    evaluation: Evaluation | None
    may_decide: bool


@router.get("/approvals", **acts("approval:list"))
def approvals(request: Request, caller: Governed) -> Response:
    """Open requests first, then the newest decided ones."""
    is_open = (ApprovalRequest.state == "open") & (ApprovalRequest.expires_at > caller.at)
    found = caller.session.scalars(
        select(ApprovalRequest)
        .where(visible_approvals(caller))
        .order_by(case((is_open, 0), else_=1), ApprovalRequest.id.desc())
        .limit(SHOWN_REQUESTS)
    ).all()
    people = [one.requested_by for one in found]
    people += [vote.approver_id for one in found for vote in one.votes]
    return page(
        request,
        caller,
        "approvals.html",
        title="Approvals",
        section="approvals",
        rows=_rows(caller, found),
        names=names_of(caller.session, people),
    )


@router.post("/approvals/{request_id}/decide", **acts("approval:decide"))
def decide(
    caller: Governed,
    request_id: UUID,
    answer: Annotated[Literal["approve", "reject"], Form()],
    comment: Annotated[str, Form(max_length=MAX_COMMENT_LENGTH)] = "",
) -> Response:
    """Give one's answer."""
    found = caller.session.get(ApprovalRequest, request_id)
    if found is None:
        raise Unseen
    caller.decided_by_use_case()
    decide_approval(
        caller.session,
        found,
        rules=caller.rules,
        approve=answer == "approve",
        comment=comment,
        trained_by=_trained_by(caller, found),
        actor=caller.actor,
        at=caller.at,
    )
    return RedirectResponse("/console/approvals", 303)


def _trained_by(caller: Caller, found: ApprovalRequest) -> UUID | None:
    version = caller.session.get(ModelVersion, found.subject_id)
    return version.trained_by if version else None


def _rows(caller: Caller, found: Sequence[ApprovalRequest]) -> list[RequestRow]:
    session = caller.session
    subjects = [one.subject_id for one in found]
    versions = versions_by_id(session, subjects)
    policies = session.execute(
        select(RetrainingPolicy.id, Deployment)
        .join(Deployment, Deployment.id == RetrainingPolicy.deployment_id)
        .where(RetrainingPolicy.id.in_(subjects))
    )
    deployments = dict(policies.all())
    evaluations = session.scalars(select(Evaluation).where(Evaluation.version_id.in_(subjects)))
    evaluated = {evaluation.version_id: evaluation for evaluation in evaluations}
    labels = labels_of(session, [one.label_id for one in found])
    return [
        RequestRow(
            one,
            labels[one.label_id],
            _state(caller, one),
            *_subject(one, versions.get(one.subject_id), deployments.get(one.subject_id)),
            evaluated.get(one.subject_id),
            _may_decide(caller, one, versions.get(one.subject_id)),
        )
        for one in found
    ]


def _state(caller: Caller, one: ApprovalRequest) -> str:
    return "expired" if one.state == "open" and one.expires_at <= caller.at else one.state


def _subject(
    one: ApprovalRequest, version: ModelVersion | None, deployment: Deployment | None
) -> tuple[str, str | None]:
    """What is asked about, in words, and its page."""
    if version is not None:
        name = f"{version.model.namespace}/{version.model.name}"
        path = f"/console/models/{name}/versions/{version.number}"
        return f"{name} version {version.number}", path
    if deployment is not None:
        name = f"Retraining policy of {deployment.namespace}/{deployment.name}"
        return name, f"/console/deployments/{deployment.id}#retraining"
    return one.subject_type.replace("-", " "), None


def _may_decide(caller: Caller, one: ApprovalRequest, version: ModelVersion | None) -> bool:
    if _state(caller, one) != "open":
        return False
    if any(vote.approver_id == caller.principal_id for vote in one.votes):
        return False
    trained_by = version.trained_by if version else None
    resource = approval_resource(caller.session, one, trained_by=trained_by)
    return caller.may(resource, "approval:decide")
