"""The bet on labels: silent on quiet years, quick on drops, and the same however labels arrive."""

from collections.abc import Sequence
from itertools import product
from math import comb, exp, lgamma

import numpy as np
import pytest

from bailiwick.core.errors import Invalid
from bailiwick.monitoring.eprocess import Sensitivity
from bailiwick.monitoring.performance import (
    Expected,
    Label,
    LabelledState,
    LabelledTest,
    LabelledWindow,
    count_once,
    drop_of,
    expect,
    fresh_labels,
    labelled_test,
    restarted_labels,
    steps_since,
    take_labels,
)

USUAL = Expected(0.2, 0.002, 0.002, 672, 268_800, window_hours=1)
TEST = labelled_test(USUAL, Sensitivity(), smallest_drop=0.05)


def windows_of(seed: int, chances: Sequence[float], rows: int = 400) -> list[LabelledWindow]:
    random = np.random.default_rng(seed)
    return [
        LabelledWindow(place, int(random.binomial(rows, chance)), rows)
        for place, chance in enumerate(chances)
    ]


def alarms(test: LabelledTest, windows: Sequence[LabelledWindow]) -> list[int]:
    state, found = fresh_labels(test), []
    for window in windows:
        state, judged = take_labels(test, state, [window])
        if judged.alarm:
            found.append(window.window)
            state = restarted_labels(state)
    return found


def test_quiet_years_are_silent_and_a_drop_is_seen_within_a_day() -> None:
    chances = [0.2] * 4_000 + [0.25] * 200
    found = alarms(TEST, windows_of(1, chances))
    assert found
    assert 4_000 <= found[0] < 4_024


def test_a_drop_inside_the_tolerance_never_alarms() -> None:
    assert alarms(TEST, windows_of(2, [0.205] * 4_000)) == []


def test_a_better_model_never_alarms() -> None:
    assert alarms(TEST, windows_of(3, [0.1] * 2_000)) == []


def test_the_bet_is_fair_under_the_null() -> None:
    """Its mean over all counts of a window under the null's own law is 1, late part included."""
    small = LabelledTest(0.3, (0.4, 0.6), 20.0, 1e9)
    a, b, rows, later = 6.0, 14.0, 7, 5

    def chance(wrong: int, count: int) -> float:
        law = lgamma(a + wrong) + lgamma(b + count - wrong) - lgamma(a + b + count)
        return exp(law - lgamma(a) - lgamma(b) + lgamma(a + b))

    whole = np.zeros(2)
    for first, second in product(range(rows + 1), range(later + 1)):
        state, _ = take_labels(small, fresh_labels(small), [LabelledWindow(0, first, rows)])
        early = np.array(state.evidence)
        state, _ = take_labels(small, restarted_labels(state), [LabelledWindow(0, second, later)])
        ways = comb(rows, first) * comb(later, second)
        whole += ways * chance(first + second, rows + later) * early * np.array(state.evidence)
    assert whole == pytest.approx([1.0, 1.0])


@pytest.mark.parametrize("rho", [0.0005, 0.01, 0.1, 0.25])
@pytest.mark.parametrize("loss", [0.05, 0.4])
def test_windows_that_differ_less_than_expected_make_no_evidence(rho: float, loss: float) -> None:
    """The mean of the bets over plain binomial counts, at the null's mean and below it."""
    expected = Expected(loss, 0.01, rho, 100, 50_000, window_hours=1)
    test, rows = labelled_test(expected, Sensitivity(), smallest_drop=0.05), 500
    for chance in (test.mean, 0.9 * test.mean):
        means = np.zeros(len(test.bets))
        for wrong in range(rows + 1):
            odds = wrong * np.log(chance) + (rows - wrong) * np.log(1 - chance)
            ways = lgamma(rows + 1) - lgamma(wrong + 1) - lgamma(rows - wrong + 1)
            state, _ = take_labels(test, fresh_labels(test), [LabelledWindow(0, wrong, rows)])
            means += exp(odds + ways) * np.array(state.evidence)
        assert (means <= 1).all()


@pytest.mark.parametrize("seed", [14, 16, 20])
def test_losses_that_wander_for_days_do_not_alarm(seed: int) -> None:
    random, wander = np.random.default_rng(seed), np.zeros(6_000)
    for hour in range(1, wander.size):
        wander[hour] = 0.99 * wander[hour - 1] + random.normal(scale=0.0021)
    windows = windows_of(seed, (0.2 + wander).tolist())
    expected = expect(windows[:672], window_hours=1)
    test = labelled_test(expected, Sensitivity(), smallest_drop=0.05)
    assert alarms(test, windows[672:]) == []


