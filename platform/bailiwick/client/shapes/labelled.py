"""How right a deployment's answers are by labels."""

from typing import Any, TypedDict


class Measured(TypedDict):
    """A figure with its 95 % interval, of so many rows."""

    value: float
    lower: float
    upper: float
    rows: int


class LabelReference(TypedDict):
    """How right a version is while nothing is wrong."""

    id: str
    version_id: str
    digest: str
    origin: str
    reason: str
    window_hours: int
    first: str | None
    end: str | None
    rows: int
    accuracy: float
    error: float
    created_by: str
    created_at: str


class LabelIncident(TypedDict):
    """A loss of accuracy by labels."""

    id: str
    deployment_id: str
    reference_id: str
    sentence: str
    worth_waking: bool
    since: str
    since_earliest: str
    since_latest: str
    found: dict[str, Any]
    opened_at: str
    confirmed_at: str
    ended_at: str | None
    ended_as: str | None
    ended_by: str | None
    reason: str | None


class LabelledPeriod(TypedDict):
    """Accuracy of one period's labelled requests."""

    start: str
    rows: int
    correct: int
    accuracy: float
    lower: float
    upper: float


class Figure(TypedDict):
    """One figure of all labelled requests, with its interval and the method of that."""

    name: str
    kind: str
    direction: str
    threshold: float | None
    value: float
    lower: float
    upper: float
    rows: int
    method: str
    library: str
    by_chance: float | None


class LabelClass(TypedDict):
    """One label's precision, recall and F1."""

    label: str | None
    support: int
    said: int
    precision: Measured | None
    recall: Measured | None
    f1: Measured


class Estimated(TypedDict):
    """Accuracy estimated without labels."""

    start: str
    end: str
    accuracy: float
    lower: float
    upper: float
    measured_error: float | None
    verified: int
    trusted: bool
    doubts: list[str]


class Labelled(TypedDict):
    """How right a deployment's answers are by labels, and how that is watched."""

    monitor_id: str | None
    waits_for: str | None
    judged_until: str | None
    reference: LabelReference | None
    incident: LabelIncident | None
    incidents: list[LabelIncident]
    start: str | None
    end: str | None
    rows: int
    correct: int
    by: str
    periods: list[LabelledPeriod]
    figures: list[Figure]
    classes: list[LabelClass]
    estimated: Estimated | None


class LabelCheck(TypedDict):
    """What the test made of the labels that arrived in one step of time."""

    id: str
    reference_id: str
    start: str
    hours: int
    rows: int
    wrong: int
    alarm: bool
    evidence: float
    threshold: float
    at: str


class LabellingRound(TypedDict):
    """What was chosen to be labelled: `rows` of `candidates`, `random_rows` of them at random."""

    id: str
    deployment_id: str
    start: str
    end: str
    candidates: int
    rows: int
    random_rows: int
    made_by: str
    made_at: str


class LabellingItem(TypedDict):
    """A request to be labelled; its label is sent as feedback, by `record_id`."""

    id: str
    record_id: str
    reason: str
    at: str | None
    prediction: str | None
    confidence: float | None
    text: str | None
    skipped_at: str | None
