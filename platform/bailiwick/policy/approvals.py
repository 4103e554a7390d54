"""Approvals: other people's answers about one exact subject.

States: `open` → `approved` | `rejected`. An open or approved one past its `expires_at`, or whose
subject has another digest by now, counts for nothing.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from bailiwick.audit.log import record
from bailiwick.core.errors import Conflict
from bailiwick.core.ids import new_id
from bailiwick.policy.decisions import Actor, Resource
from bailiwick.policy.enforcement import Rules, require
from bailiwick.policy.labels import load_label
from bailiwick.policy.tables import ApprovalRequest, ApprovalVote

LIFETIME = timedelta(days=14)
OPEN, APPROVED, REJECTED = "open", "approved", "rejected"


@dataclass(frozen=True, slots=True)
class Subject:
    """What is to be approved: a thing and the digest of the state it is in."""

    type: str
    id: UUID
    digest: str
    namespace: str
    label_id: str
    trained_by: UUID | None = None


def request_approval(
    session: Session,
    subject: Subject,
    *,
    purpose: str,
    required: int,
    actor: Actor,
    at: datetime,
) -> ApprovalRequest:
    """Ask for `required` approvals; an open request for the same digest is returned as it is."""
    standing = session.scalar(
        select(ApprovalRequest).where(
            ApprovalRequest.subject_id == subject.id,
            ApprovalRequest.subject_digest == subject.digest,
            ApprovalRequest.purpose == purpose,
            ApprovalRequest.state == OPEN,
            ApprovalRequest.expires_at > at,
        )
    )
    if standing is not None:
        return standing
    request = ApprovalRequest(
        id=new_id(),
        namespace=subject.namespace,
        label_id=subject.label_id,
        subject_type=subject.type,
        subject_id=subject.id,
        subject_digest=subject.digest,
        purpose=purpose,
        requested_by=UUID(actor.id),
        required=required,
        state=OPEN,
        created_at=at,
        expires_at=at + LIFETIME,
    )
    session.add(request)
    session.flush()
    record(
        session,
        "approval.requested",
        subject_type="approval",
        subject_id=request.id,
        actor_id=UUID(actor.id),
        at=at,
        details={
            "subject": {"type": subject.type, "id": str(subject.id), "digest": subject.digest},
            "purpose": purpose,
            "required": required,
        },
    )
    return request


def approval_resource(
    session: Session, request: ApprovalRequest, *, trained_by: UUID | None = None
) -> Resource:
    """The request as the policy sees it."""
    return Resource(
        type="Approval",
        id=str(request.id),
        namespace=request.namespace,
        label=load_label(session, request.label_id),
        attributes={
            "requested_by": str(request.requested_by),
            "trained_by": str(trained_by or request.requested_by),
        },
    )


def decide_approval(
    session: Session,
    request: ApprovalRequest,
    *,
    rules: Rules,
    approve: bool,
    comment: str,
    trained_by: UUID | None,
    actor: Actor,
    at: datetime,
) -> ApprovalRequest:
    """Give one person's answer. One rejection rejects; `required` approvals approve.

    The policy refuses the requester, the trainer and services; the database refuses the
    requester and a second answer by the same person, whatever the policy says.
    """
    require(
        session,
        rules,
        actor=actor,
        action="approval:decide",
        resource=approval_resource(session, request, trained_by=trained_by),
        at=at,
    )
    session.refresh(request, with_for_update=True)  # two people may answer at the same moment
    if request.state == OPEN and request.expires_at <= at:
        raise Conflict("this approval request has expired; ask for a new one")
    if request.state != OPEN:
        raise Conflict(f"this approval request is {request.state} already")
    session.add(
        ApprovalVote(
            request_id=request.id,
            requested_by=request.requested_by,
            approver_id=UUID(actor.id),
            approve=approve,
            comment=comment,
            at=at,
        )
    )
    session.flush()
    session.refresh(request, ["votes"])
    if not approve:
        request.state = REJECTED
    elif sum(vote.approve for vote in request.votes) >= request.required:
        request.state = APPROVED
    record(
        session,
        "approval.decided",
        subject_type="approval",
        subject_id=request.id,
        actor_id=UUID(actor.id),
        at=at,
        details={
            "approve": approve,
            "state": request.state,
            "subject_digest": request.subject_digest,
        },
    )
    session.flush()
    return request


def count_approvals(session: Session, subject: Subject, *, purpose: str, at: datetime) -> int:
    """Distinct people who approved exactly this digest in a request that has not expired."""
    return approvals_by_subject(session, [subject], purpose=purpose, at=at)[subject.id]


def approvals_by_subject(
    session: Session, subjects: Sequence[Subject], *, purpose: str, at: datetime
) -> Counter[UUID]:
    """The same for many subjects, by their ids, in one query."""
    rows = session.execute(
        select(ApprovalRequest.subject_id, ApprovalRequest.subject_digest, ApprovalVote.approver_id)
        .join(ApprovalVote, ApprovalVote.request_id == ApprovalRequest.id)
        .where(
            ApprovalRequest.subject_id.in_([subject.id for subject in subjects]),
            ApprovalRequest.purpose == purpose,
            ApprovalRequest.state == APPROVED,
            ApprovalRequest.expires_at > at,
            ApprovalVote.approve,
        )
        .distinct()
    )
    digests = {subject.id: subject.digest for subject in subjects}
    return Counter(found for found, digest, _ in rows if digests[found] == digest)
