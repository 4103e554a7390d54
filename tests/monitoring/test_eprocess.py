"""The detector: its bound, what alarms it and what must not, alone and on a real baseline."""

import doctest
from collections.abc import Callable
from dataclasses import replace
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from bailiwick.core.errors import Invalid
from bailiwick.monitoring import (
    baselines,
    contrasts,
    eprocess,
    incidents,
    seasons,
    shapes,
    sketches,
)
from bailiwick.monitoring.baselines import Baseline, Window, fit_baseline
from bailiwick.monitoring.calibration import Model, pairs_of
from bailiwick.monitoring.contrasts import Contrast
from bailiwick.monitoring.embeddings import packed_rows
from bailiwick.monitoring.eprocess import (
    Detector,
    DetectorState,
    Judgement,
    Sensitivity,
    detector,
    fresh,
    restarted,
    step,
)
from bailiwick.monitoring.explanations import moves, onset_guess, suspects
from bailiwick.monitoring.shapes import EmbeddingShape, Layout
from bailiwick.monitoring.summaries import summarize
from support.quiet_traffic import LAYOUT, MONDAY, drawn, quiet, window

LEVEL = Contrast("words", "level", "sd", (), (), 0.33, 0.56)
Columns = dict[str, Any]


def alone(streams: int, *, sensitivity: Sensitivity | None = None, hours: float = 1) -> Detector:
    """One contrast, no latent noise, a long baseline: the null is exactly true."""
    shape = (streams, 1)
    model = Model(
        coefficients=np.zeros((streams, 1, 1)),
        a=np.zeros(shape),
        phi=np.zeros(shape),
        v=np.full(shape, 0.33),
        spread=np.ones(shape),
        charge=np.zeros((*shape, 4)),
        windows=np.full(streams, 1e12),
    )
    chosen = sensitivity or Sensitivity()
    return detector(model, [LEVEL], pairs_of([LEVEL]), chosen, window_hours=hours)


def play(watching: Detector, x: np.ndarray[Any, Any], rows: float = 330.0) -> list[Judgement]:
    """x: (windows, streams)."""
    state, found = fresh(watching), []
    for values in x:
        counted = np.full((values.size, 1), rows)
        state, judgement = step(watching, state, np.ones(1), values[:, None], counted)
        found.append(judgement)
    return found


@pytest.fixture(scope="module")
def baseline() -> Baseline:
    return fit_baseline(LAYOUT, quiet(np.random.default_rng(21), 0, 672), window_hours=1)


def watch(
    baseline: Baseline, windows: list[Window], **settings: Any
) -> tuple[int | None, Detector, DetectorState, Judgement]:
    """(place of the first alarm, ...) over `windows`."""
    watching = detector(
        baseline.model,
        baseline.contrasts,
        baseline.pairs,
        Sensitivity(**settings),
        window_hours=1,
    )
    state = fresh(watching)
    judgement = Judgement(np.zeros(()), 1.0, np.zeros((1, 2)), judged=False)
    for place, own in enumerate(windows):
        x, rows = baseline.observe(own.summary)
        state, judgement = step(watching, state, baseline.design([own.start])[0], x, rows)
        if judgement.alarm:
            return place, watching, state, judgement
    return None, watching, state, judgement


def changed(
    change: Callable[[Columns], Columns], *, count: int = 60, rows: int = 400, seed: int = 22
) -> list[Window]:
    """A day as it was, then `change` in every window."""
    random = np.random.default_rng(seed)
    found = quiet(random, 672, 24, rows)
    for hour in range(696, 696 + count):
        found.append(window(hour, change(drawn(random, rows, hour))))
    return found


@pytest.mark.parametrize(
    "module", [baselines, contrasts, eprocess, incidents, seasons, shapes, sketches]
)
def test_doctests_hold(module: ModuleType) -> None:
    assert doctest.testmod(module).failed == 0


def test_without_drift_the_mean_evidence_grows_no_faster_than_time() -> None:
    """E[M_T] <= T, with the tolerance taken away so that the null is at its boundary."""
    watching = alone(4_000)
    edge = replace(watching, tolerance=np.zeros(1))
    noise = np.random.default_rng(23).normal(scale=np.sqrt(0.33 / 330), size=(40, 4_000))
    grown = [float(judgement.evidence.mean()) for judgement in play(edge, noise)]
    assert 0.5 * 40 < grown[-1] < 1.3 * 40
    assert 0.5 * 10 < grown[9] < 1.3 * 10


