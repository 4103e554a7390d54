"""How alerts came to where they stand, who is told of them, and when nobody is."""

from typing import TypedDict


class AlertEvent(TypedDict):
    """One move of an alert."""

    id: str
    number: int
    move: str
    old_state: str | None
    new_state: str
    severity: str
    kind: str
    why: str
    check_id: str | None
    breach_id: str | None
    actor_id: str
    at: str


class Moment(TypedDict):
    """One step from a change to its answer, so many seconds after the change."""

    at: str
    seconds: float
    kind: str
    sentence: str


class AlertTimeline(TypedDict):
    """What an alert told of and what was done about it."""

    alert_id: str
    began_at: str
    answered_at: str | None
    seconds_to_answer: float | None
    moments: list[Moment]


class Delivery(TypedDict):
    """One message to one channel; its id is what the receiver sees."""

    id: str
    event_id: str | None
    channel: str
    severity: str
    state: str
    is_escalation: bool
    attempts: int
    due_at: str
    next_at: str | None
    silence_id: str | None
    last_error: str | None
    created_at: str
    finished_at: str | None


class Weekly(TypedDict):
    """Some hours of some weekdays, by the wall clock of a zone."""

    weekdays: list[str]
    begins: str
    ends: str
    zone: str


class Silence(TypedDict):
    """A time in which nobody is told of some alerts."""

    id: str
    namespace: str
    deployment_id: str | None
    cause: str | None
    covers_policy: bool
    reason: str
    starts_at: str
    ends_at: str
    weekly: Weekly | None
    created_by: str
    created_at: str
    ended_at: str | None
    ended_by: str | None
    state: str


class Channel(TypedDict):
    """Where people are told of alerts; `hint` is all that is shown of its address."""

    id: str
    name: str
    kind: str
    hint: str
    clearance_level: str
    clearance_compartments: list[str]
    severities: list[str]
    namespaces: list[str]
    deployments: list[str]
    is_default: bool
    escalate_to: str | None
    escalate_after_minutes: int | None
    enabled: bool
    created_by: str
    created_at: str
