"""What a live strategy may know: the labelled periods of a deployment since its champion began.

The counts of labels are those that labelled traffic is watched by (`monitoring.confusion`), so a
deployment needs a monitor for its labels to be seen here.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from uuid import UUID

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from bailiwick.lifecycle.backtest.periods import begin_of, edges_between
from bailiwick.lifecycle.live_rules import LiveRule
from bailiwick.lifecycle.strategies import (
    LEAST_TRIED,
    TRIED_RATIO,
    Decision,
    Known,
    Lived,
    Trial,
)
from bailiwick.lifecycle.tables import ChallengerTrial, RetrainingPolicy
from bailiwick.lineage import DatasetVersion, LineageEdge
from bailiwick.monitoring import InferenceRecord
from bailiwick.monitoring.confusion import LabelledHour, hours_between
from bailiwick.registry import Deployment, ModelVersion

BEING_TRIED = "the newest labels are being tried"
TOO_FEW_ANSWERS = "the champion has answered too little of the newest labelled period to be tried"
NO_HOURS = "the month's hours of training are used up: nothing is tried until the next"
LEAST_LABELS = 30  # of a period that counts as labelled
_MOST_BACK = timedelta(days=1_100)
_MOST_TRIALS = 50


@dataclass(frozen=True, slots=True)
class Labelled:
    """A period that has ended and has its labels: their number, and right answers among them."""

    place: int
    start: datetime
    end: datetime
    rows: int
    correct: int


@dataclass(frozen=True, slots=True)
class Asked:
    """What a rule may know, of which period; `newest` is the newest that has its labels.

    `behind` periods with labels are newer than what the champion learned. It `can_be_tried` where
    it answered enough of the newest itself: one that was promoted since did not.
    """

    known: Known
    period: str
    newest: Labelled | None
    trial_is_there: bool
    can_be_tried: bool

    @property
    def wants_trial(self) -> bool:
        """Whether there are labels on which nothing was tried yet against this champion."""
        return self.newest is not None and not self.trial_is_there


def ask(
    session: Session,
    policy: RetrainingPolicy,
    deployment: Deployment,
    champion: ModelVersion,
    rule: LiveRule,
    *,
    retrained: Sequence[datetime],
    at: datetime,
) -> Asked | None:
    """What there is to know at the end of the newest whole period; None before the first ends."""
    learned = _learned_until(session, champion)
    begin = begin_of(max(min(learned, champion.created_at), at - _MOST_BACK), rule.unit)
    edges = [edge for edge in edges_between(begin, at, rule.unit) if edge <= at]
    if len(edges) < 2:  # noqa: PLR2004 - a period has a beginning and an end
        return None
    first, last = edges[0], edges[-1]
    labelled = _labelled(hours_between(session, deployment.id, start=first, end=last), edges)
    newer = [one for one in labelled if one.end > learned]
    served = hours_between(session, deployment.id, start=first, end=last, version_id=champion.id)
    trials = _trials(session, policy, rule, edges)
    newest = newer[-1] if newer else None
    known = Known(
        period=len(edges) - 2,
        behind=len(newer),
        retrains=0,
        periods_left=None,
        lived=_lived(session, deployment.id, champion, _labelled(served, edges), edges),
        trials=tuple(trial for trial, _ in trials),
    )
    return Asked(
        rule.known_within_the_year(known, at, list(retrained)),
        f"{edges[-2]:%Y-%m-%d}",
        newest,
        newest is not None
        and bool(trials)
        and (trials[-1][0].period, trials[-1][1]) == (newest.place, champion.id),
        newest is not None and _rows_between(served, newest) * TRIED_RATIO >= LEAST_TRIED,
    )


def decided(rule: LiveRule, asked: Asked, *, spent: bool) -> Decision:
    """What the rule says, with its period as the key; it waits for the trial that it wants.

    Once the month's hours are `spent` nothing is tried.
    """
    if rule.strategy.tries and asked.wants_trial:
        reason = BEING_TRIED if asked.can_be_tried else TOO_FEW_ANSWERS
        reason = NO_HOURS if spent else reason
        decision = Decision(retrain=False, reason=reason)
    else:
        decision = rule.strategy.decide(asked.known)
    return replace(decision, keys=(asked.period,))


def _rows_between(hours: Sequence[LabelledHour], period: Labelled) -> int:
    return sum(one.rows for one in hours if period.start <= one.start < period.end)


def _learned_until(session: Session, champion: ModelVersion) -> datetime:
    """The time of the newest row that the champion was made of, or else when it was made."""
    found = session.scalar(
        select(func.max(DatasetVersion.last_time))
        .join(LineageEdge, LineageEdge.node_id == DatasetVersion.id)
        .where(LineageEdge.run_id == champion.run_id, LineageEdge.direction == "input")
    )
    return found or champion.created_at


def _labelled(hours: Sequence[LabelledHour], edges: Sequence[datetime]) -> list[Labelled]:
    """Hours added up by period, where there are enough of them."""
    found, starts = [], [one.start for one in hours]
    for place, (start, end) in enumerate(pairwise(edges)):
        inside = hours[bisect_left(starts, start) : bisect_left(starts, end)]
        rows, correct = sum(one.rows for one in inside), sum(one.correct for one in inside)
        if rows >= LEAST_LABELS:
            found.append(Labelled(place, start, end, rows, correct))
    return found


def _lived(
    session: Session,
    deployment_id: UUID,
    champion: ModelVersion,
    labelled: Sequence[Labelled],
    edges: Sequence[datetime],
) -> tuple[Lived, ...]:
    """The champion's first whole period, its newest, and those that have labels.

    Confidence and unseen words are looked up for the first and the newest alone, which is where
    rules look at them; the ones between say what the first says.
    """
    places = [place for place, start in enumerate(edges[:-1]) if start >= champion.created_at]
    if not places:
        return ()
    first, last = places[0], places[-1]
    inputs = {
        place: _inputs(session, deployment_id, champion.id, edges[place], edges[place + 1])
        for place in (first, last)
    }
    by_place = {one.place: one for one in labelled if one.place >= first}
    lived = []
    for place in sorted({first, last, *by_place}):
        rows, confidence, unseen = inputs.get(place, inputs[first])
        labels = by_place.get(place)
        lived.append(
            Lived(
                period=place,
                rows=labels.rows if labels else rows,
                age=place - first + 1,
                confidence=confidence,
                unseen_ratio=unseen,
                accuracy=labels.correct / labels.rows if labels else None,
            )
        )
    return tuple(one for one in lived if one.rows)


def _inputs(
    session: Session, deployment_id: UUID, version_id: UUID, start: datetime, end: datetime
) -> tuple[int, float, float]:
    """Requests of a period, their mean confidence, and the share with an unseen word."""
    unseen = case((InferenceRecord.unseen_words_ratio > 0, 1.0), else_=0.0)
    rows, confidence, ratio = session.execute(
        select(func.count(), func.avg(InferenceRecord.confidence), func.avg(unseen)).where(
            InferenceRecord.deployment_id == deployment_id,
            InferenceRecord.version_id == version_id,
            InferenceRecord.at >= start,
            InferenceRecord.at < end,
        )
    ).one()
    return int(rows), float(confidence or 0.0), float(ratio or 0.0)


def _trials(
    session: Session, policy: RetrainingPolicy, rule: LiveRule, edges: Sequence[datetime]
) -> list[tuple[Trial, UUID]]:
    """The policy's trials by such periods, oldest first, each with the version that served."""
    rows = session.scalars(
        select(ChallengerTrial)
        .where(ChallengerTrial.policy_id == policy.id, ChallengerTrial.unit == str(rule.unit))
        .order_by(ChallengerTrial.start.desc(), ChallengerTrial.id.desc())
        .limit(_MOST_TRIALS)
    ).all()
    places = {edge: place for place, edge in enumerate(edges)}
    return [
        (
            Trial(
                period=places.get(one.start, -1),
                rows=one.rows,
                tried_rows=one.tried_rows,
                age=one.age,
                accuracy=one.accuracy,
                gain=one.gain,
                standard_error=one.standard_error,
            ),
            one.champion_id,
        )
        for one in reversed(rows)
    ]
