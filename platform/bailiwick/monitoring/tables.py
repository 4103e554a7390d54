"""What deployed models answered, what turned out to be true, and what the checks found."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from bailiwick.db.base import Base, Digest, Id, Name, Revised
from bailiwick.monitoring.embeddings import EMBEDDING_BYTES

MONITOR, POLICY, ROLLOUT = "monitor", "policy", "rollout"  # what alerts come from
_OF_SUBJECT = text("subject_key IS NOT NULL AND data_key_id IS NOT NULL")


class InferenceRecord(Base):
    """One request to a deployment and its answer; the text only where policy allows it."""

    __tablename__ = "inference_records"
    __table_args__ = (
        # The client's own record id counts once per deployment, however often it is sent.
        UniqueConstraint("deployment_id", "record_id"),
        Index(None, "deployment_id", "at"),
        Index(
            None,
            "deployment_id",
            "join_key",
            sqlite_where=text("join_key IS NOT NULL"),
            postgresql_where=text("join_key IS NOT NULL"),
        ),
        # How many texts about a subject there are; its day's key seals too many to be counted.
        Index(
            "ix_inference_records_subject_texts",
            "data_key_id",
            sqlite_where=_OF_SUBJECT,
            postgresql_where=_OF_SUBJECT,
        ),
        Index(  # empty, once all of them are sealed
            "ix_inference_records_plain_texts",
            "deployment_id",
            "subject_key",
            sqlite_where=text("text IS NOT NULL"),
            postgresql_where=text("text IS NOT NULL"),
        ),
    )

    id: Mapped[Id]
    deployment_id: Mapped[UUID] = mapped_column(ForeignKey("deployments.id"))
    version_id: Mapped[UUID] = mapped_column(ForeignKey("model_versions.id"))
    record_id: Mapped[Name]
    at: Mapped[datetime]
    received_at: Mapped[datetime]
    prediction: Mapped[Name]
    confidence: Mapped[float | None]
    characters: Mapped[int | None]
    words: Mapped[int | None]
    unseen_words_ratio: Mapped[float | None]
    text: Mapped[str | None] = mapped_column(Text)  # of before texts were sealed
    sealed: Mapped[bytes | None] = mapped_column(LargeBinary)  # see `texts.sealing`
    # Refers to `data_keys`, whose rows never go; a constraint would cost a look-up each row.
    data_key_id: Mapped[UUID | None]
    latency_ms: Mapped[float | None]
    tokens: Mapped[int | None]  # that a generator answered with
    mean_log_probability: Mapped[float | None]  # of those tokens, natural logarithm
    tokens_per_word: Mapped[float | None]  # of what was asked, as the model splits it
    non_letter_ratio: Mapped[float | None]
    language: Mapped[str | None] = mapped_column(String(3))
    entropy: Mapped[float | None]  # of the answer's probabilities, natural logarithm
    refusal: Mapped[bool | None]
    repetition_ratio: Mapped[float | None]
    # Eight numbers made of it (`embeddings`); the embedding itself is not kept.
    embedding: Mapped[bytes | None] = mapped_column(LargeBinary(EMBEDDING_BYTES))
    segments: Mapped[dict[str, Any] | None]
    features: Mapped[dict[str, Any] | None]  # those that the deployment declares
    # Hashes under the installation's key (`Pseudonyms`): never kept in clear.
    subject_key: Mapped[Digest | None]
    join_key: Mapped[Digest | None]
    text_key: Mapped[str | None] = mapped_column(String(16))
    form_key: Mapped[str | None] = mapped_column(String(16))


class Feedback(Base):
    """The label that came later. A correction is a new row; the newest one counts.

    One without a label withdraws what was said: the record counts as unlabelled again.
    """

    __tablename__ = "feedback"
    # No index on `received_at`: SQLite would prefer it to the unique one and, for each record,
    # read all the feedback there is.
    __table_args__ = (UniqueConstraint("deployment_id", "record_id", "revision"),)

    id: Mapped[Id]
    deployment_id: Mapped[UUID] = mapped_column(ForeignKey("deployments.id"))
    record_id: Mapped[Name]
    revision: Mapped[int]
    label: Mapped[Name | None]
    received_at: Mapped[datetime]


class Baseline(Base):
    """What a version looked like when it was evaluated: that which later windows are held to."""

    __tablename__ = "baselines"

    id: Mapped[Id]
    version_id: Mapped[UUID] = mapped_column(ForeignKey("model_versions.id"), unique=True)
    rows_blob: Mapped[Digest]
    rows: Mapped[int]
    accuracy: Mapped[float]
    created_at: Mapped[datetime]


class Monitor(Revised, Base):
    """What is watched on a deployment, with which statistics, how often."""

    __tablename__ = "monitors"
    __table_args__ = (CheckConstraint("alarms_by IN ('windows', 'checks')", name="alarms_by"),)

    id: Mapped[Id]
    deployment_id: Mapped[UUID] = mapped_column(ForeignKey("deployments.id"), unique=True)
    statistics: Mapped[list[dict[str, Any]]]
    max_accuracy_drop: Mapped[float]
    min_rows: Mapped[int]
    window_days: Mapped[int]
    enabled: Mapped[bool]
    # Continuous watching: what alarms (`windows`: the sequential detector; `checks`: fixed
    # thresholds), how often at most for nothing, and from which change on.
    alarms_by: Mapped[str] = mapped_column(String(20), server_default="windows")
    false_alarms_per_year: Mapped[float] = mapped_column(server_default="1.0")
    smallest_change_sd: Mapped[float] = mapped_column(server_default="0.1")
    smallest_change_share: Mapped[float] = mapped_column(server_default="0.05")
    smallest_change_requests: Mapped[float | None]  # a ratio less one; default: not watched
    baseline_days: Mapped[int | None]  # made anew so often; default: never
    window_hours: Mapped[int | None]  # default: as long as the traffic needs
    zone: Mapped[str] = mapped_column(String(60), server_default="UTC")
    # How much of the false alarms are the labels' (the rest is the traffic's), and what a wrong
    # answer costs, by true label and answer.
    label_alarms_ratio: Mapped[float] = mapped_column(server_default="0.25")
    costs: Mapped[dict[str, Any] | None]
    created_by: Mapped[UUID] = mapped_column(ForeignKey("principals.id"))
    created_at: Mapped[datetime]


class CheckResult(Base):
    """What one check of one window found. Never changes."""

    __tablename__ = "check_results"
    __table_args__ = (Index(None, "monitor_id", "window_end"),)

    id: Mapped[Id]
    monitor_id: Mapped[UUID] = mapped_column(ForeignKey("monitors.id"))
    job_id: Mapped[UUID] = mapped_column(unique=True)
    version_id: Mapped[UUID] = mapped_column(ForeignKey("model_versions.id"))
    window_start: Mapped[datetime]
    window_end: Mapped[datetime]
    window_digest: Mapped[Digest]  # of the records and feedback that were looked at
    rows: Mapped[int]
    labelled_rows: Mapped[int]
    accuracy: Mapped[float | None]
    verdict: Mapped[str] = mapped_column(String(20))
    sentence: Mapped[str] = mapped_column(String(2000))
    results: Mapped[list[dict[str, Any]]]
    details: Mapped[dict[str, Any]]
    report_blob: Mapped[Digest | None]
    at: Mapped[datetime]


class Alert(Revised, Base):
    """Something that somebody should know; at most one per deployment and cause is unresolved.

    Its row says where it stands now, its events (`AlertEvent`) how it came to that.
    """

    __tablename__ = "alerts"
    __table_args__ = (
        CheckConstraint("state IN ('open', 'acknowledged', 'resolved')", name="state"),
        CheckConstraint(
            "(source = 'monitor' AND monitor_id IS NOT NULL "
            "AND (CASE WHEN check_id IS NULL THEN 0 ELSE 1 END) "
            "+ (CASE WHEN incident_id IS NULL THEN 0 ELSE 1 END) "
            "+ (CASE WHEN label_incident_id IS NULL THEN 0 ELSE 1 END) = 1) "
            "OR (source = 'policy' AND breach_id IS NOT NULL) OR source = 'rollout'",
            name="source",
        ),
        Index(
            "uq_alerts_one_unresolved",
            "deployment_id",
            "source",
            "cause",
            unique=True,
            sqlite_where=text("state <> 'resolved'"),
            postgresql_where=text("state <> 'resolved'"),
        ),
        Index(None, "deployment_id", "opened_at"),
    )

    id: Mapped[Id]
    deployment_id: Mapped[UUID] = mapped_column(ForeignKey("deployments.id"))
    source: Mapped[str] = mapped_column(String(20))
    monitor_id: Mapped[UUID | None] = mapped_column(ForeignKey("monitors.id"))
    check_id: Mapped[UUID | None] = mapped_column(ForeignKey("check_results.id"))  # the newest
    # The change of traffic that it tells of.
    incident_id: Mapped[UUID | None] = mapped_column(ForeignKey("drift_incidents.id"), index=True)
    # The loss of accuracy, by labels, that it tells of.
    label_incident_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("label_incidents.id"), index=True
    )
    breach_id: Mapped[UUID | None] = mapped_column(ForeignKey("breaches.id"))
    rollout_id: Mapped[UUID | None] = mapped_column(ForeignKey("rollouts.id"), index=True)
    owner_id: Mapped[UUID] = mapped_column(ForeignKey("principals.id"))  # whom it is for
    kind: Mapped[str] = mapped_column(String(20))
    state: Mapped[str] = mapped_column(String(20))
    sentence: Mapped[str] = mapped_column(String(2000))
    since: Mapped[datetime]
    opened_at: Mapped[datetime]
    acknowledged_at: Mapped[datetime | None]
    acknowledged_by: Mapped[UUID | None] = mapped_column(ForeignKey("principals.id"))
    resolved_at: Mapped[datetime | None]
    resolved_by: Mapped[UUID | None] = mapped_column(ForeignKey("principals.id"))
    resolution: Mapped[str | None] = mapped_column(String(2000))
    # What raised it, within its source: alerts are grouped by it.
    cause: Mapped[str] = mapped_column(String(100), server_default=MONITOR)
    severity: Mapped[str] = mapped_column(String(20), server_default="warning")
    reopened_at: Mapped[datetime | None]
    quiet_checks: Mapped[int] = mapped_column(server_default="0")  # in a row, up to now
    moves: Mapped[int] = mapped_column(server_default="0")  # events so far


class AlertEvent(Base):
    """One move of an alert: who, what, when and why. Never changes."""

    __tablename__ = "alert_events"
    __table_args__ = (
        UniqueConstraint("alert_id", "number"),
        CheckConstraint("severity IN ('note', 'warning', 'page')", name="severity"),
    )

    id: Mapped[Id]
    alert_id: Mapped[UUID] = mapped_column(ForeignKey("alerts.id"))
    number: Mapped[int]  # from 1 on, without gaps
    move: Mapped[str] = mapped_column(String(20))
    old_state: Mapped[str | None] = mapped_column(String(20))
    new_state: Mapped[str] = mapped_column(String(20))
    severity: Mapped[str] = mapped_column(String(20))
    kind: Mapped[str] = mapped_column(String(20))
    why: Mapped[str] = mapped_column(String(2000))
    check_id: Mapped[UUID | None] = mapped_column(ForeignKey("check_results.id"))
    breach_id: Mapped[UUID | None] = mapped_column(ForeignKey("breaches.id"))
    actor_id: Mapped[UUID] = mapped_column(ForeignKey("principals.id"))
    at: Mapped[datetime]
