"""What a deployment accepts: segments and features, how far ahead and back in time, how long."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from bailiwick.audit.log import record
from bailiwick.core.errors import Invalid
from bailiwick.monitoring.archive import KeepingRules
from bailiwick.monitoring.intake.records import FIELDS, MAX_FEATURES, MAX_SEGMENTS, SEGMENT_NAME
from bailiwick.monitoring.intake.tables import IntakeRules
from bailiwick.texts import REFUSALS

MAX_AHEAD_SECONDS, MAX_AGE_DAYS, MAX_REJECTED_DAYS = 86_400, 36_500, 3_650
MAX_PHRASES, MAX_PHRASE = 100, 100


@dataclass(frozen=True, slots=True)
class Terms:
    """The rules of one deployment, or the defaults.

    `features` are numbers or categories that records carry beside what every record has; they are
    watched like it. `refusals` are the phrases by which an answer of a generator is told to refuse.
    A record may be `max_ahead_seconds` ahead of the server's clock (clients' clocks differ) and
    `max_age_days` old; `rejected_days` is how long what was turned away is kept.
    """

    segments: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    max_ahead_seconds: int = 300
    max_age_days: int = 1_095
    rejected_days: int = 30
    refusals: tuple[str, ...] = REFUSALS

    def __post_init__(self) -> None:
        for kind, names, most in (
            ("segments", self.segments, MAX_SEGMENTS),
            ("features", self.features, MAX_FEATURES),
        ):
            strange = [name for name in names if not re.fullmatch(SEGMENT_NAME, name)]
            if strange or len(set(names)) < len(names):
                raise Invalid(
                    f"{kind} are different names of small letters, digits and _, such as region"
                )
            if len(names) > most:
                raise Invalid(f"at most {most} {kind} can be declared; leave some out")
        if len(self.refusals) > MAX_PHRASES or not all(
            0 < len(phrase.strip()) <= len(phrase) <= MAX_PHRASE for phrase in self.refusals
        ):
            raise Invalid(
                f"refusals are at most {MAX_PHRASES} phrases of 1 to {MAX_PHRASE} characters"
            )
        taken = sorted(set(self.features) & set(FIELDS))
        if taken:
            raise Invalid(f"every record has {taken[0]} anyway; it is no feature to be declared")
        for name, value, least, most in (
            ("max_ahead_seconds", self.max_ahead_seconds, 0, MAX_AHEAD_SECONDS),
            ("max_age_days", self.max_age_days, 1, MAX_AGE_DAYS),
            ("rejected_days", self.rejected_days, 1, MAX_REJECTED_DAYS),
        ):
            if not least <= value <= most:
                raise Invalid(f"{name} lies between {least:,} and {most:,}")


def terms_of(session: Session, deployment_id: UUID) -> Terms:
    """What the deployment accepts now."""
    rules = session.get(IntakeRules, deployment_id)
    if rules is None:
        return Terms()
    return Terms(
        segments=tuple(rules.segments),
        features=tuple(rules.features),
        max_ahead_seconds=rules.max_ahead_seconds,
        max_age_days=rules.max_age_days,
        rejected_days=rules.rejected_days,
        refusals=REFUSALS if rules.refusals is None else tuple(rules.refusals),
    )


def set_terms(
    session: Session,
    deployment_id: UUID,
    *,
    segments: Iterable[str],
    features: Iterable[str] = (),
    max_ahead_seconds: int,
    max_age_days: int,
    rejected_days: int,
    refusals: Iterable[str] | None = None,
    actor_id: UUID,
    at: datetime,
) -> Terms:
    """Say what the deployment accepts from now on; audited, and no change without a difference.

    Without `refusals` the bundled phrases hold.
    """
    terms = Terms(
        tuple(sorted(segments)),
        tuple(sorted(features)),
        max_ahead_seconds,
        max_age_days,
        rejected_days,
        REFUSALS if refusals is None else tuple(refusals),
    )
    before = terms_of(session, deployment_id)
    if terms == before:
        return terms
    values = {
        "segments": list(terms.segments),
        "features": list(terms.features),
        "max_ahead_seconds": max_ahead_seconds,
        "max_age_days": max_age_days,
        "rejected_days": rejected_days,
        "refusals": None if terms.refusals == REFUSALS else list(terms.refusals),
    }
    kept = session.get(KeepingRules, deployment_id)
    if kept is not None and kept.hot_days is not None and kept.hot_days < max_age_days:
        raise Invalid(
            f"records stay in the database for {kept.hot_days:,} days: one that is older cannot be "
            "told from one that came before; raise hot_days first, or lower max_age_days"
        )
    rules = session.get(IntakeRules, deployment_id)
    if rules is None:
        session.add(IntakeRules(deployment_id=deployment_id, changed_at=at, **values))
    else:
        rules.changed_at = at
        for name, value in values.items():
            setattr(rules, name, value)
    session.flush()
    record(
        session,
        "intake.changed",
        subject_type="deployment",
        subject_id=deployment_id,
        actor_id=actor_id,
        at=at,
        details=values,
    )
    return terms
