"""Estimated against true accuracy on real payments, with a small naive Bayes model on words."""

import csv
import gzip
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from bailiwick.monitoring.performance import (
    Estimate,
    Grid,
    Tally,
    Verified,
    estimate,
    fit,
    tally,
    verify,
)

DATA = Path(__file__).parents[3] / "shared/data"
COLUMNS = {
    "birmingham-pcard": ("merchant", "directorate"),
    "manchester-invoices": ("supplier", "unit"),
}
STRATA = ("known payee", "new payee")
Row = tuple[str, str, str]  # payee, its words with the department's, category


@dataclass(frozen=True)
class NaiveBayes:
    """Multinomial, add-0.1, on the words of a row: overconfident, as a model may be."""

    labels: tuple[str, ...]
    places: dict[str, int]
    log_chances: np.ndarray
    log_priors: np.ndarray

    @classmethod
    def trained(cls, rows: Sequence[Row]) -> "NaiveBayes":
        labels = [label for label, _ in Counter(row[2] for row in rows).most_common(40)]
        words = sorted({word for row in rows for word in row[1].split()})
        places = {word: place for place, word in enumerate(words)}
        counts = np.full((len(labels), len(words)), 0.1)
        for _, text, label in rows:
            if label in labels:
                counts[labels.index(label), [places[word] for word in text.split()]] += 1
        shares = Counter(row[2] for row in rows)
        return cls(
            tuple(labels),
            places,
            np.log(counts / counts.sum(axis=1, keepdims=True)),
            np.log([shares[label] for label in labels]),
        )

    def says(self, text: str) -> tuple[str, float]:
        known = [self.places[word] for word in text.split() if word in self.places]
        scores = self.log_priors + self.log_chances[:, known].sum(axis=1)
        chances = np.exp(scores - scores.max())
        best = int(chances.argmax())
        return self.labels[best], float(chances[best] / chances.sum())


@cache
def months_of(name: str, first: str, last: str) -> dict[str, list[Row]]:
    path = DATA / name / "transactions.csv.gz"
    if not path.exists():
        pytest.skip(f"the payments of {name} are not beside the project")
    payee, department = COLUMNS[name]
    months: dict[str, list[Row]] = {}
    with gzip.open(path, "rt", encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            if first <= row["date"][:7] <= last:
                text = f"{row[payee]} {row[department]}".lower()
                months.setdefault(row["date"][:7], []).append((row[payee], text, row["category"]))
    return {month: rows for month, rows in sorted(months.items()) if len(rows) >= 150}


def watched(months: dict[str, list[Row]], training: int) -> dict[str, tuple[Estimate, float]]:
    """Estimate and truth by month: `training` months, three of reference, labels a month late."""
    names = list(months)
    learned = [row for name in names[:training] for row in months[name]]
    model, payees = NaiveBayes.trained(learned), {row[0] for row in learned}
    grid = Grid(model.labels, STRATA)

    def counted(rows: Sequence[Row]) -> Tally:
        said = {text: model.says(text) for text in {row[1] for row in rows}}
        labels, sure = zip(*(said[row[1]] for row in rows), strict=True)
        strata = [STRATA[row[0] not in payees] for row in rows]
        return tally(grid, sure, labels, [row[2] for row in rows], strata)

    tallies = [counted(months[name]) for name in names[training:]]
    calibration = fit(grid, tallies[0] + tallies[1] + tallies[2])
    record: list[Verified] = []
    found = {}
    for name, window in zip(names[training + 3 :], tallies[3:], strict=True):
        truth = float(window.correct.sum() / window.labelled.sum())
        found[name] = estimate(calibration, window, record), truth
        record.append(verify(calibration, window))
    return found


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [
        ("birmingham-pcard", "2014-04", "2015-09"),
        ("manchester-invoices", "2010-12", "2012-12"),
    ],
)
def test_trusted_estimates_are_within_three_points_and_better_than_plain_ones(
    name: str, first: str, last: str
) -> None:
    found = watched(months_of(name, first, last), training=6)
    trusted = [(one, truth) for one, truth in found.values() if one.trusted]
    ours = np.mean([abs(one.accuracy - truth) for one, truth in trusted])
    plain = np.mean([abs(one.plain - truth) for one, truth in trusted])
    assert len(trusted) >= 3
    assert ours < 0.03
    assert ours < plain


def test_a_recoded_ledger_is_doubted_once_its_first_labels_have_come() -> None:
    found = watched(months_of("manchester-invoices", "2019-01", "2020-03"), training=6)
    blind, truth = found["2020-01"]
    assert blind.accuracy - truth > 0.1  # nothing in the confidences says so
    after, _ = found["2020-02"]
    assert {"error", "concept"} <= {doubt.kind for doubt in after.doubts}
