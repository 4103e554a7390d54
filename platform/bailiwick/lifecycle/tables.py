"""Schedules, jobs, retraining policies, backtests and the gates' verdicts."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from bailiwick.db.base import Base, Digest, Id, Name, Revised
from bailiwick.lifecycle.gating import Standing, standings


class Schedule(Revised, Base):
    """When jobs of one kind fall due for one subject (cron, UTC)."""

    __tablename__ = "schedules"
    __table_args__ = (UniqueConstraint("job_kind", "subject_id"),)

    id: Mapped[Id]
    job_kind: Mapped[str] = mapped_column(String(20))
    subject_id: Mapped[UUID]
    namespace: Mapped[Name]
    label_id: Mapped[str] = mapped_column(ForeignKey("labels.id"))
    acts_as: Mapped[UUID] = mapped_column(ForeignKey("principals.id"))
    cron: Mapped[str] = mapped_column(String(100))
    enabled: Mapped[bool]
    next_due_at: Mapped[datetime] = mapped_column(index=True)


class Job(Base):
    """One piece of work to be carried out once, by whichever worker holds its lease."""

    __tablename__ = "jobs"
    __table_args__ = (
        UniqueConstraint("schedule_id", "due_at"),  # a schedule fires once per due time
        Index(None, "state", "available_at"),
        Index(None, "lease_expires_at"),
        Index(None, "worked_at"),
        Index(None, "subject_id"),
        CheckConstraint(
            "state IN ('queued', 'running', 'succeeded', 'failed', 'cancelled')", name="state"
        ),
    )

    id: Mapped[Id]
    kind: Mapped[str] = mapped_column(String(20))
    namespace: Mapped[Name]
    label_id: Mapped[str] = mapped_column(ForeignKey("labels.id"), index=True)
    subject_id: Mapped[UUID]
    acts_as: Mapped[UUID] = mapped_column(ForeignKey("principals.id"))
    payload: Mapped[dict[str, Any]]
    state: Mapped[str] = mapped_column(String(20))
    # The number of the attempt is the fence: a worker whose attempt is over cannot write.
    attempt: Mapped[int]
    max_attempts: Mapped[int]
    priority: Mapped[int] = mapped_column(server_default="0")  # higher first
    available_at: Mapped[datetime]
    lease_owner: Mapped[str | None] = mapped_column(String(200))
    lease_expires_at: Mapped[datetime | None]
    # Seconds of workers that its attempts have taken, and when the last one ended.
    worked_seconds: Mapped[float] = mapped_column(server_default="0")
    worked_at: Mapped[datetime | None]
    attempt_started_at: Mapped[datetime | None]
    schedule_id: Mapped[UUID | None] = mapped_column(ForeignKey("schedules.id"))
    due_at: Mapped[datetime | None]
    # At most one job per reason (an alert's check, a client's request).
    dedupe_key: Mapped[str | None] = mapped_column(String(200), unique=True)
    progress: Mapped[dict[str, Any]]
    # What its order allows each attempt where that is less than the installation does (`Limits`).
    limits: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    result: Mapped[dict[str, Any] | None]
    error: Mapped[str | None] = mapped_column(String(2000))
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class JobEvent(Base):
    """What happened to a job, in order. Never changes."""

    __tablename__ = "job_events"

    id: Mapped[Id]
    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id"), index=True)
    at: Mapped[datetime]
    attempt: Mapped[int]
    kind: Mapped[str] = mapped_column(String(40))
    message: Mapped[str] = mapped_column(String(2000))


class JobLogLine(Base):
    """A line of a job's log: stages and figures, kinds and places of faults. The oldest ones go."""

    __tablename__ = "job_log_lines"
    __table_args__ = (UniqueConstraint("job_id", "number"),)

    id: Mapped[Id]
    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id"))
    number: Mapped[int]  # counts up from 1, over all attempts
    at: Mapped[datetime]
    attempt: Mapped[int]
    line: Mapped[str] = mapped_column(String(500))


class RetrainingPolicy(Revised, Base):
    """When and how a deployment's model is retrained, and as whom."""

    __tablename__ = "retraining_policies"

    id: Mapped[Id]
    deployment_id: Mapped[UUID] = mapped_column(ForeignKey("deployments.id"), unique=True)
    dataset_id: Mapped[UUID] = mapped_column(ForeignKey("datasets.id"))
    acts_as: Mapped[UUID] = mapped_column(ForeignKey("principals.id"))
    on_alert: Mapped[list[str]]  # kinds of alert that start a job
    cooldown_days: Mapped[int]
    window_days: Mapped[int]  # rows older than that are not learned from
    max_rows: Mapped[int]
    holdout_ratio: Mapped[float]  # the newest share of labelled rows, kept for the comparison
    recipe: Mapped[dict[str, Any]]
    risk_tier: Mapped[str] = mapped_column(String(40))
    # Beside alerts (`triggers.Trigger` as JSON): any of these sets it off, if all of those hold.
    triggers: Mapped[list[dict[str, Any]]] = mapped_column(server_default="[]")
    only_if: Mapped[list[dict[str, Any]]] = mapped_column(server_default="[]")
    budget_hours: Mapped[float | None]  # of its jobs and trials, a calendar month (UTC)
    budget_labels: Mapped[int | None]  # asked for and learned from, a calendar month (UTC)
    # `recurrence.Weekly` as JSON: hours of the week in which nothing is started.
    blackouts: Mapped[list[dict[str, Any]]] = mapped_column(server_default="[]")
    priority: Mapped[int] = mapped_column(server_default="0")  # of its jobs: higher first
    # `sampling.Sampling` as JSON: which of too many rows are learned from.
    sampling: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    enabled: Mapped[bool]
    digest: Mapped[Digest]  # of the settings above: what an approval is bound to
    set_by: Mapped[UUID] = mapped_column(ForeignKey("principals.id"))  # made them what they are
    created_by: Mapped[UUID] = mapped_column(ForeignKey("principals.id"))
    created_at: Mapped[datetime]


