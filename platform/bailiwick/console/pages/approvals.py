"""Approvals: what others ask for, what is said about it, and the answer of whoever may give one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy import case, select

from bailiwick.access import names_of
from bailiwick.console.exceptions import lower_label, pages_of
from bailiwick.console.queries import labels_of
from bailiwick.console.rendering import page
from bailiwick.console.routing import GovernedPage
from bailiwick.console.visibility import visible_approvals
from bailiwick.lifecycle import waivers
from bailiwick.lifecycle.subjects import known_subjects, void_reasons
from bailiwick.lifecycle.tables import Backtest, BacktestResult, Evaluation, Job
from bailiwick.policy import (
    Actor,
    ApprovalComment,
    ApprovalRequest,
    Delegation,
    Label,
    Unseen,
    Waiver,
    approval_resource,
    comment_on_approval,
    standing_state,
    withdraw_approval,
)
from bailiwick.policy.delegations import involving, lenders_to, standing_of, usable_voices
from bailiwick.policy.votes import why_heard
from bailiwick.web import Caller, Governed, acts, visible_backtests

MAX_COMMENT_LENGTH = 2_000
SHOWN_REQUESTS, SHOWN_DELEGATIONS = 100, 20
HOME = "/console/approvals"

router = APIRouter(prefix="/console", include_in_schema=False, route_class=GovernedPage)

Words = Annotated[str, Form(max_length=MAX_COMMENT_LENGTH)]


@dataclass(frozen=True, slots=True)
class RequestRow:
    """A request as the page shows it; `state` knows that open ones expire."""

    request: ApprovalRequest
    label: Label
    state: str
    void: str | None
    subject: str
    path: str | None
    evaluation: Evaluation | None
    waiver: Waiver | None
    waived_label: Label | None
    comments: Sequence[ApprovalComment]
    voices: Sequence[Actor]
    may_comment: bool
    may_withdraw: bool


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
    rows = _rows(caller, found)
    lent = caller.session.scalars(
        select(Delegation)
        .where(involving(caller.principal_id))
        .order_by(Delegation.id.desc())
        .limit(SHOWN_DELEGATIONS)
    ).all()
    people = [person for row in rows for person in _people(row)]
    people += [person for one in lent for person in (one.from_id, one.to_id)]
    return page(
        request,
        caller,
        "approvals.html",
        title="Approvals",
        section="approvals",
        rows=rows,
        replayed=_replayed(caller, found),
        delegations=[(one, standing_of(one, caller.at)) for one in lent],
        may_lend_in=sorted(
            place
            for place, held in caller.actor.roles.items()
            if "approver" in held and "/" not in place
        ),
        names=names_of(caller.session, people),
    )


@router.post("/approvals/{request_id}/decide", **acts("approval:decide"))
def decide(
    caller: Governed,
    request_id: UUID,
    answer: Annotated[Literal["approve", "reject"], Form()],
    comment: Words = "",
    voice: Annotated[UUID | None, Form()] = None,
) -> Response:
    """Give one's answer, in one's own voice or a lent one."""
    waivers.decide(
        caller.session,
        _found(caller, request_id),
        rules=caller.rules,
        approve=answer == "approve",
        comment=comment,
        voice_id=voice,
        actor=caller.actor,
        at=caller.at,
    )
    return _back(request_id)


@router.post("/approvals/{request_id}/comments", **acts("approval:comment"))
def comment(caller: Governed, request_id: UUID, text: Words) -> Response:
    """Say something without deciding."""
    comment_on_approval(
        caller.session,
        _found(caller, request_id),
        text,
        rules=caller.rules,
        actor=caller.actor,
        at=caller.at,
    )
    return _back(request_id)


@router.post("/approvals/{request_id}/withdraw", **acts("approval:request"))
def withdraw(caller: Governed, request_id: UUID) -> Response:
    """Take one's question back."""
    found = _found(caller, request_id)
    withdraw_approval(caller.session, found, rules=caller.rules, actor=caller.actor, at=caller.at)
    return _back(request_id)


