"""Nothing of the future is seen: not a row, not a label before its time."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from bailiwick.core.clock import ReplayClock
from bailiwick.core.errors import Invalid
from bailiwick.lifecycle.backtest import Judged, Plan, Result, Rows, Span, walk
from bailiwick.lifecycle.backtest.replay import replay
from bailiwick.lifecycle.strategies import Known, Periodic, strategy_named
from bailiwick.lifecycle.strategies.known import Decision

START = datetime(2024, 1, 1, tzinfo=UTC)
ROWS = 100
NAMES = ("frozen", "every-period", "periodic:2", "threshold", "cost-aware")


def spans(count: int, *, empty: Sequence[int] = ()) -> list[Span]:
    result: list[Span] = []
    for place in range(count):
        first = result[-1].stop if result else 0
        start = START + timedelta(days=place)
        stop = first + (0 if place in empty else ROWS)
        result.append(Span(f"day {place}", start, start + timedelta(days=1), first, stop))
    return result


class Ageing:
    """Models that lose 5 points with each period they did not learn; notes who asked when."""

    def __init__(self, clock: ReplayClock | None = None) -> None:
        self.clock = clock
        self.calls: list[tuple[datetime, int, Rows]] = []

    def prepare(self, learned: int, asked: Iterable[Rows]) -> None:
        """Nothing is gained by it here."""

    def judge(self, learned: int, asked: Sequence[Rows]) -> list[Judged]:
        """Right in 90 of 100 rows, less 5 for each hundred of rows not learned."""
        answers = []
        for first, stop in asked:
            assert learned <= first, "a model is judged on what it learned"
            if self.clock:
                self.calls.append((self.clock.now(), learned, (first, stop)))
            wrong = 10 + 5 * ((first - learned) // ROWS)
            right = (np.arange(first, stop) * 37) % 100 >= wrong
            answers.append(Judged(float(right.mean()), 0.5, 0.8, 0.1, right))
        return answers

    def train_seconds(self, learned: int) -> float:
        """A second for each model."""
        if self.clock:
            self.calls.append((self.clock.now(), learned, (learned, learned)))
        return 1.0


def results(name: str, plan: Plan) -> list[Result]:
    (outcome,) = replay(plan, [strategy_named(name)], Ageing(), lambda *_: None)
    return list(outcome.results)


@pytest.mark.parametrize("delay", [0, 1, 3])
def test_no_model_learns_labels_before_they_are_known_nor_is_judged_on_the_future(
    delay: int,
) -> None:
    plan = Plan(spans(14), delay, first_model=0)
    clock = ReplayClock(plan.spans[delay].end)
    learner = Ageing(clock)
    rules = [strategy_named(name) for name in NAMES]
    for _ in walk(plan, rules, learner, clock):  # type: ignore[arg-type]  # no hindsight here
        pass
    assert len({learned for _, learned, _ in learner.calls}) > 14 - delay - 2
    for at, learned, (_, stop) in learner.calls:
        newest = max(span.stop for span in plan.spans if span.end <= at)
        assert stop <= newest
        whole = [span for span in plan.spans if span.first < learned]
        assert whole[-1].end + timedelta(days=delay) <= at


@pytest.mark.parametrize(("delay", "expected"), [(0, 90.0), (1, 85.0), (2, 80.0)])
def test_a_delay_of_labels_ages_even_a_model_that_is_retrained_every_period(
    delay: int, expected: float
) -> None:
    every = results("every-period", Plan(spans(10), delay, first_model=0))
    assert {round(100 * (one.accuracy or 0)) for one in every} == {expected}
    assert [one.retrained for one in every] == [True] * (8 - delay) + [False]


def test_strategies_retrain_at_the_end_of_periods_never_after_the_last() -> None:
    plan = Plan(spans(8), 0, first_model=0)
    assert [one.retrained for one in results("periodic:2", plan)] == [
        *(False, True, False, True, False, True),
        False,
    ]
    assert not any(one.retrained for one in results("frozen", plan))
    assert [one.period for one in results("frozen", plan)] == [f"day {n}" for n in range(1, 8)]


def test_the_first_model_s_seconds_stand_in_the_first_period() -> None:
    plan = Plan(spans(5), 0, first_model=0)
    assert [one.train_seconds for one in results("frozen", plan)] == [1, 0, 0, 0]
    assert [one.train_seconds for one in results("every-period", plan)] == [2, 1, 1, 0]


def test_an_empty_period_is_shown_and_brings_no_retraining() -> None:
    every = results("every-period", Plan(spans(6, empty=[3]), 0, first_model=0))
    assert [(one.period, one.rows, one.accuracy) for one in every][2] == ("day 3", 0, None)
    assert [one.retrained for one in every] == [True, True, False, True, False]


def test_threshold_alarms_and_retrains_by_what_is_measured() -> None:
    plan = Plan(spans(12), 0, first_model=0)
    fell = results("threshold:25", plan)
    assert [one.alerted for one in fell] == [one.retrained for one in fell[:-1]] + [False]
    assert sum(one.retrained for one in fell) == 1


def test_hindsight_is_at_least_as_good_as_any_rule_with_as_many_retrainings() -> None:
    plan = Plan(spans(11), 1, first_model=0)
    names = ("periodic:3", "hindsight:2", "frozen", "hindsight:0", "every-period", "hindsight:9")
    outcomes = replay(plan, [strategy_named(one) for one in names], Ageing(), lambda *_: None)
    accuracy = {one.strategy: one.accuracy for one in outcomes}
    assert accuracy["hindsight:2"] >= accuracy["periodic:3"]
    assert accuracy["hindsight:0"] == pytest.approx(accuracy["frozen"])
    assert accuracy["hindsight:9"] == pytest.approx(accuracy["every-period"])


def test_a_rule_is_told_what_is_left_of_the_plan_and_how_far_it_is_behind() -> None:
    seen: list[Known] = []

    class Watching(Periodic):
        def decide(self, known: Known) -> Decision:
            seen.append(known)
            return Decision(known.period == 4, "a test's wish")

    plan = Plan(spans(8), 1, first_model=0)
    clock = ReplayClock(plan.spans[1].end)
    for _ in walk(plan, [Watching(every=9)], Ageing(), clock):
        pass
    assert [one.periods_left for one in seen] == [5, 4, 3, 2, 1]
    assert [one.behind for one in seen] == [1, 2, 3, 1, 2]
    assert [len(one.lived) for one in seen] == [1, 2, 3, 1, 2]
    assert [one.lived[-1].accuracy for one in seen] == [None] * 5
    assert seen[2].lived[0].accuracy is not None


def test_a_file_with_one_period_has_nothing_to_replay() -> None:
    with pytest.raises(Invalid, match="covers 2 periods; the first model is there after 2"):
        results("frozen", Plan(spans(2), 1, first_model=0))
