"""Asking for exceptions and letting others approve them, as tests need it again and again."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from bailiwick.access import Principal
from bailiwick.lifecycle.subjects import Thing
from bailiwick.lifecycle.waivers import decide, request_waiver
from bailiwick.policy import ApprovalRequest, Label, Waiver
from bailiwick.policy.waivers import Terms
from factories import CONFIDENTIAL, Factory

LOW = replace(CONFIDENTIAL, level="internal", compartments=frozenset())
MONTH = timedelta(days=30)


def terms(at: datetime, *, label: Label | None = LOW, **changes: Any) -> Terms:
    """A lower label for a month, or what the changes say."""
    values: dict[str, Any] = {
        "kind": "declassification",
        "label": label,
        "reason": "it holds no names",
        "evidence": "scan of 5 January: no findings",
        "expires_at": at + MONTH,
    }
    return Terms(**values | changes)


def excuse(at: datetime, gate: str, **changes: Any) -> Terms:
    """A gate that need not be passed for a month."""
    return terms(at, label=None, kind="gate", gate=gate, **changes)


def asked(make: Factory, thing: Thing, wanted: Terms | None = None, **more: Any) -> Waiver:
    """The engineer's request."""
    return request_waiver(
        make.session,
        thing,
        wanted or terms(make.at),
        rules=make.platform.rules,
        tiers=make.platform.tiers,
        actor=make.actor(more.get("by", make.engineer)),
        at=more.get("at", make.at),
    )


def request_of(make: Factory, waiver: Waiver) -> ApprovalRequest:
    """The request for approval that was opened for the waiver."""
    return make.session.query(ApprovalRequest).filter_by(subject_id=waiver.id).one()


def answered(make: Factory, waiver: Waiver, *, approve: bool = True, **more: Any) -> Waiver:
    """The waiver after the approver, or somebody else, answered."""
    answer(make, request_of(make, waiver), approve=approve, **more)
    return waiver


def answer(
    make: Factory, request: ApprovalRequest, *, approve: bool = True, **more: Any
) -> ApprovalRequest:
    """Somebody's answer."""
    by: Principal = more.get("by", make.approver)
    return decide(
        make.session,
        request,
        rules=make.platform.rules,
        approve=approve,
        comment=more.get("comment", ""),
        actor=make.actor(by),
        at=more.get("at", make.at),
        voice_id=more.get("voice_id"),
    )


def acting(make: Factory, thing: Thing, wanted: Terms | None = None, **more: Any) -> Waiver:
    """A waiver that others have approved."""
    return answered(make, asked(make, thing, wanted, **more))
