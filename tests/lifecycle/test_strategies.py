"""Rules for when to retrain: pure functions of what is known."""

import itertools

import numpy as np
import pytest

from bailiwick.core.errors import Invalid
from bailiwick.lifecycle.backtest.hindsight import best_schedule
from bailiwick.lifecycle.strategies import (
    FORMS,
    CostAware,
    Known,
    Lived,
    Retrained,
    Strategy,
    Threshold,
    Trial,
    alarm,
    strategy_named,
)
from bailiwick.lifecycle.strategies.evidence import by_model, gain_of, growth_of, shortfall_of


def lived(accuracy: float | None, *, rows: int = 5000, **changes: float) -> Lived:
    settings = {"confidence": 0.8, "unseen_ratio": 0.1, **changes}
    return Lived(period=1, rows=rows, age=1, accuracy=accuracy, **settings)


def trial(
    gain: float, *, age: int = 1, error: float = 0.001, rows: int = 10_000, accuracy: float = 0.8
) -> Trial:
    return Trial(
        period=1,
        rows=rows,
        tried_rows=rows // 3,
        age=age,
        accuracy=accuracy,
        gain=gain,
        standard_error=error,
    )


def known(**changes: object) -> Known:
    settings = {
        "period": 9,
        "behind": 1,
        "retrains": 0,
        "periods_left": 20,
        "lived": (),
        "trials": (),
    }
    return Known(**{**settings, **changes})  # type: ignore[arg-type]  # checked by the class


def ruled(text: str) -> Strategy:
    rule = strategy_named(text)
    assert hasattr(rule, "decide")
    return rule


@pytest.mark.parametrize(
    ("name", "retrained"),
    [("frozen", []), ("every-period", [1, 2, 3, 4, 5]), ("periodic:2", [2, 3, 4, 5])],
)
def test_the_calendar_alone_decides(name: str, retrained: list[int]) -> None:
    rule = ruled(name)
    assert [b for b in range(6) if rule.decide(known(behind=b)).retrain] == retrained


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("yearly", "There is no strategy 'yearly'. Choose from: frozen, every-period"),
        ("periodic", "Choose from"),
        ("periodic:0", "Choose from"),
        ("periodic:x", "Choose from"),
        ("hindsight", "Choose from"),
        ("threshold:much", "Choose from"),
        ("threshold:-3", "above 0"),
        ("frozen:2", "Choose from"),
    ],
)
def test_a_strategy_that_is_none_is_refused_with_the_list(text: str, message: str) -> None:
    with pytest.raises(Invalid) as refusal:
        strategy_named(text)
    assert message in refusal.value.message


def test_every_form_of_the_list_is_a_strategy() -> None:
    for form in FORMS:
        text = form.replace("POINTS", "2.5").replace("N", "3")
        assert strategy_named(text).name == text


def test_accuracy_that_fell_by_the_threshold_retrains() -> None:
    rule = Threshold(points=5)
    fell = rule.decide(known(lived=(lived(0.80), lived(0.74))))
    assert (fell.retrain, fell.reason) == (True, "accuracy fell by 6.0 points")
    assert not rule.decide(known(lived=(lived(0.80), lived(0.76)))).retrain
    assert not rule.decide(known(behind=0, lived=(lived(0.80), lived(0.5)))).retrain


def test_a_fall_that_may_be_chance_is_none() -> None:
    assert alarm((lived(0.80, rows=100), lived(0.74, rows=100))) is None


def test_labels_that_are_not_known_yet_are_not_looked_at() -> None:
    assert alarm((lived(0.80), lived(0.79), lived(None))) is None
    assert alarm((lived(None), lived(None))) is None


def test_drift_is_alarmed_without_any_label() -> None:
    assert "unseen words" in str(alarm((lived(None), lived(None, unseen_ratio=0.25))))
    assert "confidence" in str(alarm((lived(None), lived(None, confidence=0.7))))


def aged(growth: float, *, age: int = 1, error: float = 0.001) -> Trial:
    """A trial of a model that loses `growth` a period: the challenger lacks a third of one."""
    return trial(growth * (age - 1 / 3), age=age, error=error)


