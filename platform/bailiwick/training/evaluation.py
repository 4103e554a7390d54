"""How good a classifier is on rows it never saw, alone and beside another."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_BINS = 15
_LEAST_PROBABILITY = 1e-12


@dataclass(frozen=True, slots=True)
class LabelCounts:
    """For one label: rows that carry it, rows answered with it, rows where both agree."""

    support: int
    predicted: int
    right: int

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall; 0 where the two never agree."""
        return 2 * self.right / (self.support + self.predicted)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Quality on `rows` held-out rows.

    `macro_f1` averages over the labels that occur or were answered. `log_loss` (nats) leaves
    out rows whose label the model cannot answer: they count as wrong in `accuracy` and are
    reported as `unknown_label_rows`; None if no row is left. `ece` is the expected calibration
    error over 15 equal bins of confidence (Guo et al., 2017, arXiv:1706.04599).
    """

    rows: int
    accuracy: float
    macro_f1: float
    log_loss: float | None
    ece: float
    unknown_label_rows: int

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def evaluate(
    probabilities: NDArray[np.float32], labels: Sequence[str], truth: Sequence[str]
) -> Evaluation:
    """Judge `probabilities` (rows, labels) against `truth` (rows,); at least one row."""
    column = {label: index for index, label in enumerate(labels)}
    wanted = np.array([column.get(label, -1) for label in truth])
    best = probabilities.argmax(axis=1)
    confidence = probabilities.max(axis=1).astype(np.float64)
    right = best == wanted
    known = np.flatnonzero(wanted >= 0)
    of_truth = probabilities[known, wanted[known]].astype(np.float64)
    counts = label_counts([labels[index] for index in best], truth)
    return Evaluation(
        rows=len(truth),
        accuracy=float(right.mean()),
        macro_f1=float(np.mean([count.f1 for count in counts.values()])),
        log_loss=(
            float(-np.log(of_truth.clip(min=_LEAST_PROBABILITY)).mean()) if len(known) else None
        ),
        ece=calibration_error(confidence, right),
        unknown_label_rows=len(truth) - len(known),
    )


def calibration_error(confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> float:
    """Mean distance of confidence from accuracy over equal bins, weighted by their rows."""
    bins = np.minimum((confidence * _BINS).astype(int), _BINS - 1)
    gaps = np.bincount(bins, weights=confidence - right, minlength=_BINS)
    return float(np.abs(gaps).sum() / len(confidence))


def label_counts(answers: Sequence[str], truth: Sequence[str]) -> dict[str, LabelCounts]:
    """Counts for each label that occurs or was answered, in the order of the alphabet."""
    support, predicted = Counter(truth), Counter(answers)
    right = Counter(answer for answer, label in zip(answers, truth, strict=True) if answer == label)
    return {
        label: LabelCounts(support[label], predicted[label], right[label])
        for label in sorted(support | predicted)
    }


def macro_f1_of(answers: NDArray[np.int64], truth: NDArray[np.int64]) -> float:
    """The mean F1 over the labels, given as numbers, that occur or were answered."""
    size = int(max(answers.max(), truth.max())) + 1
    occurred = np.bincount(truth, minlength=size) + np.bincount(answers, minlength=size)
    right = np.bincount(truth[answers == truth], minlength=size)
    return float((2 * right[occurred > 0] / occurred[occurred > 0]).mean())


@dataclass(frozen=True, slots=True)
class PairedCounts:
    """Rows that both models get right, only one, or neither: the table of McNemar's test."""

    both: int
    only_candidate: int
    only_champion: int
    neither: int


def paired(candidate: Sequence[str], champion: Sequence[str], truth: Sequence[str]) -> PairedCounts:
    """Compare two models' answers on the same rows."""
    counts = Counter(
        (mine == label, theirs == label)
        for mine, theirs, label in zip(candidate, champion, truth, strict=True)
    )
    return PairedCounts(
        both=counts[True, True],
        only_candidate=counts[True, False],
        only_champion=counts[False, True],
        neither=counts[False, False],
    )


def majority_accuracy(training_labels: Sequence[str], truth: Sequence[str]) -> float:
    """Accuracy of always answering the most frequent training label, ties by alphabet."""
    counts = Counter(training_labels)
    most_frequent = min(counts, key=lambda label: (-counts[label], label))
    return sum(label == most_frequent for label in truth) / len(truth)
