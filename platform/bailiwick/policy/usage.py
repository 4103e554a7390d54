"""Who used what they may: the decisions that allowed something, counted."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from bailiwick.access import EVERY_NAMESPACE
from bailiwick.policy.tables import Decision, DecisionCount


@dataclass(frozen=True, slots=True)
class Use:
    """How often something was allowed, and when last; what only read is dated to the hour."""

    times: int = 0
    last: datetime | None = None

    def __add__(self, other: "Use") -> "Use":
        moments = [moment for moment in (self.last, other.last) if moment is not None]
        return Use(self.times + other.times, max(moments, default=None))


class Uses(dict[tuple[UUID, str | None], Use]):
    """Use by principal and namespace; None is the installation itself."""

    def of(self, principal_id: UUID, namespace: str) -> Use:
        """What a principal did in a namespace; for `*` in all, and to the installation itself."""
        if namespace != EVERY_NAMESPACE:
            return self.get((principal_id, namespace), Use())
        return sum((use for (who, _), use in self.items() if who == principal_id), Use())


def uses_of(session: Session, principal_ids: Collection[UUID], *, at: datetime) -> Uses:
    """What these principals were allowed up to a moment, in two queries.

    Changes are decisions of their own; what changes nothing is counted by the hour, and an hour
    that has begun counts whole.
    """
    decisions = (
        select(Decision.principal_id, Decision.namespace, func.count(), func.max(Decision.at))
        .where(Decision.allowed, Decision.at <= at, Decision.principal_id.in_(principal_ids))
        .group_by(Decision.principal_id, Decision.namespace)
    )
    counts = (
        select(
            DecisionCount.principal_id,
            DecisionCount.namespace,
            func.sum(DecisionCount.allowed),
            func.max(DecisionCount.hour),
        )
        .where(DecisionCount.hour <= at, DecisionCount.principal_id.in_(principal_ids))
        .group_by(DecisionCount.principal_id, DecisionCount.namespace)
    )
    uses = Uses()
    for query in (decisions, counts):
        for who, namespace, times, last in session.execute(query):
            uses[who, namespace] = uses.get((who, namespace), Use()) + Use(int(times), last)
    return uses
