"""The walk through a stream's periods: what is known when, and what each strategy does then.

The clock is moved to each period's end, and what is known follows from the clock: the rows of a
period and how a model answered them when it has ended, their labels `label_delay` periods later.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from bailiwick.core.clock import ReplayClock
from bailiwick.core.errors import Invalid
from bailiwick.lifecycle.backtest.learner import Judged, Learner, Rows
from bailiwick.lifecycle.backtest.periods import Span
from bailiwick.lifecycle.strategies import (
    LEAST_TRIED,
    TRIED_RATIO,
    Known,
    Lived,
    Retrained,
    Strategy,
    Threshold,
    Trial,
    alarm,
)

_AHEAD = 2  # periods whose models are trained before they are asked for


@dataclass(frozen=True, slots=True)
class Result:
    """One period under one strategy, at its end.

    `accuracy` and `macro_f1` of the model that answered it are None where it has no rows.
    `retrained` and `alerted` at its end; `train_seconds` of all that was trained then for this
    strategy, trials included, and of the first model in the first period.
    """

    period: str
    rows: int
    accuracy: float | None
    macro_f1: float | None
    retrained: bool
    alerted: bool
    train_seconds: float


@dataclass(frozen=True, slots=True)
class Plan:
    """What is walked: periods, when their labels are known, and which model is the first."""

    spans: Sequence[Span]
    label_delay: int
    first_model: int  # the period after which the first model is trained

    @property
    def first_served(self) -> int:
        """The first period that a model answers. Raises `Invalid` where there is none."""
        served = self.first_model + self.label_delay + 1
        if served >= len(self.spans):
            raise Invalid(
                f"The file covers {len(self.spans)} periods; the first model is there after "
                f"{served}, so no period is left to replay. Choose a shorter --period, or give "
                "more data."
            )
        return served

    def labelled(self, clock: ReplayClock) -> int:
        """The newest period whose labels are known now."""
        ended = sum(span.end <= clock.now() for span in self.spans)
        return ended - 1 - self.label_delay


@dataclass(slots=True)
class Course:
    """The way of one strategy through the periods."""

    plan: Plan
    strategy: Strategy
    through: int  # the newest period whose labels the serving model learned
    seconds: float  # of training, not yet told
    labels: int  # rows whose labels were learned from or measured by
    retrains: int = 0
    results: list[Result] = field(default_factory=list)
    _since: list[tuple[int, Judged]] = field(default_factory=list)  # the serving model's periods
    _trials: list[Trial] = field(default_factory=list)
    _retrained: list[Retrained] = field(default_factory=list)
    _answered: set[str] = field(default_factory=set)

    def live(self, period: int, clock: ReplayClock, learner: Learner) -> None:
        """Answer `period`, which has now ended, and decide."""
        span, plan = self.plan.spans[period], self.plan
        judged = None
        if span.rows:
            (judged,) = learner.judge(self._learned, [(span.first, span.stop)])
            self._since.append((period, judged))
        known = self._known(period, plan.labelled(clock), learner)
        points = self.strategy.points if isinstance(self.strategy, Threshold) else None
        alerted = alarm(known.lived, points) if points else alarm(known.lived)
        decision = self.strategy.decide(known) if known.periods_left else None
        retrain = decision is not None and decision.retrain and known.behind > 0
        if retrain:
            self._retrain(period, plan.labelled(clock), learner)
            self._answered.update(decision.keys if decision else ())
        self.results.append(
            Result(
                span.name,
                span.rows,
                judged.accuracy if judged else None,
                judged.macro_f1 if judged else None,
                retrained=retrain,
                alerted=alerted is not None,
                train_seconds=self.seconds,
            )
        )
        self.seconds = 0.0

    @property
    def _learned(self) -> int:
        return self.plan.spans[self.through].stop

    def _retrain(self, period: int, labelled: int, learner: Learner) -> None:
        self.through, self.retrains, self._since = labelled, self.retrains + 1, []
        seconds = learner.train_seconds(self._learned)
        self._retrained.append(Retrained(period, labelled, seconds))
        self.seconds += seconds
        self.labels = max(self.labels, self._learned)

    def _known(self, period: int, labelled: int, learner: Learner) -> Known:
        left = len(self.plan.spans) - 1 - period
        if left and self.strategy.tries and (trial := self._trial(labelled, learner)):
            self._trials.append(trial)
        if self.strategy.measures:
            self.labels = max(self.labels, self.plan.spans[labelled].stop)
        lived = tuple(
            Lived(
                period=place,
                rows=len(judged.right),
                age=place - self.through,
                confidence=judged.confidence,
                unseen_ratio=judged.unseen_ratio,
                accuracy=judged.accuracy if place <= labelled else None,
            )
            for place, judged in self._since
        )
        return Known(
            period=period,
            behind=self._behind(labelled),
            retrains=self.retrains,
            periods_left=left,
            lived=lived,
            trials=tuple(self._trials),
            retrained=tuple(self._retrained),
            answered=frozenset(self._answered),
        )

    def _behind(self, labelled: int) -> int:
        return sum(span.rows > 0 for span in self.plan.spans[self.through + 1 : labelled + 1])

    def _trial(self, labelled: int, learner: Learner) -> Trial | None:
        """Put a challenger to the newest labelled period, if the serving model has not seen it."""
        span = self.plan.spans[labelled]
        tried = trial_rows(span)
        if labelled <= self.through or tried is None:
            return None
        if self._trials and self._trials[-1].period == labelled:
            return None
        (mine,) = learner.judge(tried[0], [tried])
        (serving,) = learner.judge(self._learned, [(span.first, span.stop)])
        self.seconds += learner.train_seconds(tried[0])
        paired = mine.right.astype(float) - serving.right[tried[0] - span.first :]
        return Trial(
            period=labelled,
            rows=span.rows,
            tried_rows=tried[1] - tried[0],
            age=self._behind(labelled),
            accuracy=mine.accuracy,
            gain=float(paired.mean()),
            standard_error=float(paired.std() / len(paired) ** 0.5),
        )


def trial_rows(span: Span) -> Rows | None:
    """The newest third of a period, which a challenger is put to; None where it is too small."""
    rows = round(span.rows * TRIED_RATIO)
    return None if rows < LEAST_TRIED else (span.stop - rows, span.stop)


def walk(
    plan: Plan, strategies: Sequence[Strategy], learner: Learner, clock: ReplayClock
) -> Iterator[list[Course]]:
    """Lead all `strategies` through the periods side by side; yields them after each period."""
    first = plan.spans[plan.first_model].stop
    seconds = learner.train_seconds(first)
    courses = [Course(plan, one, plan.first_model, seconds, first) for one in strategies]
    for period in range(plan.first_served, len(plan.spans)):
        for coming in range(period, min(period + _AHEAD, len(plan.spans))):
            _prepare(plan, strategies, learner, coming)
        clock.advance_to(plan.spans[period].end)
        for course in courses:
            course.live(period, clock, learner)
        yield courses


def _prepare(plan: Plan, strategies: Sequence[Strategy], learner: Learner, period: int) -> None:
    """Have trained what will surely be asked for at the end of `period`."""
    newest = period - plan.label_delay
    tried = trial_rows(plan.spans[newest])
    if tried and period + 1 < len(plan.spans) and any(one.tries for one in strategies):
        learner.prepare(tried[0], [tried])
    if any(one.name == "every-period" for one in strategies) and period + 1 < len(plan.spans):
        answered = plan.spans[period + 1]
        asked = [(answered.first, answered.stop)] if answered.rows else []
        learner.prepare(plan.spans[newest].stop, asked)
