"""Whether a model gives away which rows it learned from: pure statistics of two samples.

Members are rows that were learned from; non-members are exchangeable with them, drawn from the
same rows by the same chance and then withheld (newer rows would not be: they differ by time).
An attack gives each row a score, higher for what looks learned; how well scores tell the two
apart is the area under the ROC curve (Yeom et al., 2018, arXiv:1709.01604: the loss threshold;
Salem et al., 2019, arXiv:1806.01246: the confidence threshold). NOT guaranteed: that a stronger
attack, such as one with shadow models (LiRA, arXiv:2112.03570), would not do better.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from bailiwick.training.data import Frame

Floats = NDArray[np.float64]
WITHHELD_RATIO, MOST_WITHHELD, LEAST_WITHHELD, MOST_RATIO = 0.05, 500, 30, 0.1
LEAST_ROWS_OF_LABEL = 10  # a label of fewer rows is not drawn from: it could be lost
_LEAST_PROBABILITY = 1e-12
_RESAMPLES = 1_000


@dataclass(frozen=True, slots=True)
class Withheld:
    """Rows to learn from, some of them, and as many rows that are withheld."""

    learned: Frame
    members: Frame
    non_members: Frame


@dataclass(frozen=True, slots=True)
class Separation:
    """How well scores tell members from non-members: AUC with a 95 % bootstrap interval."""

    auc: float
    low: float
    high: float


# (probabilities (rows, labels), column of the truth (rows,), -1 if unknown) -> scores (rows,)
Attack = Callable[[Floats, NDArray[np.int64]], Floats]


def by_loss(probabilities: Floats, truth: NDArray[np.int64]) -> Floats:
    """Minus the loss (nats) on the row's own label: what was learned is answered more surely."""
    of_truth = np.where(truth >= 0, probabilities[np.arange(len(truth)), truth], 0.0)
    scores: Floats = np.log(of_truth.clip(min=_LEAST_PROBABILITY))
    return scores


def by_confidence(probabilities: Floats, truth: NDArray[np.int64]) -> Floats:
    """The confidence of the answer, for an attacker who knows the text alone."""
    del truth
    scores: Floats = probabilities.max(axis=1)
    return scores


# A deeper attack is one more line here: all that is listed is measured and judged.
ATTACKS: Mapping[str, Attack] = MappingProxyType({"loss": by_loss, "confidence": by_confidence})


def withhold(frame: Frame, *, seed: int) -> Withheld | None:
    """Draw rows at random, learn from one half of them and withhold the other.

    One row in twenty is withheld, at least 30 and at most 500. A row whose text others repeat may
    well be: then nothing gives away that it was. None where 30 are more than a tenth of the rows,
    or of those whose label has enough.
    """
    label_of = pa.array(frame.labels, pa.large_string()).dictionary_encode().indices.to_numpy()
    eligible = np.flatnonzero(np.bincount(label_of)[label_of] >= LEAST_ROWS_OF_LABEL)
    count = min(max(int(len(frame) * WITHHELD_RATIO), LEAST_WITHHELD), MOST_WITHHELD)
    if count > min(len(frame) * MOST_RATIO, len(eligible) // 2):
        return None
    drawn = np.random.default_rng(seed).choice(eligible, 2 * count, replace=False)
    members, others = np.sort(drawn[:count]), np.sort(drawn[count:])
    learned = np.setdiff1d(np.arange(len(frame)), others)
    return Withheld(frame.take(learned), frame.take(members), frame.take(others))


def alone(withheld: Withheld) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which members, and which non-members, have a text that no other row has (rows,)."""
    others = withheld.non_members
    counts = Counter(withheld.learned.texts) + Counter(others.texts)
    members = [counts[text] == 1 for text in withheld.members.texts]
    return np.array(members), np.array([counts[text] == 1 for text in others.texts])


def separation(members: Floats, non_members: Floats, *, seed: int) -> Separation:
    """AUC of `members` over `non_members` (scores), with the percentile bootstrap's interval.

    AUC = (mean rank of members - (m + 1) / 2) / n, ties by half (Mann and Whitney, 1947). Both
    samples are drawn again 1,000 times.

    >>> found = separation(np.array([3.0, 4.0, 5.0]), np.array([1.0, 2.0, 3.0]), seed=1)
    >>> round(found.auc, 3)
    0.944
    """
    chance = np.random.default_rng(seed)
    again = [
        auc(
            chance.choice(members, len(members)),
            chance.choice(non_members, len(non_members)),
        )
        for _ in range(_RESAMPLES)
    ]
    low, high = np.quantile(again, [0.025, 0.975])
    return Separation(auc(members, non_members), float(low), float(high))


def auc(members: Floats, non_members: Floats) -> float:
    """How often a member's score is above a non-member's, ties counting half."""
    others = np.sort(non_members)
    below = np.searchsorted(others, members, side="left")
    not_above = np.searchsorted(others, members, side="right")
    return float((below + not_above).mean() / (2 * len(others)))


def columns_of(labels: Sequence[str], truth: Sequence[str]) -> NDArray[np.int64]:
    """The column of each true label, -1 where the model cannot answer it."""
    column = {label: index for index, label in enumerate(labels)}
    return np.array([column.get(label, -1) for label in truth], dtype=np.int64)
