"""Hard examples: older rows that the champion gets wrong, or nearly, are learned from again."""

import numpy as np
from numpy.typing import NDArray

from bailiwick.core.errors import Invalid
from bailiwick.serving.engine import Engine
from bailiwick.training.data import Frame, read_frame
from bailiwick.training.spec import TrainingSpec


def with_hard(train: Frame, spec: TrainingSpec, champion: Engine | None) -> tuple[Frame, int]:
    """`train` with the hard ones of the older rows, in order of time, and how many they are.

    Raises `Invalid` where hard rows are asked for and no champion can tell which they are.
    """
    if spec.older is None or not spec.hard_rows:
        return train, 0
    if champion is None:
        raise Invalid(
            "hard_ratio asks for rows that the champion gets wrong, and there is none. Train the "
            "first version without it."
        )
    older = read_frame(spec.older)
    hardness = hardness_of(champion, older)
    hard = older.take(drawn(hardness, spec.hard_rows, seed=spec.seed))
    return merged(train, hard), len(hard)


def hardness_of(champion: Engine, rows: Frame) -> NDArray[np.float64]:
    """The probability that `champion` gives to all but each row's label, (rows,) from 0 to 1."""
    column = {label: place for place, label in enumerate(champion.labels)}
    truth = np.array([column.get(label, -1) for label in rows.labels])
    given = champion.probabilities(rows.texts)[np.arange(len(rows)), truth]
    return np.where(truth >= 0, 1.0 - given.astype(np.float64), 1.0)


def drawn(weights: NDArray[np.float64], count: int, *, seed: int) -> NDArray[np.int64]:
    """So many places, ascending, by `weights`, without replacement (Efraimidis, Spirakis 2006).

    >>> drawn(np.array([0.0, 1.0, 0.0, 1.0]), 2, seed=0).tolist()
    [1, 3]
    """
    exponential = np.random.default_rng(seed).standard_exponential(len(weights))
    with np.errstate(divide="ignore"):
        keys = exponential / weights  # a weight of 0 comes last
    places: NDArray[np.int64] = np.sort(np.argsort(keys, kind="stable")[:count])
    return places


def merged(one: Frame, other: Frame) -> Frame:
    """The rows of both in order of time."""
    times = np.concatenate([one.times, other.times])
    both = Frame(
        times,
        [*one.texts, *other.texts],
        [*one.labels, *other.labels],
        {name: [*values, *other.marks[name]] for name, values in one.marks.items()},
    )
    return both.take(np.argsort(times, kind="stable"))
