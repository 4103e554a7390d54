"""What comes in: records, what was turned away, what is accepted."""

from typing import TypedDict


class RejectedInference(TypedDict):
    """A record that was not taken: its place in the request, from 0, and why."""

    place: int
    record_id: str | None
    code: str
    detail: str


class Taken(TypedDict):
    """Records that were new, known already, or turned away; `rejected` lists the first of them."""

    new: int
    known: int
    rejected: list[RejectedInference]
    rejected_total: int


class RejectedRecord(TypedDict):
    """A record that could not be used; `raw` only where the deployment keeps text."""

    id: str
    received_at: str
    expires_at: str
    place: int
    code: str
    digest: str
    raw: str | None


class Intake(TypedDict):
    """What a deployment accepts."""

    segments: list[str]
    features: list[str]
    max_ahead_seconds: int
    max_age_days: int
    rejected_days: int
    refusals: list[str]
