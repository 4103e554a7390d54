"""How long records are kept, and where: the rules of a deployment."""

from dataclasses import asdict, dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from bailiwick.audit.log import record
from bailiwick.core.errors import Invalid
from bailiwick.monitoring.archive import KeepingRules
from bailiwick.monitoring.intake import terms_of

MOST_DAYS = 36_500


@dataclass(frozen=True, slots=True)
class Keeping:
    """Days, counted from a record's own time; None: for ever.

    Records are in the database for `hot_days`, then in segments of the blob store, until
    `retention_days`. Hourly summaries are kept for `summary_days`.
    """

    hot_days: int | None = None
    retention_days: int | None = None
    summary_days: int | None = None


def keeping_of(session: Session, deployment_id: UUID) -> Keeping:
    """The rules of now; by default everything stays in the database."""
    rules = session.get(KeepingRules, deployment_id)
    if rules is None:
        return Keeping()
    return Keeping(rules.hot_days, rules.retention_days, rules.summary_days)


def set_keeping(
    session: Session, deployment_id: UUID, keeping: Keeping, *, actor_id: UUID, at: datetime
) -> Keeping:
    """Say how long records are kept from now on; audited.

    Whatever intake takes must be hot, so that a record id counts once: `Invalid` unless
    max_age_days <= hot_days <= retention_days.
    """
    _check(keeping, terms_of(session, deployment_id).max_age_days)
    if keeping == keeping_of(session, deployment_id):
        return keeping
    values = asdict(keeping)
    rules = session.get(KeepingRules, deployment_id)
    if rules is None:
        rules = KeepingRules(deployment_id=deployment_id, changed_by=actor_id, changed_at=at)
        session.add(rules)
    for name, value in values.items():
        setattr(rules, name, value)
    rules.changed_by, rules.changed_at = actor_id, at
    session.flush()
    record(
        session,
        "keeping.changed",
        subject_type="deployment",
        subject_id=deployment_id,
        actor_id=actor_id,
        at=at,
        details=values,
    )
    return keeping


def _check(keeping: Keeping, max_age_days: int) -> None:
    for name, value in asdict(keeping).items():
        if value is not None and not 1 <= value <= MOST_DAYS:
            raise Invalid(f"{name} lies between 1 and {MOST_DAYS:,}")
    if keeping.hot_days is not None and keeping.hot_days < max_age_days:
        raise Invalid(
            f"records may be {max_age_days:,} days old when they come, and only among those in "
            "the database is it seen that one came before: hot_days must be at least as many; "
            "lower max_age_days first (`bailiwick deploy intake --max-age-days`)"
        )
    if keeping.retention_days is not None and (
        keeping.hot_days is None or keeping.retention_days < keeping.hot_days
    ):
        raise Invalid(
            "what is dropped has been archived before: set hot_days as well, to no more than "
            "retention_days"
        )
