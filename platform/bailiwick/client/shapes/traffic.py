"""How the traffic of a deployment is watched."""

from typing import Any, TypedDict


class TrafficBaseline(TypedDict):
    """What the windows of a deployment look like while nothing is wrong."""

    id: str
    version_id: str
    digest: str
    grade: str
    origin: str
    reason: str
    carried_from: str | None
    window_hours: int
    first: str
    end: str
    windows: int
    rows: int
    watched: list[str]
    unwatched: list[str]
    created_by: str
    created_at: str


class WatchedWindow(TypedDict):
    """What the detector made of one window: an alarm where evidence reaches the threshold."""

    id: str
    baseline_id: str
    start: str
    hours: int
    rows: int
    alarm: bool
    evidence: float
    threshold: float
    features: list[str]
    at: str


class Incident(TypedDict):
    """A change of traffic; `moves` has the likeliest feature first."""

    id: str
    deployment_id: str
    baseline_id: str
    cause: str
    sentence: str
    worth_waking: bool
    hurts: bool | None
    effect: str | None
    since: str
    since_earliest: str
    since_latest: str
    moves: list[dict[str, Any]]
    opened_at: str
    confirmed_at: str
    ended_at: str | None
    ended_as: str | None
    ended_by: str | None
    reason: str | None


class Watching(TypedDict):
    """Where the watching of a deployment stands."""

    monitor_id: str
    waits_for: str | None
    judged_until: str | None
    baseline: TrafficBaseline | None
    incident: Incident | None
