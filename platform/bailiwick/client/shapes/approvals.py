"""Approvals, the voices that give them, and waivers."""

from typing import TypedDict

from bailiwick.client.shapes.common import Label


class Vote(TypedDict):
    """One person's answer; `voice_id` is another person's where a voice was lent."""

    approver_id: str
    voice_id: str
    vouched_by: list[str]
    approve: bool
    comment: str
    at: str


class Approval(TypedDict):
    """A request for approval of one exact subject: its digest, under its label."""

    id: str
    namespace: str
    subject_type: str
    subject_id: str
    subject_digest: str
    subject: str | None
    purpose: str
    requested_by: str
    trained_by: str
    required: int
    state: str
    void: str | None
    created_at: str
    expires_at: str
    evidence: list[dict[str, str]]
    votes: list[Vote]


class Comment(TypedDict):
    """What somebody said about a request."""

    id: str
    author_id: str
    text: str
    at: str


class Delegation(TypedDict):
    """A voice that is lent. `state`: ahead, standing, over or revoked."""

    id: str
    from_id: str
    to_id: str
    namespace: str
    reason: str
    since: str
    until: str
    revoked_at: str | None
    state: str


class ActingWaiver(TypedDict):
    """An exception that acts for what is shown: a lower label, or a gate that is excused."""

    id: str
    kind: str
    label: Label | None
    gate: str | None
    expires_at: str


class Waiver(TypedDict):
    """An exception. `void` says why an active one does not act."""

    id: str
    kind: str
    state: str
    void: str | None
    namespace: str
    subject_type: str
    subject_id: str
    subject_digest: str
    subject: str | None
    label: Label
    waived_label: Label | None
    gate: str | None
    reason: str
    evidence: str
    requested_by: str
    approval_id: str | None
    created_at: str
    started_at: str | None
    expires_at: str
    ended_at: str | None
    ended_by: str | None
    end_reason: str | None
