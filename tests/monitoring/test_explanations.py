"""Onset, size and interval of a change whose truth is known; incidents that open and recover."""

import doctest
from dataclasses import replace
from functools import partial
from typing import Literal

import numpy as np
import pytest

from bailiwick.core.errors import Invalid
from bailiwick.monitoring import explanations, incidents
from bailiwick.monitoring.calibration import Model, pairs_of
from bailiwick.monitoring.contrasts import Contrast
from bailiwick.monitoring.eprocess import Detector, Judgement, Sensitivity, detector
from bailiwick.monitoring.explanations import Shift, Suspect, likely_cause, shift_of, suspects
from bailiwick.monitoring.incidents import Incident, follow
from bailiwick.monitoring.seasons import Array

LEVEL = Contrast("words", "level", "sd", (), (), 0.33, 0.56)
OTHER = Contrast("amount", "level", "sd", (), (), 0.33, 0.56, main=True)
ROWS, WINDOWS, ONSET = 1_000.0, 200, 150
NOISE = np.sqrt(0.33 / ROWS)


def known(contrasts: list[Contrast], *, a: float = 0.0, phi: float = 0.0) -> Detector:
    count = len(contrasts)
    pairs = pairs_of(contrasts)
    wide = count + pairs.sign.size
    model = Model(
        coefficients=np.zeros((1, count)),
        a=np.full(count, a),
        phi=np.full(count, phi),
        v=np.full(count, 0.33),
        spread=np.ones(wide),
        charge=np.zeros((wide, 4)),
        windows=np.array(672.0),
    )
    return detector(model, contrasts, pairs, Sensitivity(), window_hours=1)


def found(x: Array, *, rows: Array | None = None, watching: Detector | None = None) -> Shift:
    return shift_of(
        watching or known([LEVEL]),
        LEVEL,
        0,
        x=x,
        rows=np.full(x.size, ROWS) if rows is None else rows,
        expected=np.zeros(x.size),
        sensitivity=Sensitivity(),
    )


def stepped(random: np.random.Generator, size: float, ramp: int = 1) -> Array:
    course = np.clip((np.arange(WINDOWS) - ONSET + 1) / ramp, 0, 1)
    return random.normal(scale=NOISE, size=WINDOWS) + size * LEVEL.per_unit * course


def test_doctests_hold() -> None:
    assert doctest.testmod(incidents).attempted > 2
    assert doctest.testmod(explanations).failed == doctest.testmod(incidents).failed == 0


def test_intervals_of_onset_and_size_hold_the_truth_nineteen_times_of_twenty() -> None:
    random = np.random.default_rng(41)
    shifts = [found(stepped(random, 0.1)) for _ in range(60)]
    assert np.mean([s.earliest <= ONSET <= s.latest for s in shifts]) > 0.88
    assert np.mean([s.lower <= 0.1 <= s.upper for s in shifts]) > 0.88
    assert np.median([s.latest - s.earliest for s in shifts]) < 20


def test_a_large_step_is_dated_to_the_window() -> None:
    shift = found(stepped(np.random.default_rng(42), -0.5))
    assert (shift.earliest, shift.onset, shift.latest) == (ONSET, ONSET, ONSET)
    assert shift.size == pytest.approx(-0.5, abs=0.05)
    assert not shift.gradual


def test_a_ramp_is_dated_to_its_beginning_and_sized_as_it_is_now() -> None:
    shift = found(stepped(np.random.default_rng(43), 0.6, ramp=WINDOWS - ONSET))
    assert shift.gradual
    assert abs(shift.onset - ONSET) < 10
    assert shift.lower < 0.6 < shift.upper


def test_a_wandering_series_gets_wider_intervals() -> None:
    random = np.random.default_rng(44)
    x = stepped(random, 0.2)
    wandering = known([LEVEL], a=(0.03 * LEVEL.per_unit) ** 2, phi=0.9)
    sure, unsure = found(x), found(x, watching=wandering)
    assert unsure.upper - unsure.lower > 1.5 * (sure.upper - sure.lower)


