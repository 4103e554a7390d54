"""The sentence that a person on call reads."""

from dataclasses import replace

from bailiwick.monitoring.hours import MEASURES
from bailiwick.monitoring.statistics import (
    AccuracySpec,
    Mover,
    StatisticResult,
    measure_accuracy,
)
from bailiwick.monitoring.verdicts import name_of, subject_of, verdict

SPEC = AccuracySpec(max_drop=0.05)
UNSEEN = StatisticResult(
    column="unseen_words_ratio",
    kind="numeric",
    test="wasserstein",
    statistic=0.61,
    direction="greater",
    threshold=0.15,
    reference_rows=3_000,
    current_rows=2_000,
    drifted=True,
    library="evidently 0.7.23",
    reference_mean=0.02,
    current_mean=0.35,
)
WORDS = replace(UNSEEN, column="words", statistic=0.01, drifted=False)
PREDICTION = replace(
    UNSEEN,
    column="prediction",
    kind="categorical",
    test="jensenshannon",
    statistic=0.2,
    reference_mean=None,
    current_mean=None,
    movers=(Mover("Fuel", 0.1, 0.04), Mover("Food", 0.0, 0.051)),
)


def test_a_drift_says_what_moved_from_where_to_where_and_by_which_measure() -> None:
    found = verdict([WORDS, UNSEEN])
    assert found.kind == "drift"
    assert found.sentence.startswith(
        "Share of words never seen in training rose from 0.02 to 0.35 (normed Wasserstein "
        "distance 0.61, threshold 0.15)."
    )
    assert "Mean number of words" not in found.sentence


def test_the_largest_excess_comes_first_and_categories_are_named() -> None:
    sentence = verdict([PREDICTION, UNSEEN]).sentence
    assert sentence.index("Share of words") < sentence.index("The mix of predicted categories")
    assert "'Fuel' fell from 10.0% to 4.0%, 'Food' rose from 0.0% to 5.1%" in sentence


def test_a_change_of_shape_alone_is_not_called_a_rise() -> None:
    sentence = verdict([replace(UNSEEN, current_mean=0.02)]).sentence
    assert "changed in its distribution, not its mean" in sentence


def test_lost_accuracy_is_harm_and_is_said_first() -> None:
    accuracy = measure_accuracy(SPEC, baseline=0.8, correct=600, rows=1000)
    found = verdict([UNSEEN], accuracy)
    assert found.kind == "harm"
    assert found.sentence.startswith("Accuracy fell from 80.0% to 60.0% (interval 56.9% to 63.0%")
    assert "1,000 labelled rows" in found.sentence
    assert "Share of words" in found.sentence


def test_a_drift_with_steady_accuracy_says_so() -> None:
    accuracy = measure_accuracy(SPEC, baseline=0.8, correct=790, rows=1000)
    found = verdict([UNSEEN], accuracy)
    assert found.kind == "drift"
    assert found.sentence.endswith("Accuracy is 79.0% on 1,000 labelled rows (baseline 80.0%).")


def test_a_harmful_statistic_is_harm_without_labels() -> None:
    found = verdict([replace(UNSEEN, harmful=True)])
    assert found.kind == "harm"


def test_few_rows_are_insufficient_and_never_a_drift() -> None:
    for few in (replace(UNSEEN, current_rows=999), replace(UNSEEN, reference_rows=999)):
        found = verdict([few, WORDS], min_rows=1_000)
        assert found.kind == "insufficient"
        assert "999 rows to compare, at least 1,000 are needed" in found.sentence
    assert verdict([]).kind == "insufficient"


def test_lost_accuracy_is_harm_even_where_distances_cannot_be_believed() -> None:
    accuracy = measure_accuracy(SPEC, baseline=0.8, correct=50, rows=200)
    found = verdict([replace(UNSEEN, current_rows=200)], accuracy)
    assert found.kind == "harm"
    assert "Share of words" not in found.sentence


def test_nothing_found_says_how_much_was_looked_at() -> None:
    found = verdict([WORDS])
    assert found.kind == "none"
    assert found.sentence == (
        "None of 1 statistics reached its threshold over 2,000 rows. "
        "Accuracy is not known yet: too few labels have arrived."
    )


def test_every_measure_has_a_name_that_people_read() -> None:
    for column in MEASURES:
        assert not subject_of(column).startswith("'"), column
        assert "_" not in name_of(column)
    assert subject_of("amount") == "'amount'"
    assert name_of("segment:cost_centre") == "segment:cost centre"