def steady(growth: float, models: int = 9) -> tuple[Trial, ...]:
    """Trials of models that lost `growth` a period, each replaced after two."""
    return tuple(aged(growth, age=age) for _ in range(models) for age in (1, 2))


def test_a_model_that_aged_as_much_as_the_plan_allows_is_retrained() -> None:
    """20 periods, 10 retrainings: every second one, or sooner if it aged faster than usual."""
    rule, past = CostAware(budget=10, price_answers=0), steady(0.02)
    assert not rule.decide(known(trials=(*past, aged(0.02)))).retrain
    assert rule.decide(known(behind=2, trials=(*past, aged(0.02), aged(0.02, age=2)))).retrain
    assert rule.decide(known(trials=(*past, aged(0.08)))).retrain


def test_where_models_age_evenly_it_keeps_an_even_plan_however_fast_they_are_thought_to_age() -> (
    None
):
    """The first models hardly aged, so that growth is taken for a third of what it is now."""
    rule = CostAware(budget=7, price_answers=0)
    waits = []
    for age in (1, 2, 3):
        trials = (*steady(0.01), *(aged(0.03, age=one) for one in range(1, age + 1)))
        waits.append(rule.decide(known(behind=age, periods_left=21, trials=trials)))
    assert [wait.retrain for wait in waits] == [False, True, True]
    assert waits[0].reason == (
        "newer labels are worth 2.0 points, 1.0 by age: together 1.5, 2.5 needed "
        "(every 3.0 periods)"
    )


def test_a_price_alone_says_how_long_to_wait() -> None:
    """A growth of 2 points of 10,000 rows is 200 answers a period: 900 are lost in 3 periods."""
    rule, trials = CostAware(price_answers=900), steady(0.02)
    waits = []
    for age in (1, 2, 3):
        trials = (*trials, aged(0.02, age=age))
        waits.append(rule.decide(known(behind=age, trials=trials)))
    assert [wait.retrain for wait in waits] == [False, False, True]
    assert waits[-1].reason == (
        "newer labels are worth 5.3 points, 6.0 by age: together 6.0, 5.0 needed "
        "(every 3.0 periods)"
    )
    assert CostAware(price_answers=0).decide(known(trials=steady(0.02))).retrain


def test_growth_is_what_most_models_lost_a_period() -> None:
    assert growth_of(steady(0.02)) == pytest.approx(0.02)
    assert growth_of((*steady(0.02), aged(0.3), *steady(0.02))) == pytest.approx(0.02)
    assert growth_of(steady(-0.01)) == pytest.approx(1e-5)


def test_a_first_model_that_gains_much_is_not_the_rule() -> None:
    assert growth_of((aged(0.25),)) == pytest.approx((0.015 * 0.25) ** 0.5)
    rule, older = CostAware(budget=7, price_answers=0), (aged(0.25), aged(0.25, age=2))
    assert not rule.decide(known(trials=older[:1])).retrain
    assert rule.decide(known(behind=2, trials=older)).retrain


def test_a_model_s_growth_is_the_slope_of_all_its_trials() -> None:
    """Days that each say little count together, the more the older the model was."""
    noise = np.random.default_rng(0).normal(scale=0.05, size=60)
    days = [
        trial(0.001 * age + push, age=age, error=0.05) for age, push in enumerate(noise, start=1)
    ]
    assert growth_of(days * 9) == pytest.approx(0.001, abs=0.0005)


def test_a_gain_of_less_than_a_point_is_not_worth_a_new_model() -> None:
    decision = CostAware(price_answers=0).decide(known(trials=(*steady(0.006), aged(0.006))))
    assert not decision.retrain
    assert decision.reason == "newer labels are worth 0.4 points, less than a new model is"


def test_what_may_be_chance_is_no_gain() -> None:
    decision = CostAware(price_answers=0).decide(known(trials=(trial(0.02, error=0.014),)))
    assert (decision.retrain, decision.reason) == (False, "a gain of 2.0 points may be chance")


def test_days_together_show_what_none_of_them_does_alone() -> None:
    days = tuple(trial(0.05, age=age, error=0.04, rows=120) for age in range(1, 13))
    assert not CostAware(price_answers=0).decide(known(trials=days[:3])).retrain
    assert CostAware(price_answers=0).decide(known(trials=days)).retrain