def test_labels_in_parts_and_out_of_order_come_to_the_same_bet() -> None:
    at_once, _ = take_labels(
        TEST, fresh_labels(TEST), [LabelledWindow(4, 30, 100), LabelledWindow(5, 21, 90)]
    )
    parts = [LabelledWindow(5, 1, 20), LabelledWindow(4, 30, 60), LabelledWindow(5, 20, 70)]
    in_parts, _ = take_labels(TEST, fresh_labels(TEST), [*parts, LabelledWindow(4, 0, 40)])
    assert in_parts.evidence == pytest.approx(at_once.evidence)
    assert in_parts.counted == at_once.counted == {4: (30, 100), 5: (21, 90)}


def test_no_single_step_alarms_and_steps_without_labels_say_nothing() -> None:
    state, judged = take_labels(TEST, fresh_labels(TEST), [LabelledWindow(0, 9_000, 9_000)])
    assert not judged.alarm
    after, judged = take_labels(TEST, state, [])
    assert (judged.judged, judged.alarm) == (False, False)
    assert after.evidence == state.evidence


def test_windows_that_were_forgotten_do_not_grow_the_state() -> None:
    state = LabelledState((0.0,) * 4, (0,) * 4, 0, dict.fromkeys(range(2_000), (1, 10)))
    state, _ = take_labels(TEST, state, [LabelledWindow(2_000, 1, 5)])
    assert len(state.counted) == 1_501
    assert min(state.counted) == state.forgotten == 500
    late, judged = take_labels(TEST, state, [LabelledWindow(3, 1, 5)])
    assert judged.judged
    assert late.counted == state.counted


def test_a_state_goes_on_from_json_as_if_nothing_had_happened() -> None:
    state = fresh_labels(TEST)
    for window in windows_of(5, [0.2] * 20):
        state, _ = take_labels(TEST, state, [window])
    again = LabelledState.from_json(state.to_json())
    last = [LabelledWindow(19, 8, 30)]
    assert take_labels(TEST, again, last) == take_labels(TEST, state, last)
    assert Expected.from_json(USUAL.to_json()) == USUAL


def test_expected_sees_windows_that_differ_and_losses_that_wander() -> None:
    random = np.random.default_rng(6)
    wander = np.zeros(672)
    for hour in range(1, 672):
        wander[hour] = 0.9 * wander[hour - 1] + random.normal(scale=0.0044)
    even = expect(windows_of(7, [0.2] * 672), window_hours=1)
    wandering = expect(windows_of(7, (0.2 + wander).tolist()), window_hours=1)
    assert wandering.rho > 3 * even.rho
    assert wandering.error > even.error


def test_too_few_labels_and_a_hopeless_model_are_refused() -> None:
    with pytest.raises(Invalid, match="too few"):
        expect(windows_of(8, [0.2] * 5), window_hours=1)
    with pytest.raises(Invalid, match="to be tested"):
        labelled_test(Expected(0.95, 0.01, 0.01, 9, 900, 24), Sensitivity(), smallest_drop=0.1)
    with pytest.raises(Invalid, match="more wrong rows"):
        LabelledWindow(1, 5, 4)


@pytest.mark.parametrize("gradual", [False, True])
def test_a_drop_is_dated_and_measured(gradual: bool) -> None:  # noqa: FBT001 - a parameter
    rise = np.linspace(0.0, 0.1, 60) if gradual else np.full(60, 0.06)
    windows = windows_of(9, (0.2 + np.concatenate([np.zeros(100), rise])).tolist())
    found = drop_of(USUAL, windows)
    assert found.earliest <= 100 + 12 * gradual
    assert found.latest >= 100
    assert found.lower <= (0.1 if gradual else 0.06) <= found.upper
    assert found.gradual is gradual


def test_the_guess_of_the_onset_lies_near_the_change() -> None:
    state = fresh_labels(TEST)
    for window in windows_of(10, [0.2] * 500 + [0.26] * 10):
        state, _ = take_labels(TEST, state, [window])
    assert 5 <= steps_since(state) <= 15


def test_a_record_counts_once_and_corrections_are_stated() -> None:
    first = count_once(
        [Label("a", 1, "fuel", "fuel"), Label("b", 1, "fuel", "food"), Label("c", 2, "fuel", None)],
        {},
    )
    assert first.windows == (LabelledWindow(1, 1, 2),)
    second = count_once(
        [Label("a", 1, "fuel", "food"), Label("b", 1, "fuel", None), Label("b", 1, "fuel", "fuel")],
        first.labels,
    )
    assert second.windows == ()
    assert (second.repeated, second.corrected, second.withdrawn) == (0, 2, 1)
    assert second.labels == {"a": "food", "b": "fuel"}
