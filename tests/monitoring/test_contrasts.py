"""Contrasts: their variance, what a unit is worth, and which questions are asked at all."""

from typing import Any

import numpy as np
import pytest

from bailiwick.monitoring.contrasts import (
    MAX_SHARES,
    Contrast,
    contrasts_of,
    multinomial_variance,
    observe,
    robust_sd,
)
from bailiwick.monitoring.embeddings import packed_rows
from bailiwick.monitoring.shapes import (
    CategoricalShape,
    EmbeddingShape,
    Layout,
    NumericShape,
    numeric_shape,
)
from bailiwick.monitoring.sketches import Sketch
from bailiwick.monitoring.summaries import NumericPart, merge, summarize

RANDOM = np.random.default_rng(5)
ROWS = RANDOM.normal(10.0, 2.0, 20_000)


def shape_for(values: Any) -> NumericShape:
    return numeric_shape("n", Sketch.of(np.asarray(values, dtype=np.float64), k=200))


def asked_of(values: Any) -> tuple[Layout, dict[str, Contrast]]:
    layout = Layout((shape_for(values),), sketch_k=200)
    found = contrasts_of(layout, summarize(layout, {"n": values}))
    return layout, {contrast.name: contrast for contrast in found}


def measured(layout: Layout, contrast: Contrast, values: Any) -> float:
    return float(observe(layout, [contrast], summarize(layout, {"n": values}))[0][0])


def test_numeric_features_are_asked_five_questions() -> None:
    _, asked = asked_of(ROWS)
    assert list(asked) == ["level", "spread", "low tail", "high tail", "missing"]
    assert [asked[name].unit for name in asked] == ["sd", "log sd", "share", "share", "share"]


def test_the_variance_is_that_of_means_over_drawn_rows() -> None:
    layout, asked = asked_of(ROWS)
    for contrast in asked.values():
        means = [measured(layout, contrast, RANDOM.choice(ROWS, 100)) for _ in range(400)]
        assert np.var(means) * 100 == pytest.approx(contrast.variance, rel=0.3, abs=1e-9)


def test_a_unit_is_worth_what_a_shift_and_a_stretch_really_do() -> None:
    layout, asked = asked_of(ROWS)
    level, spread = asked["level"], asked["spread"]
    shifted = measured(layout, level, ROWS + 0.2 * 2.0) - measured(layout, level, ROWS)
    assert shifted / level.per_unit == pytest.approx(0.2, rel=0.12)
    stretched = measured(layout, spread, 10 + (ROWS - 10) * np.exp(0.1))
    moved = stretched - measured(layout, spread, ROWS)
    assert moved / spread.per_unit == pytest.approx(0.1, rel=0.25)


def test_heavy_tails_do_not_govern_the_standard_deviation() -> None:
    rows = RANDOM.standard_t(1.5, 20_000)
    shape = shape_for(rows)
    part = summarize(Layout((shape,), sketch_k=200), {"n": rows}).parts["n"]
    assert isinstance(part, NumericPart)
    assert robust_sd(shape, part) < 2.5 < np.std(rows)


def test_a_constant_is_watched_for_no_longer_being_one() -> None:
    layout, asked = asked_of([3.0] * 500)
    assert list(asked) == ["level", "missing"]
    level = asked["level"]
    assert level.unit == "share"
    assert measured(layout, level, [3.0] * 90 + [3.5] * 10) == pytest.approx(0.1)
    assert measured(layout, level, [3.0] * 90 + [2.0] * 10) == pytest.approx(-0.1)


def test_missing_rows_do_not_move_the_level() -> None:
    layout, asked = asked_of(ROWS)
    whole, half = ROWS[:400], [*ROWS[:400], *[None] * 400]
    assert measured(layout, asked["level"], half) == pytest.approx(
        measured(layout, asked["level"], whole)
    )
    assert measured(layout, asked["missing"], half) == 0.5


def test_a_feature_never_seen_is_asked_nothing() -> None:
    layout = Layout((NumericShape("n", (0.0,), 0.0), CategoricalShape("c", ("a",))))
    nothing = summarize(layout, {"n": [None] * 50, "c": [None] * 50})
    assert contrasts_of(layout, nothing) == ()


def test_rare_names_are_counted_together() -> None:
    known = tuple(f"name {k:02}" for k in range(20))
    layout = Layout((CategoricalShape("c", known),))
    rows = [name for place, name in enumerate(known) for _ in range(40 - place)] + ["new"] * 10
    summary = summarize(layout, {"c": rows})
    asked = contrasts_of(layout, summary)
    x, _ = observe(layout, asked, summary)
    assert [one.name for one in asked[MAX_SHARES:]] == ["other", "unknown", "missing"]
    assert x[: MAX_SHARES + 1].sum() == pytest.approx(1.0)
    assert x[MAX_SHARES + 1] == pytest.approx(10 / len(rows))


def test_multinomial_variance_of_a_share_is_binomial() -> None:
    shares = np.array([0.2, 0.5, 0.3])
    assert multinomial_variance(shares, np.array([1.0, 0.0, 0.0])) == pytest.approx(0.16)


def test_embeddings_are_asked_along_directions_whose_variance_is_measured() -> None:
    vectors = RANDOM.normal(size=(2_000, 8))
    layout = Layout((EmbeddingShape("e"),))
    asked = contrasts_of(layout, summarize(layout, {"e": packed_rows(vectors)}))
    assert [contrast.name for contrast in asked[:2]] == ["direction 1", "direction 2"]
    assert asked[-1].name == "missing"
    means = np.array(
        [
            observe(layout, asked, summarize(layout, {"e": packed_rows(some)}))[0]
            for some in RANDOM.normal(size=(200, 50, 8))
        ]
    )
    predicted = [contrast.variance / 50 for contrast in asked[:-1]]
    assert means.var(axis=0)[:-1] == pytest.approx(predicted, rel=0.4)


def test_a_check_costs_the_same_for_any_number_of_rows() -> None:
    layout = Layout((shape_for(ROWS),), sketch_k=200)
    few, many = (summarize(layout, {"n": RANDOM.normal(10, 2, n)}) for n in (1_000, 500_000))
    few_part, many_part = few.parts["n"], many.parts["n"]
    assert isinstance(few_part, NumericPart)
    assert isinstance(many_part, NumericPart)
    assert len(few_part.counts) == len(many_part.counts)
    assert len(many_part.sketch) < 2 * len(few_part.sketch)


def test_whole_numbers_have_the_slope_of_a_step_of_one() -> None:
    words = RANDOM.poisson(8, 20_000).astype(float)
    layout = Layout((shape_for(words),), sketch_k=200)
    contrast = next(one for one in contrasts_of(layout, summarize(layout, {"n": words})))
    some = np.where(RANDOM.random(words.size) < 0.3, words + 1, words)
    moved = measured(layout, contrast, some) - measured(layout, contrast, words)
    assert moved / contrast.per_unit == pytest.approx(0.3 / np.std(words), rel=0.25)


def test_contrasts_are_the_same_whatever_order_windows_are_merged_in() -> None:
    layout = Layout((shape_for(ROWS),), sketch_k=200)
    windows = [summarize(layout, {"n": part}) for part in np.array_split(ROWS, 7)]
    forwards, backwards = windows[0], windows[-1]
    for one in windows[1:]:
        forwards = merge(forwards, one)
    for one in windows[-2::-1]:
        backwards = merge(backwards, one)
    assert contrasts_of(layout, forwards) == contrasts_of(layout, backwards)
