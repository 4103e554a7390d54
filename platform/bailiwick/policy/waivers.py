"""Waivers: exceptions that other people approved, for one exact subject and a limited time.

Two kinds: a lower label (`declassification`), or a gate that need not be passed (`gate`).
States: requested → active → ended; requested → rejected, or ended when it is withdrawn or its
time is over. `policy.waived` says where active ones act.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from bailiwick.audit.log import record
from bailiwick.core.canonical import digest_of
from bailiwick.core.errors import Conflict, Invalid
from bailiwick.core.ids import new_id
from bailiwick.policy.approvals import LIFETIME, WITHDRAWN, request_approval
from bailiwick.policy.bundles import Rules
from bailiwick.policy.classification import Label
from bailiwick.policy.decisions import Actor, Resource
from bailiwick.policy.enforcement import require
from bailiwick.policy.labels import intern_label, load_label
from bailiwick.policy.subjects import Subject
from bailiwick.policy.tables import ApprovalRequest, Waiver
from bailiwick.policy.waived import ACTIVE, DECLASSIFICATION, ENDED, GATE, REJECTED, REQUESTED

WAIVER, PURPOSE = "waiver", "waive"
MAX_DURATION = timedelta(days=365)
MAX_WORDS_LENGTH = 2_000
HAPPENED = {ACTIVE: "began", REJECTED: "rejected", ENDED: "ended"}


@dataclass(frozen=True, slots=True)
class Terms:
    """What is asked for, why, on what evidence, and until when.

    `label`: the lower label of a declassification; `gate`: the gate of the other kind.
    """

    kind: str
    reason: str
    evidence: str
    expires_at: datetime
    label: Label | None = None
    gate: str | None = None

    def __post_init__(self) -> None:
        wanted = {DECLASSIFICATION: (True, False), GATE: (False, True)}.get(self.kind)
        if wanted != (self.label is not None, self.gate is not None):
            raise Invalid(
                f"a waiver is a {DECLASSIFICATION} with a label, or of a {GATE} with its name; "
                "give one of the two"
            )
        for what, words in (("reason", self.reason), ("evidence", self.evidence)):
            if not words.strip() or len(words) > MAX_WORDS_LENGTH:
                raise Invalid(
                    f"a waiver needs its {what} in words, at most {MAX_WORDS_LENGTH} characters: "
                    "whoever approves it will read them"
                )


def request_waiver(
    session: Session,
    subject: Subject,
    terms: Terms,
    *,
    resource: Resource,
    required: int,
    rules: Rules,
    actor: Actor,
    at: datetime,
) -> Waiver:
    """Ask `required` other people for an exception for the subject, which `resource` stands for.

    Raises `Invalid` for a label that is not lower, or a time that is over or longer than
    `MAX_DURATION`. Nothing acts before the last of them has approved.
    """
    require(session, rules, actor=actor, action="waiver:request", resource=resource, at=at)
    if not at < terms.expires_at <= at + MAX_DURATION:
        raise Invalid(
            f"a waiver ends ahead of now, within {MAX_DURATION.days} days; choose another end"
        )
    waiver = Waiver(
        id=new_id(),
        kind=terms.kind,
        namespace=subject.namespace,
        label_id=subject.label_id,
        subject_type=subject.type,
        subject_id=subject.id,
        subject_digest=subject.digest,
        gate=terms.gate,
        waived_label_id=_lower(session, subject, terms.label, rules) if terms.label else None,
        reason=terms.reason.strip(),
        evidence=terms.evidence.strip(),
        state=REQUESTED,
        requested_by=UUID(actor.id),
        created_at=at,
        expires_at=terms.expires_at,
    )
    session.add(waiver)
    session.flush()
    _note(session, waiver, "waiver.requested", UUID(actor.id), at)
    request_approval(
        session,
        waiver_subject(waiver, subject),
        purpose=PURPOSE,
        required=required,
        actor=actor,
        at=at,
        expires_at=min(at + LIFETIME, terms.expires_at),
    )
    return waiver


def waiver_subject(waiver: Waiver, about: Subject) -> Subject:
    """What people approve: these terms, for what the waiver is about as it stands now."""
    content = _content(waiver) | {"subject_digest": about.digest}
    return Subject(
        WAIVER, waiver.id, digest_of(content), waiver.namespace, about.label_id, about.trained_by
    )


def waiver_resource(session: Session, waiver: Waiver) -> Resource:
    """The waiver as the policy sees it: labelled as its subject was."""
    return Resource(
        type="Waiver",
        id=str(waiver.id),
        namespace=waiver.namespace,
        label=load_label(session, waiver.label_id),
        attributes={"requested_by": str(waiver.requested_by)},
    )


def settle_waiver(
    session: Session, request: ApprovalRequest, *, approved: bool, actor: Actor, at: datetime
) -> Waiver:
    """Let the waiver act, or not, now that its request is answered or withdrawn.

    An earlier waiver of the same kind for the same subject ends: there is one at a time.
    """
    waiver = session.get_one(
        Waiver, request.subject_id, with_for_update=True, populate_existing=True
    )
    if waiver.state != REQUESTED or waiver.expires_at <= at:
        raise Conflict("this waiver is over already; request a new one")
    if not approved:
        withdrawn = request.state == WITHDRAWN
        waiver.state = ENDED if withdrawn else REJECTED
        waiver.ended_at, waiver.ended_by = at, UUID(actor.id)
        waiver.end_reason = "withdrawn by who asked" if withdrawn else "rejected"
    else:
        for earlier in _standing_beside(session, waiver):
            _end(session, earlier, f"replaced by waiver {waiver.id}", UUID(actor.id), at)
        session.flush()  # before another one begins: the database allows one at a time
        waiver.state, waiver.started_at = ACTIVE, at
    _note(session, waiver, f"waiver.{HAPPENED[waiver.state]}", UUID(actor.id), at)
    session.flush()
    return waiver


def end_waiver(
    session: Session, waiver: Waiver, *, reason: str, rules: Rules, actor: Actor, at: datetime
) -> Waiver:
    """End an active waiver before its time. Changes that rest on it at this moment go first."""
    resource = waiver_resource(session, waiver)
    require(session, rules, actor=actor, action="waiver:end", resource=resource, at=at)
    if not reason.strip():
        raise Invalid("say why the waiver ends; its history shows it")
    session.refresh(waiver, with_for_update=True)
    if waiver.state != ACTIVE or waiver.expires_at <= at:
        raise Conflict(
            f"this waiver is {standing_of(waiver, at)} and cannot be ended; a request that "
            "waits is withdrawn or rejected"
        )
    _end(session, waiver, reason.strip(), UUID(actor.id), at)
    session.flush()
    return waiver


def expired(session: Session, *, at: datetime) -> Sequence[Waiver]:
    """Those whose time is over and whose end has not been noted."""
    return session.scalars(_over(at)).all()


def end_expired(session: Session, *, at: datetime) -> list[Waiver]:
    """Note the end of all whose time is over; they have not acted since. Those that had."""
    locked = _over(at).with_for_update(skip_locked=True)
    over = session.scalars(locked.execution_options(populate_existing=True)).all()
    acted = [waiver for waiver in over if waiver.state == ACTIVE]
    for waiver in over:
        _end(session, waiver, "its time is over", None, at)
    session.flush()
    return acted


def standing_of(waiver: Waiver, at: datetime) -> str:
    """The state as people should read it: what is past its end has expired, noted or not."""
    over = waiver.state in (REQUESTED, ACTIVE) and waiver.expires_at <= at
    unattended = waiver.state == ENDED and waiver.ended_by is None
    return "expired" if over or unattended else waiver.state


def _over(at: datetime) -> Select[Waiver]:
    standing = Waiver.state.in_((REQUESTED, ACTIVE))
    return select(Waiver).where(standing, Waiver.expires_at <= at).order_by(Waiver.id)


def _lower(session: Session, subject: Subject, label: Label, rules: Rules) -> str:
    """The id of the checked label; `Invalid` unless the subject's own label dominates it."""
    lower = rules.scheme.check(label)
    own = load_label(session, subject.label_id)
    if lower == own or not rules.scheme.dominates(own, lower):
        raise Invalid(
            "a waiver only lowers: choose a label that the subject's own dominates (a level no "
            "higher, no other compartment, no zone or purpose less)"
        )
    return intern_label(session, lower)