def test_a_sudden_loss_is_not_lost_among_quiet_days() -> None:
    quiet = [trial(0.0, age=age, error=0.02) for age in range(1, 30)]
    assert gain_of([*quiet, trial(0.2, age=30, error=0.02)]).estimate == pytest.approx(0.2)


def test_trials_of_earlier_models_are_told_apart_by_their_age() -> None:
    trials = [trial(0.01, age=1), trial(0.02, age=2), trial(0.01, age=1), trial(0.015, age=3)]
    assert by_model(trials) == [trials[:2], trials[2:]]


@pytest.mark.parametrize("looks", [4, 12, 100])
def test_looking_often_finds_no_more_by_chance(looks: int) -> None:
    """At most one in ten models without a gain ever seems to have one."""
    random = np.random.default_rng(looks)
    fooled = 0
    for _ in range(100):
        noise = random.normal(scale=0.05, size=looks)
        trials = [trial(gain, age=age, error=0.05) for age, gain in enumerate(noise, 1)]
        fooled += any(
            gain_of(trials[:look]).at_least > 0 for look in range(1, looks + 1, max(1, looks // 25))
        )
    assert fooled <= 15


def test_an_upheaval_that_the_challenger_has_not_learned_either_is_worth_a_retraining() -> None:
    rule = CostAware(budget=5, price_answers=0)
    usual = (*steady(0.02), trial(0.01))
    assert not rule.decide(known(trials=usual)).retrain
    decision = rule.decide(known(trials=(*usual[:-1], trial(0.01, accuracy=0.6))))
    assert (decision.retrain, decision.reason[:34]) == (True, "newer labels are worth 21.0 points")


def test_a_period_that_is_a_little_harder_is_no_upheaval() -> None:
    usual = [trial(0.02, accuracy=0.8 + wobble) for wobble in (-0.03, 0.03, -0.02, 0.02)]
    assert shortfall_of((*usual, trial(0.02, accuracy=0.75)), 2) == 0
    assert shortfall_of((*usual, trial(0.02, accuracy=0.6)), 2) == pytest.approx(0.2)
    assert shortfall_of((*usual, trial(0.02, accuracy=0.6)), 6) == 0
    assert shortfall_of((trial(0.02, accuracy=0.1),), 2) == 0


def test_a_spent_budget_is_kept_to() -> None:
    rule, large = CostAware(budget=2), (trial(0.5),)
    assert rule.decide(known(retrains=1, periods_left=1, trials=large)).retrain
    assert not rule.decide(known(retrains=2, trials=large)).retrain


def test_a_trial_of_the_model_before_is_no_reason_to_retrain_again() -> None:
    """After it came days with too few rows to try a challenger on."""
    rule, large = CostAware(price_answers=0), (trial(0.5),)
    assert rule.decide(known(trials=large)).retrain
    done = (Retrained(period=1, through=1, train_seconds=1.0),)
    assert not rule.decide(known(trials=large, retrained=done)).retrain


def test_without_newer_labels_there_is_nothing_to_learn() -> None:
    assert not CostAware().decide(known(behind=0, trials=(trial(0.5),))).retrain
    assert not CostAware().decide(known(trials=())).retrain


@pytest.mark.parametrize("seed", range(6))
def test_hindsight_is_the_best_of_all_schedules(seed: int) -> None:
    periods = 6
    accuracies = np.random.default_rng(seed).random((periods, periods))
    newest = list(range(periods))
    for retrains in (0, 1, 2, 5):
        found = best_schedule(accuracies, newest, retrains)
        assert sum(a != b for a, b in itertools.pairwise(found)) <= retrains
        totals = []
        for moments in itertools.combinations(range(1, periods), retrains):
            schedule = [max([0, *(m for m in moments if m <= p)]) for p in range(periods)]
            totals.append(sum(accuracies[m, p] for p, m in enumerate(schedule)))
        got = sum(accuracies[m, p] for p, m in enumerate(found))
        assert got >= max(totals) - 1e-9
        assert all(m <= p for p, m in enumerate(found))