def test_false_alarms_come_no_sooner_than_the_threshold_says() -> None:
    edge = replace(alone(300), tolerance=np.zeros(1), threshold=100.0)
    noise = np.random.default_rng(24).normal(scale=np.sqrt(0.33 / 330), size=(400, 300))
    alarmed = np.array([judgement.alarm for judgement in play(edge, noise)])
    first = np.where(alarmed.any(axis=0), alarmed.argmax(axis=0) + 1, 400)
    assert first.mean() > 100


def test_an_offset_inside_the_tolerance_is_not_drift() -> None:
    watching = alone(20)
    inside = 0.9 * float(watching.tolerance[0])
    noise = np.random.default_rng(25).normal(inside, np.sqrt(0.33 / 20_000), size=(2_000, 20))
    assert not any(judgement.alarm.any() for judgement in play(watching, noise, rows=20_000.0))


def test_one_strange_window_cannot_alarm_however_large() -> None:
    calm = np.zeros((100, 1))
    calm[50] = 1.0
    found = play(alone(1), calm, rows=1e9)
    assert not any(judgement.alarm.any() for judgement in found)


def test_thin_windows_say_nothing() -> None:
    watching = alone(1)
    state, judgement = step(
        watching, fresh(watching), np.ones(1), np.ones((1, 1)), np.full((1, 1), 29.0)
    )
    assert not judgement.judged
    assert state.windows == 0
    assert not state.evidence.any()


def test_the_threshold_follows_from_what_users_set() -> None:
    assert Sensitivity(false_alarms_per_year=0.05).threshold(1, provisional=False) == 175_200
    assert Sensitivity().threshold(24, provisional=False) == 365
    assert Sensitivity().threshold(1, provisional=True) == 2 * 8_760


@pytest.mark.parametrize(
    "wrong",
    [
        {"false_alarms_per_year": 0.0},
        {"false_alarms_per_year": 100.0},
        {"smallest_change_sd": 0.0},
        {"smallest_change_share": 1.0},
    ],
)
def test_settings_without_sense_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(Invalid):
        Sensitivity(**wrong)


def test_fewer_false_alarms_cost_delay() -> None:
    shifted = np.random.default_rng(26).normal(0.06, np.sqrt(0.33 / 330), size=(100, 50))
    delays = []
    for allowed in (1.0, 0.01):
        watching = alone(50, sensitivity=Sensitivity(false_alarms_per_year=allowed))
        alarmed = np.array([judgement.alarm for judgement in play(watching, shifted)])
        delays.append(np.median(alarmed.argmax(axis=0)))
    assert delays[0] < delays[1] < delays[0] + 8


def test_the_state_is_small_and_survives_json(baseline: Baseline) -> None:
    windows = quiet(np.random.default_rng(27), 672, 30)
    _, watching, state, _ = watch(baseline, windows)
    again = DetectorState.from_json(state.to_json())
    x, rows = baseline.observe(windows[-1].summary)
    design = baseline.design([MONDAY])[0]
    assert np.array_equal(
        step(watching, again, design, x, rows)[1].of_contrast,
        step(watching, state, design, x, rows)[1].of_contrast,
    )
    assert state.evidence.size == watching.model.spread.size * 2 * 4


def test_after_an_alarm_evidence_starts_anew_and_the_filter_goes_on(baseline: Baseline) -> None:
    _, _, state, _ = watch(baseline, quiet(np.random.default_rng(28), 672, 30))
    anew = restarted(state)
    assert not anew.evidence.any()
    assert anew.latent is state.latent


def test_two_quiet_months_are_quiet(baseline: Baseline) -> None:
    windows = quiet(np.random.default_rng(29), 672, 1_400, rows=60)
    assert watch(baseline, windows)[0] is None


