"""Approvals: other people's answers about one exact subject.

States: `open` → `approved` | `rejected` | `withdrawn`. An open or approved one past its
`expires_at`, or whose subject has another digest or label by now, counts for nothing.
`policy.votes` takes the answers.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, and_, select
from sqlalchemy.orm import Session

from bailiwick.audit.log import record
from bailiwick.core.errors import Invalid
from bailiwick.core.ids import new_id
from bailiwick.policy.decisions import Actor, Resource
from bailiwick.policy.labels import load_label
from bailiwick.policy.subjects import Subject
from bailiwick.policy.tables import ApprovalRequest, ApprovalVote

LIFETIME, MAX_LIFETIME = timedelta(days=14), timedelta(days=90)
OPEN, APPROVED, REJECTED, WITHDRAWN = "open", "approved", "rejected", "withdrawn"
EXPIRED = "expired"  # open past its deadline: never stored


def request_approval(
    session: Session,
    subject: Subject,
    *,
    purpose: str,
    required: int,
    actor: Actor,
    at: datetime,
    expires_at: datetime | None = None,
    evidence: Sequence[Mapping[str, str]] = (),
) -> ApprovalRequest:
    """Ask for `required` approvals; an open request for the same state is returned as it is.

    `expires_at`: the deadline, at most `MAX_LIFETIME` away. `evidence`: [{type, id, digest}] of
    what was found out about the subject. Whether the actor may ask is the
    caller's to require; this works for every kind of subject.
    """
    deadline = at + LIFETIME if expires_at is None else expires_at
    if not at < deadline <= at + MAX_LIFETIME:
        raise Invalid(
            f"the deadline must lie ahead, by at most {MAX_LIFETIME.days} days; choose another"
        )
    standing = session.scalar(
        select(ApprovalRequest).where(
            ApprovalRequest.subject_id == subject.id,
            ApprovalRequest.subject_digest == subject.digest,
            ApprovalRequest.label_id == subject.label_id,
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
        trained_by=subject.trained_by or UUID(actor.id),
        required=required,
        state=OPEN,
        created_at=at,
        expires_at=deadline,
        evidence=list(map(dict, evidence)),
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
            **({"evidence": request.evidence} if evidence else {}),
        },
    )
    return request


def attach_evidence(
    session: Session,
    subject: Subject,
    evidence: Mapping[str, str],
    *,
    purpose: str,
    actor_id: UUID,
    at: datetime,
) -> None:
    """Lay what was found out ({type, id, digest}) before those who are to answer about it.

    To the open requests about exactly this state; they change by it, so that an answer given in
    ignorance of it (`If-Match`) is refused.
    """
    asked = session.scalars(
        select(ApprovalRequest).where(
            ApprovalRequest.subject_id == subject.id,
            ApprovalRequest.subject_digest == subject.digest,
            ApprovalRequest.purpose == purpose,
            stands(OPEN, at),
        )
    )
    for request in asked:
        request.evidence = [*request.evidence, dict(evidence)]
        session.flush()
        record(
            session,
            "approval.evidence-attached",
            subject_type="approval",
            subject_id=request.id,
            actor_id=actor_id,
            at=at,
            details=dict(evidence),
        )


def approval_resource(session: Session, request: ApprovalRequest) -> Resource:
    """The request as the policy sees it."""
    return Resource(
        type="Approval",
        id=str(request.id),
        namespace=request.namespace,
        label=load_label(session, request.label_id),
        attributes={
            "requested_by": str(request.requested_by),
            "trained_by": str(request.trained_by),
        },
    )


def standing_state(request: ApprovalRequest, at: datetime) -> str:
    """The request's state as people should read it: open ones expire."""
    expired = request.state == OPEN and request.expires_at <= at
    return EXPIRED if expired else request.state


def stands(state: str, at: datetime) -> ColumnElement[bool]:
    """The condition for `standing_state` to answer `state`."""
    expired = and_(ApprovalRequest.state == OPEN, ApprovalRequest.expires_at <= at)
    return expired if state == EXPIRED else and_(ApprovalRequest.state == state, ~expired)


def why_void(request: ApprovalRequest, subject: Subject | None) -> str | None:
    """Why the answers count for nothing, given the subject as it stands now; None if they do.

    `subject=None`: it cannot be told how it stands now, so nothing is said.
    """
    if subject is None:
        return None
    if subject.digest != request.subject_digest:
        return "it has changed since it was asked about: ask again for what it is now"
    if subject.label_id != request.label_id:
        return "its label has changed since it was asked about: ask again under the label of now"
    return None


def count_approvals(session: Session, subject: Subject, *, purpose: str, at: datetime) -> int:
    """Distinct people, with distinct voices, who approved exactly this digest and label.

    A request counts while it has not expired; a label that has risen since voids it.
    """
    return approvals_by_subject(session, [subject], purpose=purpose, at=at)[subject.id]


def approvals_by_subject(
    session: Session, subjects: Sequence[Subject], *, purpose: str, at: datetime
) -> Counter[UUID]:
    """The same for many subjects, by their ids, in one query."""
    rows = session.execute(
        select(
            ApprovalRequest.subject_id,
            ApprovalRequest.subject_digest,
            ApprovalRequest.label_id,
            ApprovalVote.approver_id,
            ApprovalVote.voice_id,
        )
        .join(ApprovalVote, ApprovalVote.request_id == ApprovalRequest.id)
        .where(
            ApprovalRequest.subject_id.in_([subject.id for subject in subjects]),
            ApprovalRequest.purpose == purpose,
            ApprovalRequest.state == APPROVED,
            ApprovalRequest.expires_at > at,
            ApprovalVote.approve,
        )
    )
    states = {subject.id: (subject.digest, subject.label_id) for subject in subjects}
    people, voices = defaultdict[UUID, set[UUID]](set), defaultdict[UUID, set[UUID]](set)
    for found, digest, label, approver, voice in rows:
        if states[found] == (digest, label):
            people[found].add(approver)
            voices[found].add(voice)
    # Over several requests one person may have lent a voice here and used it there.
    return Counter({found: min(len(people[found]), len(voices[found])) for found in people})
