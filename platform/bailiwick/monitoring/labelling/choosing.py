"""Which requests are worth a label: some at random, the others where the model is in doubt. Pure.

Labels of doubtful requests teach most and say nothing of accuracy, as they are the hard ones;
labels of random ones say what accuracy is. So a share is always drawn at random, and accuracy is
counted from requests that were not picked for doubt.

Doubtful ones are also unlike each other: of the most doubtful, one after the other that is
furthest from those already taken (farthest-first traversal; Sener and Savarese, "Active learning
for convolutional neural networks: a core-set approach", ICLR 2018).
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Reason = Literal["random", "unsure"]

DOUBTFUL_FOR_ONE = 5  # so many of the most doubtful compete for each place


@dataclass(frozen=True, slots=True)
class Candidate:
    """A request without a label. `directions` (8,): where its text lies, if that was measured."""

    record_id: str
    prediction: str
    confidence: float | None
    entropy: float | None
    directions: tuple[float, ...] | None = None

    @property
    def doubt(self) -> float:
        """More is more doubtful; one that says nothing of itself is as doubtful as can be."""
        if self.entropy is not None:
            return self.entropy
        return 0.0 if self.confidence is None else -self.confidence


def chosen(
    candidates: Sequence[Candidate], rows: int, *, random_ratio: float, seed: int
) -> list[tuple[Candidate, Reason]]:
    """At most `rows` of them, each once, with why; the random ones first.

    The random ones are drawn from all candidates, before the doubtful ones are looked for, so
    that they are a uniform sample of them.
    """
    ordered = sorted(candidates, key=lambda one: one.record_id)
    at_random = min(round(rows * random_ratio), len(ordered))
    drawn = np.random.default_rng(seed).permutation(len(ordered))[:at_random].tolist()
    first = [ordered[place] for place in sorted(drawn)]
    rest = [one for place, one in enumerate(ordered) if place not in set(drawn)]
    doubtful = sorted(rest, key=lambda one: (-one.doubt, one.record_id))
    wanted = rows - len(first)
    unsure = _unlike(doubtful[: DOUBTFUL_FOR_ONE * wanted], wanted)
    return [(one, "random") for one in first] + [(one, "unsure") for one in unsure]


def _unlike(doubtful: Sequence[Candidate], wanted: int) -> list[Candidate]:
    """So many of them that are unlike each other, the most doubtful first."""
    if len(doubtful) <= wanted:
        return list(doubtful)
    if any(one.directions is None for one in doubtful):
        return _by_turns(doubtful, wanted)
    places = np.array([one.directions for one in doubtful])
    return [doubtful[place] for place in _farthest_first(places, wanted)]


def _farthest_first(places: NDArray[np.float64], wanted: int) -> list[int]:
    taken = [0]
    distance = np.linalg.norm(places - places[0], axis=1)
    while len(taken) < wanted:
        distance[taken[-1]] = -1.0
        taken.append(int(distance.argmax()))
        distance = np.minimum(distance, np.linalg.norm(places - places[taken[-1]], axis=1))
    return taken


def _by_turns(doubtful: Sequence[Candidate], wanted: int) -> list[Candidate]:
    """One of each answer after the other, where it is not known what texts are about."""
    turns: defaultdict[str, int] = defaultdict(int)
    order = []
    for place, one in enumerate(doubtful):
        order.append((turns[one.prediction], place))
        turns[one.prediction] += 1
    return [doubtful[place] for _, place in sorted(order)[:wanted]]