@pytest.mark.parametrize(
    ("change", "feature", "name", "within"),
    [
        (lambda c: {**c, "words": c["words"] + 0.4}, "words", "level", 6),
        (lambda c: {**c, "words": c["words"] * 1.4}, "words", "spread", 12),
        (lambda c: {**c, "words": [None] * 40 + list(c["words"][40:])}, "words", "missing", 6),
        (lambda c: {**c, "constant": [8.0] * 40 + [7.0] * 360}, "constant", "level", 6),
        (
            lambda c: {**c, "prediction": ["taxi"] * 40 + list(c["prediction"][40:])},
            "prediction",
            "other",
            6,
        ),
        (
            lambda c: {**c, "prediction": ["food"] * 60 + list(c["prediction"][60:])},
            "prediction",
            "share of food",
            8,
        ),
        (
            lambda c: {name: values for name, values in c.items() if name != "amount"},
            "amount",
            "missing",
            4,
        ),
    ],
    ids=["level", "spread", "nulls", "constant", "new category", "label mix", "column gone"],
)
def test_a_change_is_alarmed_soon_and_named(
    baseline: Baseline,
    change: Callable[[Columns], Columns],
    feature: str,
    name: str,
    within: int,
) -> None:
    place, watching, state, judgement = watch(baseline, changed(change))
    assert place is not None
    assert 24 <= place < 24 + within
    first = suspects(watching, baseline.contrasts, judgement)[0]
    assert (first.feature, baseline.contrasts[first.contrast].name) == (feature, name)
    assert onset_guess(state, first) <= within + 2


def test_two_features_that_move_together_are_seen_sooner_than_one(baseline: Baseline) -> None:
    one = changed(lambda c: {**c, "words": c["words"] + 0.12}, count=200)
    both = changed(
        lambda c: {**c, "words": c["words"] + 0.12, "amount": c["amount"] - 0.12}, count=200
    )
    late, soon = watch(baseline, one)[0], watch(baseline, both)[0]
    assert late is not None
    assert soon is not None
    assert soon < late


def test_e_d_bh_confirms_what_moved_and_nothing_else(baseline: Baseline) -> None:
    windows = changed(lambda c: {**c, "words": c["words"] + 1.0})
    place, watching, state, judgement = watch(baseline, windows)
    assert place is not None
    for own in windows[place + 1 : place + 6]:
        x, rows = baseline.observe(own.summary)
        state, judgement = step(watching, state, baseline.design([own.start])[0], x, rows)
    confirmed = [
        s.feature for s in suspects(watching, baseline.contrasts, judgement) if s.confirmed
    ]
    assert confirmed == ["words"]


def test_moves_tell_before_and_after_in_the_features_own_units(baseline: Baseline) -> None:
    after = window(
        700,
        drawn(np.random.default_rng(30), 2_000)
        | {"prediction": ["food"] * 1_000 + ["taxi"] * 1_000},
    ).summary
    shares = {move.name: move for move in moves(LAYOUT, "prediction", baseline.reference, after)}
    assert shares["(other)"].before == 0
    assert shares["(other)"].after == 0.5
    assert shares["fuel"].before == pytest.approx(0.5, abs=0.02)
    numbers = {move.name: move for move in moves(LAYOUT, "words", baseline.reference, after)}
    assert numbers["mean"].before == pytest.approx(0.0, abs=0.02)
    assert numbers["third quartile"].after == pytest.approx(0.67, abs=0.2)
    assert numbers["highest"].after > 2.5
    gone = summarize(LAYOUT, {"prediction": ["fuel"]})
    assert [move.name for move in moves(LAYOUT, "words", baseline.reference, gone)] == ["missing"]


def test_texts_about_something_else_are_seen_in_their_embeddings() -> None:
    random = np.random.default_rng(31)
    layout = Layout((EmbeddingShape("text"),))

    def embedded(hour: int, topic: float) -> Window:
        vectors = random.normal(size=(60, 16))
        vectors[:20, 0] += topic  # a third of the texts
        return window(hour, {"text": packed_rows(vectors)}, layout)

    week = fit_baseline(layout, [embedded(hour, 0.0) for hour in range(168)], window_hours=1)
    assert watch(week, [embedded(hour, 0.0) for hour in range(168, 336)])[0] is None
    place, watching, _, judgement = watch(week, [embedded(hour, 4.0) for hour in range(168, 208)])
    assert place is not None
    assert place < 15
    assert suspects(watching, week.contrasts, judgement)[0].feature == "text"