def _found(caller: Caller, request_id: UUID) -> ApprovalRequest:
    found = caller.session.get(ApprovalRequest, request_id)
    if found is None:
        raise Unseen
    caller.require(approval_resource(caller.session, found), action="approval:read")
    return found


def _back(request_id: UUID) -> Response:
    return RedirectResponse(f"{HOME}#request-{request_id}", 303)


def _rows(caller: Caller, found: Sequence[ApprovalRequest]) -> list[RequestRow]:
    session = caller.session
    subjects = [one.subject_id for one in found]
    known = known_subjects(session, ((one.subject_type, one.subject_id) for one in found))
    paths = pages_of(session, known.values())
    void = void_reasons(session, found, known)
    judged = session.scalars(select(Evaluation).where(Evaluation.version_id.in_(subjects)))
    evaluations = {evaluation.version_id: evaluation for evaluation in judged}
    asked = {one.id: one for one in session.scalars(select(Waiver).where(Waiver.id.in_(subjects)))}
    labels = labels_of(session, [one.label_id for one in found])
    comments = _comments(caller, found)
    lenders = lenders_to(session, caller.actor, at=caller.at)
    rows = []
    for one in found:
        about, resource = known.get(one.subject_id), approval_resource(session, one)
        shown = about is not None and one.id not in void  # else it may be above the caller by now
        is_open = standing_state(one, caller.at) == "open" and one.id not in void
        waiver = asked.get(one.subject_id)
        rows.append(
            RequestRow(
                request=one,
                label=labels[one.label_id],
                state=standing_state(one, caller.at),
                void=void.get(one.id),
                subject=about.name if about and shown else one.subject_type.replace("-", " "),
                path=paths.get(one.subject_id) if shown else None,
                evaluation=evaluations.get(one.subject_id) if shown else None,
                waiver=waiver,
                waived_label=lower_label(session, waiver) if waiver else None,
                comments=comments.get(one.id, []),
                voices=_unused(one, caller, lenders) if is_open else [],
                may_comment=caller.may(resource, "approval:comment"),
                may_withdraw=is_open
                and one.requested_by == caller.principal_id
                and caller.may(resource, "approval:request"),
            )
        )
    return rows


def _replayed(caller: Caller, found: Sequence[ApprovalRequest]) -> dict[str, BacktestResult]:
    """The backtests that requests carry as evidence, as far as the caller may see them, by id."""
    ids = [UUID(str(one["id"])) for request in found for one in request.evidence]
    if not ids:
        return {}
    query = (
        select(BacktestResult)
        .join(Backtest, Backtest.id == BacktestResult.backtest_id)
        .join(Job, Job.id == Backtest.job_id)
        .where(Backtest.id.in_(ids), visible_backtests(caller))
    )
    return {str(one.backtest_id): one for one in caller.session.scalars(query)}


def _unused(
    one: ApprovalRequest, caller: Caller, lenders: list[tuple[str, Actor]]
) -> Sequence[Actor]:
    """The voices that the caller could still use on a request."""
    resource = approval_resource(caller.session, one)
    voices = usable_voices(resource, lenders, rules=caller.rules, actor=caller.actor, at=caller.at)
    return [voice for voice in voices if why_heard(one, caller.actor, voice) is None]


def _comments(
    caller: Caller, found: Sequence[ApprovalRequest]
) -> dict[UUID, list[ApprovalComment]]:
    said: dict[UUID, list[ApprovalComment]] = {}
    rows = caller.session.scalars(
        select(ApprovalComment)
        .where(ApprovalComment.request_id.in_([one.id for one in found]))
        .order_by(ApprovalComment.id)
    )
    for row in rows:
        said.setdefault(row.request_id, []).append(row)
    return said


def _people(row: RequestRow) -> list[UUID]:
    votes = [who for vote in row.request.votes for who in vote.people]
    return [row.request.requested_by, *votes, *(one.author_id for one in row.comments)]