def _standing_beside(session: Session, waiver: Waiver) -> list[Waiver]:
    beside = select(Waiver).where(
        Waiver.subject_id == waiver.subject_id,
        Waiver.kind == waiver.kind,
        Waiver.gate.is_not_distinct_from(waiver.gate),
        Waiver.state == ACTIVE,
    )
    return list(session.scalars(beside.with_for_update()))


def _end(
    session: Session, waiver: Waiver, reason: str, ended_by: UUID | None, at: datetime
) -> None:
    """By itself (`ended_by=None`) it ends in the name of whoever asked for it."""
    waiver.state, waiver.end_reason = ENDED, reason
    waiver.ended_at, waiver.ended_by = at, ended_by
    _note(session, waiver, "waiver.ended", ended_by or waiver.requested_by, at)


def _content(waiver: Waiver) -> dict[str, Any]:
    return {
        "kind": waiver.kind,
        "subject_type": waiver.subject_type,
        "subject_id": str(waiver.subject_id),
        "subject_digest": waiver.subject_digest,
        "gate": waiver.gate,
        "waived_label": waiver.waived_label_id,
        "reason": waiver.reason,
        "evidence": waiver.evidence,
        "expires_at": waiver.expires_at.isoformat(),
    }


def _note(session: Session, waiver: Waiver, action: str, actor_id: UUID, at: datetime) -> None:
    """Reason and evidence stay out of the log: they may speak of the data."""
    content: Mapping[str, Any] = _content(waiver)
    record(
        session,
        action,
        subject_type=WAIVER,
        subject_id=waiver.id,
        actor_id=actor_id,
        at=at,
        details={name: content[name] for name in content if name not in ("reason", "evidence")}
        | {"state": waiver.state, "label": waiver.label_id, "terms": digest_of(content)},
    )