def test_windows_without_rows_are_left_out() -> None:
    x = stepped(np.random.default_rng(45), 0.5)
    rows = np.full(WINDOWS, ROWS)
    rows[ONSET - 5 : ONSET + 5], x[ONSET - 5 : ONSET + 5] = 0.0, 99.0
    shift = found(x, rows=rows)
    assert ONSET - 6 <= shift.earliest <= shift.onset <= shift.latest <= ONSET + 5
    assert shift.size == pytest.approx(0.5, abs=0.05)


def test_a_change_surely_below_the_smallest_is_not_worth_waking_for() -> None:
    random = np.random.default_rng(46)
    assert found(stepped(random, 0.12)).worth_waking
    x = stepped(random, 0.04)
    rows = np.full(WINDOWS, 1e6)
    exact = 0.04 * LEVEL.per_unit * (np.arange(WINDOWS) >= ONSET) + (x - x) + 0.0
    assert not found(exact, rows=rows).worth_waking


def test_a_history_too_short_or_too_long_is_refused() -> None:
    for windows in (1, 1_001):
        with pytest.raises(Invalid, match="2 to 1000 windows"):
            found(np.zeros(windows))


def test_a_pairs_evidence_counts_for_both_and_in_the_right_direction() -> None:
    both = [Contrast("words", "level", "sd", (), (), 0.33, 0.56, main=True), OTHER]
    watching = known(both)
    of_contrast = np.zeros((4, 2))
    of_contrast[1, 1] = 10.0  # amount, down
    of_contrast[3, 0] = 1_000.0  # words minus amount, up
    ranked = suspects(watching, both, Judgement(np.array(9e3), 8_760.0, of_contrast, judged=True))
    assert [(s.feature, s.direction) for s in ranked] == [("amount", "down"), ("words", "up")]
    assert not any(s.confirmed for s in ranked)


def test_e_d_bh_asks_less_of_the_second_feature_than_of_a_single_one() -> None:
    both = [Contrast("words", "level", "sd", (), (), 0.33, 0.56), OTHER]
    watching = known(both)
    judged = partial(Judgement, np.array(0.0), 8_760.0, judged=True)

    def confirmed(words: float, amount: float) -> int:
        of_contrast = np.array([[2 * words, 0.0], [2 * amount, 0.0]])
        return sum(s.confirmed for s in suspects(watching, both, judged(of_contrast)))

    assert confirmed(8_760, 0) == 0
    assert confirmed(2 * 8_760, 0) == 1
    assert confirmed(8_760, 8_760) == 2


def test_an_open_incident_absorbs_alarms_and_recovers_after_long_silence() -> None:
    incident: Incident | None = None
    alarms, states = {100, 130, 170}, []
    for window in range(300):
        incident = follow(incident, window=window, alarm=window in alarms, took=20, window_hours=1)
        if incident is not None:
            states.append(incident)
    assert {state.opened for state in states} == {100}
    assert states[-1].confirmations == 2
    assert states[-1].recovered == 170 + 60


def test_an_alarm_after_recovery_opens_another_incident() -> None:
    recovered = Incident(opened=1, took=1, confirmed=1, recovered=30)
    again = follow(recovered, window=40, alarm=True, took=2, window_hours=1)
    assert again == Incident(opened=40, took=2, confirmed=40)
    assert follow(recovered, window=40, alarm=False, took=2, window_hours=1) is None


@pytest.mark.parametrize(
    ("name", "direction", "gradual", "cause"),
    [
        ("missing", "up", False, "missing values"),
        ("missing", "down", False, "abrupt change"),
        ("other", "up", True, "new categories"),
        ("level", "up", True, "gradual change"),
        ("share of fuel", "down", False, "abrupt change"),
    ],
)
def test_the_likely_cause_follows_from_what_moved_and_how(
    name: str, direction: Literal["up", "down"], *, gradual: bool, cause: str
) -> None:
    shift = Shift(5, 5, 5, 0.1, 0.05, 0.15, gradual=gradual, worth_waking=True)
    suspect = Suspect("words", 9e3, confirmed=True, contrast=0, direction=direction)
    assert likely_cause(replace(LEVEL, name=name), suspect, shift) == cause
