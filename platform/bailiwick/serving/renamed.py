"""A network whose labels are called otherwise by now."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from bailiwick.serving.outputs import Outputs


class Network(Protocol):
    """What gives texts probabilities."""

    def outputs(self, texts: Sequence[str]) -> Outputs:
        """What it makes of the texts, in order."""


def names_now(
    labels: Sequence[str], renames: Mapping[str, str | None]
) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """The different names of today, and for each label the place of its own among them.

    A label that was given up (None) keeps its name, and is never right.

    >>> names_now(("Petrol", "Diesel", "Food"), {"Petrol": "Fuel", "Diesel": "Fuel"})
    (('Fuel', 'Food'), (0, 0, 1))
    """
    now = [renames.get(label) or label for label in labels]
    names = tuple(dict.fromkeys(now))
    return names, tuple(names.index(name) for name in now)


@dataclass(frozen=True, slots=True)
class RenamedScorer:
    """Adds up the probabilities of labels that are one by now: `places` as `names_now` says."""

    network: Network
    places: tuple[int, ...]

    @property
    def labels(self) -> int:
        """How many it tells apart."""
        return max(self.places, default=-1) + 1

    def outputs(self, texts: Sequence[str]) -> Outputs:
        """What the network makes of the texts, in order."""
        found = self.network.outputs(texts)
        merged = np.zeros((len(texts), self.labels), dtype=np.float32)
        for column, place in enumerate(self.places):
            merged[:, place] += found.probabilities[:, column]
        return replace(found, probabilities=merged)
