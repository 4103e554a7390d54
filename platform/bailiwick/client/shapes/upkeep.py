"""Watching deployed models, and keeping them fit."""

from typing import Any, TypedDict


class Monitor(TypedDict):
    """What is watched on a deployment."""

    id: str
    deployment_id: str
    statistics: list[dict[str, Any]]
    max_accuracy_drop: float
    min_rows: int
    window_days: int
    enabled: bool
    alarms_by: str
    false_alarms_per_year: float
    smallest_change_sd: float
    smallest_change_share: float
    window_hours: int | None
    baseline_days: int | None
    smallest_change_requests: float | None
    zone: str
    label_alarms_ratio: float
    costs: dict[str, dict[str, float]] | None
    created_at: str


class Check(TypedDict):
    """What one check of one window found."""

    id: str
    monitor_id: str
    job_id: str
    version_id: str
    window_start: str
    window_end: str
    window_digest: str
    rows: int
    labelled_rows: int
    accuracy: float | None
    verdict: str
    sentence: str
    results: list[dict[str, Any]]
    details: dict[str, Any]
    report_blob: str | None
    at: str


class Alert(TypedDict):
    """What moved, since when, and where it stands."""

    id: str
    deployment_id: str
    source: str
    cause: str
    monitor_id: str | None
    check_id: str | None
    incident_id: str | None
    label_incident_id: str | None
    breach_id: str | None
    rollout_id: str | None
    owner_id: str
    kind: str
    severity: str
    state: str
    sentence: str
    since: str
    opened_at: str
    reopened_at: str | None
    quiet_checks: int
    acknowledged_at: str | None
    acknowledged_by: str | None
    resolved_at: str | None
    resolved_by: str | None
    resolution: str | None
    silence_id: str | None
    silenced_until: str | None


class Job(TypedDict):
    """One piece of work; `progress` has stage, step and steps while it runs."""

    id: str
    kind: str
    namespace: str
    subject_id: str
    acts_as: str
    payload: dict[str, Any]
    state: str
    attempt: int
    max_attempts: int
    available_at: str
    due_at: str | None
    progress: dict[str, Any]
    limits: dict[str, int]
    result: dict[str, Any] | None
    error: str | None
    created_at: str
    started_at: str | None
    finished_at: str | None


class JobLogLine(TypedDict):
    """One line of a job's log: a stage with its figures, or the kind and place of a fault."""

    number: int
    at: str
    attempt: int
    line: str


class JobLog(TypedDict):
    """Lines, oldest first, and the job's state; `after` is what to ask for next."""

    state: str
    lines: list[JobLogLine]
    after: int


class JobEvent(TypedDict):
    """Something that happened to a job."""

    at: str
    attempt: int
    kind: str
    message: str


class RetrainingPolicy(TypedDict):
    """When and how a deployment's model is retrained."""

    id: str
    deployment_id: str
    dataset_id: str
    acts_as: str
    on_alert: list[str]
    cooldown_days: int
    window_days: int
    max_rows: int
    holdout_ratio: float
    sampling: dict[str, Any]
    recipe: dict[str, Any]
    risk_tier: str
    triggers: list[dict[str, Any]]
    only_if: list[dict[str, Any]]
    budget_hours: float | None
    budget_labels: int | None
    blackouts: list[dict[str, Any]]
    priority: int
    enabled: bool
    digest: str
    approved: bool
    created_at: str


class Cause(TypedDict):
    """What set a policy off, and the alert that it is, if it is one."""

    kind: str
    key: str
    sentence: str
    alert: str | None


class Consideration(TypedDict):
    """What set a retraining policy off, and a job or what held it back."""

    id: str
    at: str
    causes: list[Cause]
    holds: list[dict[str, str]]
    decisions: list[dict[str, Any]]
    job_id: str | None
