"""Figures of merit, checked by hand."""

from math import log

import numpy as np
import pytest

from bailiwick.training.evaluation import (
    LabelCounts,
    PairedCounts,
    calibration_error,
    evaluate,
    label_counts,
    majority_accuracy,
    paired,
)

PROBABILITIES = np.array([[0.7, 0.3], [0.6, 0.4], [0.2, 0.8], [0.1, 0.9]], dtype=np.float32)


def test_the_figures_agree_with_those_worked_out_by_hand() -> None:
    result = evaluate(PROBABILITIES, ["a", "b"], ["a", "b", "b", "b"])
    assert result.rows == 4
    assert result.accuracy == 0.75
    assert result.macro_f1 == pytest.approx((2 / 3 + 4 / 5) / 2)
    assert result.log_loss == pytest.approx(-(log(0.7) + log(0.4) + log(0.8) + log(0.9)) / 4)
    assert result.ece == pytest.approx((0.3 + 0.6 + 0.2 + 0.1) / 4)
    assert result.unknown_label_rows == 0


def test_a_label_the_model_cannot_answer_counts_as_wrong_and_is_reported() -> None:
    result = evaluate(PROBABILITIES, ["a", "b"], ["a", "new", "b", "new"])
    assert result.accuracy == 0.5
    assert result.unknown_label_rows == 2
    assert result.log_loss == pytest.approx(-(log(0.7) + log(0.8)) / 2)


def test_only_unknown_labels_leave_no_log_loss() -> None:
    assert evaluate(PROBABILITIES, ["a", "b"], ["x"] * 4).log_loss is None


def test_confidence_that_equals_accuracy_has_no_calibration_error() -> None:
    right = np.array([True, True, True, False])
    assert calibration_error(np.full(4, 0.75), right) == 0.0
    assert calibration_error(np.full(4, 1.0), right) == 0.25


def test_each_label_is_counted() -> None:
    assert label_counts(["a", "a", "c"], ["a", "b", "b"]) == {
        "a": LabelCounts(1, 2, 1),
        "b": LabelCounts(2, 0, 0),
        "c": LabelCounts(0, 1, 0),
    }


def test_two_models_are_compared_row_by_row() -> None:
    assert paired(list("aabbc"), list("abbac"), list("aabab")) == PairedCounts(2, 1, 1, 1)


def test_the_majority_is_of_the_training_labels() -> None:
    assert majority_accuracy(list("aab"), list("abbb")) == 0.25
