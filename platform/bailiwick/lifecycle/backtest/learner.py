"""What a walk asks of models, whoever trains them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Rows = tuple[int, int]  # from the first row up to and without the last


@dataclass(frozen=True, slots=True)
class Judged:
    """How a model answered some rows: `right` (rows,) says which; see `strategies.Lived`."""

    accuracy: float
    macro_f1: float
    confidence: float
    unseen_ratio: float
    right: NDArray[np.bool_]


class Learner(Protocol):
    """Trains models on the first rows of a stream, each once, and judges them on later ones."""

    def prepare(self, learned: int, asked: Iterable[Rows]) -> None:
        """Say that the model of the first `learned` rows will be asked for; returns at once."""

    def judge(self, learned: int, asked: Sequence[Rows]) -> list[Judged]:
        """How the model of the first `learned` rows answers each of `asked`, which come later."""

    def train_seconds(self, learned: int) -> float:
        """Seconds of a processor that training that model takes."""
