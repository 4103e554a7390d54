from dataclasses import replace
from functools import reduce
from itertools import permutations
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bailiwick.core.errors import Invalid
from bailiwick.monitoring.embeddings import packed_rows
from bailiwick.monitoring.shapes import (
    CategoricalShape,
    EmbeddingShape,
    Layout,
    NumericShape,
    RepeatShape,
    numeric_shape,
)
from bailiwick.monitoring.sketches import Sketch
from bailiwick.monitoring.summaries import (
    MAX_NEW,
    CategoricalPart,
    NumericPart,
    RepeatPart,
    Summary,
    from_bytes,
    merge,
    sketch_of,
    summarize,
    to_bytes,
)

LAYOUT = Layout(
    (
        NumericShape("amount", (-1.0, 0.0, 1.0), 0.0),
        CategoricalShape("merchant", ("fuel", "food")),
        EmbeddingShape("text"),
        RepeatShape("key"),
    ),
    labels=("fuel", "food"),
)

numbers = st.one_of(st.none(), st.floats(-1e6, 1e6), st.just(float("inf")), st.just(float("nan")))
names = st.one_of(st.none(), st.sampled_from(["fuel", "food"]), st.text("abcdef", max_size=2))
embeddings = st.one_of(
    st.none(),
    st.tuples(st.floats(-9, 9), st.floats(-9, 9)).map(lambda one: packed_rows([one])[0]),
)
labels = st.sampled_from(["fuel", "food", "new"])
rows = st.lists(st.tuples(numbers, names, embeddings, names, labels, labels), max_size=30)
Rows = list[tuple[Any, ...]]


def summary(drawn: Rows) -> Summary:
    columns = {
        name: [row[place] for row in drawn]
        for place, name in enumerate(("amount", "merchant", "text", "key"))
    }
    return summarize(LAYOUT, columns, outcomes=[row[4:] for row in drawn])


def exact(found: Summary) -> tuple[Any, ...]:
    """Everything that must not depend on how windows were put together."""
    amount, merchant = found.parts["amount"], found.parts["merchant"]
    assert isinstance(amount, NumericPart)
    assert isinstance(merchant, CategoricalPart)
    seen = (amount.counts, amount.minimum, amount.maximum, len(sketch_of(amount)))
    others = (found.parts["text"], found.parts["key"])
    return (found.rows, seen, merchant, *others, dict(found.confusion))


def sums(found: Summary) -> list[float]:
    amount = found.parts["amount"]
    assert isinstance(amount, NumericPart)
    return [amount.total, amount.squares]


@settings(max_examples=40, deadline=None)
@given(st.lists(rows, min_size=3, max_size=3))
def test_windows_merge_to_the_summary_of_all_their_rows_in_any_order(windows: list[Rows]) -> None:
    together = summary([row for window in windows for row in window])
    for order in permutations(windows):
        merged = reduce(merge, [summary(window) for window in order])
        assert exact(merged) == exact(together)
        assert sums(merged) == pytest.approx(sums(together), rel=1e-9, abs=1e-3)


@settings(max_examples=40, deadline=None)
@given(st.lists(rows, min_size=3, max_size=3))
def test_grouping_does_not_matter(windows: list[Rows]) -> None:
    first, second, third = (summary(window) for window in windows)
    left, right = merge(merge(first, second), third), merge(first, merge(second, third))
    assert exact(left) == exact(right)
    assert sums(left) == pytest.approx(sums(right), rel=1e-9, abs=1e-3)


@settings(max_examples=40, deadline=None)
@given(rows)
def test_what_is_stored_reads_back_the_same(drawn: Rows) -> None:
    before = summary(drawn)
    assert from_bytes(to_bytes(before)) == before


@settings(max_examples=40, deadline=None)
@given(rows)
def test_arrow_columns_give_the_same_summary_as_lists(drawn: Rows) -> None:
    names_of_columns = ("amount", "merchant", "text", "key")
    kinds = (pa.float64(), pa.string(), pa.binary(), pa.string())
    columns = {
        name: pa.array([row[place] for row in drawn], kind)
        for place, (name, kind) in enumerate(zip(names_of_columns, kinds, strict=True))
    }
    from_arrow = summarize(LAYOUT, columns, outcomes=[row[4:] for row in drawn])
    assert exact(from_arrow) == exact(summary(drawn))
    chunked = summarize(LAYOUT, {"merchant": pa.chunked_array([columns["merchant"]] * 2)})
    doubled = summarize(LAYOUT, {"merchant": [row[1] for row in drawn] * 2})
    assert chunked.parts["merchant"] == doubled.parts["merchant"]


def test_fifteen_features_take_little_room_however_many_rows() -> None:
    random = np.random.default_rng(1)
    shapes = [NumericShape(f"n{k}", tuple(np.linspace(-2, 2, 15)), 0.0) for k in range(10)]
    known = [CategoricalShape(f"c{k}", tuple("abcdef")) for k in range(5)]
    layout = Layout((*shapes, *known))

    def size(count: int) -> int:
        columns: dict[str, Any] = {shape.name: random.normal(size=count) for shape in shapes}
        columns |= {shape.name: random.choice(list("abcdef"), count) for shape in known}
        return len(to_bytes(summarize(layout, columns), sketches=False))

    small, large = size(1_000), size(100_000)
    assert small < 1_500
    assert large < 1.5 * small