class EvaluationSettings(Revised, Base):
    """What a model's versions are judged by, beside the newest labelled rows."""

    __tablename__ = "evaluation_settings"

    model_id: Mapped[UUID] = mapped_column(ForeignKey("registered_models.id"), primary_key=True)
    # Rows that never change, and that each version must answer as well as its champion.
    golden_version_id: Mapped[UUID | None] = mapped_column(ForeignKey("dataset_versions.id"))
    segments: Mapped[list[str]]  # columns whose values must each not be answered worse
    key_column: Mapped[Name | None]  # whose values must not be both learned from and judged on
    set_by: Mapped[UUID] = mapped_column(ForeignKey("principals.id"))
    set_at: Mapped[datetime]


class Consideration(Base):
    """What set a retraining policy off, and what came of it: a job, or what held it back.

    `causes`: [{kind, key, sentence, alert}]; `holds`: [{why, sentence}], empty where a job was
    started. `decisions`: [{strategy, period, retrain, reason}] of the strategies that were asked.
    A row when any of it is new. Never changes.
    """

    __tablename__ = "retraining_considerations"
    __table_args__ = (Index(None, "policy_id", "at"),)

    id: Mapped[Id]
    policy_id: Mapped[UUID] = mapped_column(ForeignKey("retraining_policies.id"))
    at: Mapped[datetime]
    causes: Mapped[list[dict[str, Any]]]
    holds: Mapped[list[dict[str, Any]]]
    decisions: Mapped[list[dict[str, Any]]] = mapped_column(server_default="[]")
    job_id: Mapped[UUID | None] = mapped_column(ForeignKey("jobs.id"))


class ChallengerTrial(Base):
    """How a challenger did beside the serving version on the newest labels of one period.

    What `strategies.Trial` says of it, for the strategies of a policy. Never changes.
    """

    __tablename__ = "challenger_trials"
    __table_args__ = (UniqueConstraint("policy_id", "unit", "start", "champion_id"),)

    id: Mapped[Id]
    policy_id: Mapped[UUID] = mapped_column(ForeignKey("retraining_policies.id"))
    champion_id: Mapped[UUID] = mapped_column(ForeignKey("model_versions.id"))
    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id"))
    unit: Mapped[str] = mapped_column(String(10))  # of the period: day, week, ...
    start: Mapped[datetime]
    end: Mapped[datetime]
    rows: Mapped[int]
    tried_rows: Mapped[int]
    age: Mapped[int]
    accuracy: Mapped[float]
    gain: Mapped[float]
    standard_error: Mapped[float]
    at: Mapped[datetime]


class Backtest(Base):
    """What somebody wants replayed: whose history, by which strategies. Never changes.

    Its label is its job's, which rises with what was read.
    """

    __tablename__ = "backtests"
    __table_args__ = (Index(None, "deployment_id"), Index(None, "policy_id"))

    id: Mapped[Id]
    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id"), unique=True)
    deployment_id: Mapped[UUID | None] = mapped_column(ForeignKey("deployments.id"))
    dataset_version_id: Mapped[UUID | None] = mapped_column(ForeignKey("dataset_versions.id"))
    policy_id: Mapped[UUID | None] = mapped_column(ForeignKey("retraining_policies.id"))
    policy_digest: Mapped[Digest | None]  # of the policy's settings that were replayed
    settings: Mapped[dict[str, Any]]  # `replays.Settings` as JSON
    created_by: Mapped[UUID] = mapped_column(ForeignKey("principals.id"))
    created_at: Mapped[datetime]


class BacktestResult(Base):
    """What came of a backtest. `digest`: of the blob with all periods. Never changes."""

    __tablename__ = "backtest_results"

    id: Mapped[Id]
    backtest_id: Mapped[UUID] = mapped_column(ForeignKey("backtests.id"), unique=True)
    # Of the rows that were replayed, and how: the same ones are not replayed again.
    content_digest: Mapped[Digest] = mapped_column(index=True)
    digest: Mapped[Digest]
    summary: Mapped[dict[str, Any]]
    at: Mapped[datetime]


class Evaluation(Base):
    """What the gates saw of a version and what they said. Never changes."""

    __tablename__ = "evaluations"

    id: Mapped[Id]
    version_id: Mapped[UUID] = mapped_column(ForeignKey("model_versions.id"), unique=True)
    champion_version_id: Mapped[UUID | None] = mapped_column(ForeignKey("model_versions.id"))
    run_id: Mapped[UUID] = mapped_column(ForeignKey("runs.id"))
    evidence: Mapped[dict[str, Any]]  # the gates' whole input
    risk_tier: Mapped[str] = mapped_column(String(40))
    passed: Mapped[bool]
    rejections: Mapped[list[dict[str, Any]]]  # [{gate, reason}]: what was not passed, and why
    created_at: Mapped[datetime]

    @property
    def reasons(self) -> list[str]:
        """Why the gates were not passed, one sentence each."""
        return [str(rejection["reason"]) for rejection in self.rejections]

    @property
    def standings(self) -> list[Standing]:
        """How each further gate stands; none for one of before there were any."""
        rejected = {str(rejection["gate"]) for rejection in self.rejections}
        return standings(self.evidence.get("measured", {}), rejected)
