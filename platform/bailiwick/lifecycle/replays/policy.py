"""A retraining policy replayed: its own triggers and conditions, asked at the end of each period.

The very code that considers a policy live (`lifecycle.triggers`) is shown the facts of that moment.
What it is shown differs in this: alerts are those of `strategies.alarm` (accuracy that fell pages
as harm, words and confidence that moved are a note of drift), each period that has one is a new
one, as each check is; no data are brought in, no label rises, no text is erased; a retraining
takes no time and succeeds, and learns from whole periods: a budget of labels holds the next one
back, and cuts none. A blackout is waited for until the period's next one ends.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Self

from bailiwick.core.clock import month_of
from bailiwick.lifecycle.backtest import Plan, Span, Stream
from bailiwick.lifecycle.live_rules import LiveRule
from bailiwick.lifecycle.strategies import Decision, Known, Lived, alarm
from bailiwick.lifecycle.tables import RetrainingPolicy
from bailiwick.lifecycle.triggers import (
    Accuracy,
    Cause,
    Facts,
    Loud,
    Standing,
    Trigger,
    cause_of,
    holds,
)
from bailiwick.monitoring.statistics import wilson_interval
from bailiwick.notifications.recurrence import Weekly

_CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class PolicyTerms:
    """When a policy retrains, as its settings say."""

    on_alert: tuple[str, ...]
    triggers: tuple[Trigger, ...]
    only_if: tuple[Trigger, ...]
    cooldown_days: int
    budget_hours: float | None
    budget_labels: int | None
    blackouts: tuple[Weekly, ...]

    @property
    def rules(self) -> dict[str, LiveRule]:
        """The strategies that it asks, by the values of their triggers."""
        asked = (*self.triggers, *self.only_if)
        return {str(one.value): rule for one in asked if (rule := one.rule) is not None}

    @classmethod
    def of(cls, policy: RetrainingPolicy) -> Self:
        """Of a stored policy."""
        return cls(
            on_alert=tuple(policy.on_alert),
            triggers=tuple(Trigger(**one) for one in policy.triggers),
            only_if=tuple(Trigger(**one) for one in policy.only_if),
            cooldown_days=policy.cooldown_days,
            budget_hours=policy.budget_hours,
            budget_labels=policy.budget_labels,
            blackouts=tuple(Weekly.from_dict(one) for one in policy.blackouts),
        )


@dataclass(frozen=True, slots=True)
class ReplayedPolicy:
    """A `Strategy`: the policy's `terms` over the periods of a `plan`.

    `labels`: for each period, how many of its rows carry which label.
    """

    terms: PolicyTerms
    plan: Plan
    labels: Sequence[Counter[str]] = field(repr=False)
    name: str = "policy"
    measures: bool = True

    @classmethod
    def over(cls, stream: Stream, plan: Plan, terms: PolicyTerms) -> Self:
        """Of the rows that are replayed."""
        labels = stream.table["label"].to_pylist()
        counted = [Counter(labels[span.first : span.stop]) for span in plan.spans]
        return cls(terms, plan, counted)

    @property
    def tries(self) -> bool:
        """Whether a strategy among its triggers wants trials."""
        return any(rule.strategy.tries for rule in self.terms.rules.values())

    def decide(self, known: Known) -> Decision:
        """What the policy would have done at the end of the period."""
        span = self.plan.spans[known.period]
        at, following = self._moment(span.end), self.plan.spans[known.period + 1].end
        if at >= following:
            return Decision(retrain=False, reason="a blackout lasted for the whole period")
        facts = self._facts(known, at)
        causes = [*self._answered(facts), *(cause_of(one, facts) for one in self.terms.triggers)]
        fresh = [one for one in causes if one is not None and one.key not in known.answered]
        if not fresh:
            return Decision(retrain=False, reason="nothing set it off")
        held = holds(
            facts,
            self._standing(known, at),
            only_if=self.terms.only_if,
            budget_hours=self.terms.budget_hours,
            budget_labels=self.terms.budget_labels,
            blackouts=self.terms.blackouts,
        )
        told = "; ".join(one.sentence for one in held or fresh)
        return Decision(not held, told, tuple(one.key for one in fresh))

    def _moment(self, end: datetime) -> datetime:
        """The period's end, or the first moment after it without a blackout."""
        at = end
        for _ in range(2 * len(self.terms.blackouts)):
            for one in self.terms.blackouts:
                around = one.around(at)
                at = at if around is None else around[1]
        return at

    def _answered(self, facts: Facts) -> list[Cause]:
        """The alerts that it answers."""
        return [
            Cause("alert", one.key, one.sentence)
            for one in facts.alerts
            if one.kind in self.terms.on_alert
        ]

    def _facts(self, known: Known, at: datetime) -> Facts:
        learned = known.retrained[-1].through if known.retrained else self.plan.first_model
        period = known.retrained[-1].period if known.retrained else self.plan.first_served - 1
        since = self.plan.spans[period].end
        labelled = known.period - self.plan.label_delay
        new = sum(self.labels[learned + 1 : labelled + 1], Counter[str]())
        champion = f"model of {self.plan.spans[learned].name}"
        return Facts(
            at=at,
            since=since,
            calendar_since=since,
            champion=champion,
            trained_at=since,
            classes=frozenset[str]().union(*self.labels[: learned + 1]),
            alerts=_alerts(known.lived, self.plan.spans[known.period]),
            accuracy=_accuracy(known.lived, self.plan.spans),
            new_labels=new,
            decisions=self._decisions(known, at),
        )

    def _decisions(self, known: Known, at: datetime) -> dict[str, Decision]:
        """Its strategies count in the periods of the replay, whatever their own are."""
        ends = [self.plan.spans[one.period].end for one in known.retrained]
        period = self.plan.spans[known.period].name
        return {
            value: replace(
                rule.strategy.decide(rule.known_within_the_year(known, at, ends)), keys=(period,)
            )
            for value, rule in self.terms.rules.items()
        }

    def _standing(self, known: Known, at: datetime) -> Standing:
        """Rest and budget, as of its own retrainings."""
        ends = [(self.plan.spans[one.period].end, one.train_seconds) for one in known.retrained]
        rests = ends[-1][0] + timedelta(days=self.terms.cooldown_days) if ends else at
        month = month_of(at)
        used = sum(seconds for end, seconds in ends if end >= month)
        return Standing(
            approved=True,
            under_way=False,
            rests_until=rests if rests > at else None,
            hours_used=used / 3600,
            labels_used=self._labels_learned(known, month),
        )

    def _labels_learned(self, known: Known, month: datetime) -> int:
        """How many labels that have come since the month began the serving model knows."""
        if not known.retrained:
            return 0
        return sum(
            self.labels[period].total()
            for period in range(known.retrained[-1].through + 1)
            if self.plan.spans[period + self.plan.label_delay].end >= month
        )


def _alerts(lived: tuple[Lived, ...], span: Span) -> list[Loud]:
    found = alarm(lived)
    if found is None:
        return []
    harm = found.startswith("accuracy")
    kind, severity = ("harm", "page") if harm else ("drift", "note")
    return [Loud(f"{kind}:{span.name}", kind, severity, found)]


def _accuracy(lived: tuple[Lived, ...], spans: Sequence[Span]) -> list[Accuracy]:
    """By labels, of the newest period that has them, with its 95 % interval."""
    labelled = [one for one in lived if one.accuracy is not None]
    if not labelled:
        return []
    newest, share = labelled[-1], labelled[-1].accuracy or 0.0
    _, upper = wilson_interval(round(share * newest.rows), newest.rows, _CONFIDENCE)
    return [Accuracy(spans[newest.period].name, share, upper, "labels")]