def test_merged_sketches_keep_their_rank_error() -> None:
    random = np.random.default_rng(2)
    layout = Layout((NumericShape("n", (0.0,), 0.0),))
    windows = [random.normal(size=200) for _ in range(50)]
    merged = reduce(merge, [summarize(layout, {"n": window}) for window in windows]).parts["n"]
    assert isinstance(merged, NumericPart)
    values = np.concatenate(windows)
    for asked in (0.1, 0.5, 0.9):
        found = sketch_of(merged).quantiles([asked])[0]
        assert abs(np.mean(values <= found) - asked) < 0.04


def test_an_absent_column_is_missing_and_an_unknown_one_is_not_looked_at() -> None:
    found = summarize(LAYOUT, {"merchant": ["fuel"] * 4, "surprise": [1, 2, 3, 4]})
    amount = found.parts["amount"]
    assert isinstance(amount, NumericPart)
    assert amount.counts == (0, 0, 0, 0, 4)
    assert set(found.parts) == {"amount", "merchant", "text", "key"}


def test_infinities_count_at_the_ends_and_stay_out_of_the_moments() -> None:
    amount = summarize(LAYOUT, {"amount": [float("inf"), float("-inf"), 0.5]}).parts["amount"]
    assert isinstance(amount, NumericPart)
    assert amount.counts == (1, 0, 1, 1, 0)
    assert (amount.total, amount.maximum) == (0.5, 0.5)


def test_new_names_are_kept_up_to_a_bound_and_all_counted() -> None:
    few = summarize(LAYOUT, {"merchant": ["kiosk"] * 3 + ["fuel"]}).parts["merchant"]
    assert isinstance(few, CategoricalPart)
    assert few == CategoricalPart((1, 0, 3, 0), (("kiosk", 3),))
    many = summarize(LAYOUT, {"merchant": [f"kiosk {k}" for k in range(500)]}).parts["merchant"]
    assert isinstance(many, CategoricalPart)
    assert many.counts == (0, 0, 500, 0)
    assert len(many.new) == MAX_NEW


def test_late_labels_join_their_window_without_rows() -> None:
    window = summarize(LAYOUT, {"merchant": ["fuel", "food"]})
    late = summarize(LAYOUT, {}, outcomes=[("fuel", "fuel"), ("fuel", "taxi")])
    joined = merge(window, late)
    assert joined.rows == 2
    assert joined.confusion == {(0, 0): 1, (0, 2): 1}


def test_windows_of_different_layouts_do_not_merge() -> None:
    other = Layout(LAYOUT.features[:1])
    with pytest.raises(Invalid, match="different baselines"):
        merge(summarize(LAYOUT, {}), summarize(other, {}))


def test_columns_of_different_lengths_are_refused() -> None:
    with pytest.raises(Invalid, match="same number of rows"):
        summarize(LAYOUT, {"amount": [1.0], "merchant": []})


@pytest.mark.parametrize(
    "damaged",
    [b"", b"no zip", to_bytes(summarize(LAYOUT, {}))[:-5]],
    ids=["empty", "not compressed", "cut off"],
)
def test_damaged_bytes_say_so(damaged: bytes) -> None:
    with pytest.raises(Invalid, match="damaged"):
        from_bytes(damaged)


def test_a_layout_survives_json_and_its_digest_names_it() -> None:
    again = Layout.from_json(LAYOUT.to_json())
    assert again == LAYOUT
    assert again.digest == LAYOUT.digest
    assert Layout(LAYOUT.features[:2]).digest != LAYOUT.digest


@pytest.mark.parametrize(
    "make",
    [
        lambda: NumericShape("n", (), 0.0),
        lambda: NumericShape("n", (1.0, 1.0), 0.0),
        lambda: CategoricalShape("c", ("a", "a")),
        lambda: Layout((CategoricalShape("c", ()), CategoricalShape("c", ()))),
        lambda: numeric_shape("n", Sketch()),
    ],
    ids=["no edge", "equal edges", "name twice", "twice", "no values"],
)
def test_shapes_that_cannot_be_are_refused(make: Any) -> None:
    with pytest.raises(Invalid):
        make()


def test_rows_that_repeat_are_counted_however_the_window_was_put_together() -> None:
    layout = Layout((RepeatShape("key"),))
    keys = [f"text {row % 3_000}" for row in range(4_000)]
    parts = [summarize(layout, {"key": keys[start::7]}) for start in range(7)]
    merged = [reduce(merge, order).parts["key"] for order in (parts, parts[::-1])]
    once = summarize(layout, {"key": [*keys, None]}).parts["key"]
    assert isinstance(once, RepeatPart)
    assert merged[0] == merged[1]
    assert merged[0] == replace(once, missing=0)
    assert once.repeated == pytest.approx(1_000, abs=3 * 0.011 * 3_000)
    assert (once.rows, once.missing) == (4_000, 1)
    assert len(once.keys.stored) < 2_600


def test_a_window_of_different_texts_repeats_none() -> None:
    part = summarize(Layout((RepeatShape("key"),)), {"key": ["a", "b", "c"]}).parts["key"]
    assert isinstance(part, RepeatPart)
    assert part.repeated < 0.01
