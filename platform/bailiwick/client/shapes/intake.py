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


class TextErasure(TypedDict):
    """When the texts about a subject were destroyed, by whom, and how many."""

    id: str
    deployment_id: str
    subject_key: str
    reason: str
    keys: int
    records: int
    rejected_records: int
    erased_by: str
    erased_at: str


class Records(TypedDict):
    """What is kept of a deployment's records, where and since when; days None: for ever."""

    hot_days: int | None
    retention_days: int | None
    summary_days: int | None
    hot_records: int
    archived_records: int
    segments: int
    segment_bytes: int
    since: str | None
    archived_until: str | None
    dropped_segments: int


class Intake(TypedDict):
    """What a deployment accepts."""

    segments: list[str]
    features: list[str]
    max_ahead_seconds: int
    max_age_days: int
    rejected_days: int
    refusals: list[str]
