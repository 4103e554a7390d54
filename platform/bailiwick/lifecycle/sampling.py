"""Which of too many rows are learned from: the newest, or a mixture with older ones.

Pure. Of `max_rows` a share is kept for a draw from what is older than the newest ones, without
replacement, a row's chance falling with its age and with how frequent its label is. What was rare
or seasonal is so rehearsed while the newest rows still lead.
"""

from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bailiwick.core.errors import Invalid

_LONGEST_DAYS = 36_525.0
_DAY = np.timedelta64(1, "D")


@dataclass(frozen=True, slots=True)
class Sampling:
    """`replay_ratio`: the share of the rows that is drawn from older ones; 0: none.

    `hard_ratio`: a further share, of older rows that the champion answers wrongly or unsurely
    (`training.hard`), which are found by the job process.

    In that draw a row's weight halves with every `half_life_days` of its age (None: all alike),
    and is its label's frequency to the power of minus `balance_ratio` (1: labels alike). Before
    all that, of equal texts with equal labels the newest `max_repeats` stay (None: all).
    """

    replay_ratio: float = 0.0
    half_life_days: float | None = None
    balance_ratio: float = 0.0
    max_repeats: int | None = None
    hard_ratio: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.replay_ratio <= 1:
            raise Invalid("replay_ratio is a share of the rows: between 0 and 1")
        if not 0 <= self.hard_ratio <= 1 - self.replay_ratio:
            raise Invalid("hard_ratio is a share of the rows, and at most 1 with replay_ratio")
        if self.half_life_days is not None and not 0 < self.half_life_days <= _LONGEST_DAYS:
            raise Invalid("half_life_days is a time: more than 0 days, at most a century")
        if not 0 <= self.balance_ratio <= 1:
            raise Invalid("balance_ratio lies between 0 (labels as they come) and 1 (all alike)")
        if self.max_repeats is not None and self.max_repeats < 1:
            raise Invalid("max_repeats must be at least 1")
        if not self.replay_ratio and (self.half_life_days or self.balance_ratio):
            raise Invalid(
                "half_life_days and balance_ratio say how older rows are drawn; say with "
                "replay_ratio how many are"
            )

    def to_dict(self) -> dict[str, Any]:
        """What differs from the defaults, as JSON."""
        plain = {field.name: field.default for field in fields(self)}
        return {name: value for name, value in asdict(self).items() if value != plain[name]}

    @classmethod
    def from_dict(cls, given: dict[str, Any]) -> "Sampling":
        """The inverse of `to_dict`; `Invalid` if something else is in it."""
        kinds = {field.name: int if field.name == "max_repeats" else float for field in fields(cls)}
        odd = set(given) - set(kinds)
        if odd:
            raise Invalid(
                f"how rows are drawn is said by {', '.join(kinds)}, not by {', '.join(sorted(odd))}"
            )
        for name, value in given.items():
            fits = isinstance(value, (int, float)) and not isinstance(value, bool)
            if value is not None and not (fits and kinds[name](value) == value):
                whole = " without a fraction" if kinds[name] is int else ""
                raise Invalid(f"{name} must be a number{whole}")
        return cls(**given)


NEWEST = Sampling()


def chosen(
    times: NDArray[np.datetime64],
    lessons: NDArray[np.int64],
    labels: NDArray[np.int64],
    sampling: Sampling,
    *,
    most: int,
    seed: int,
) -> NDArray[np.int64]:
    """Places of the rows to learn from, ascending; rows (rows,) come in order of time.

    `lessons` numbers equal texts with equal labels alike, `labels` equal labels.

    >>> days = np.arange(10).astype("datetime64[D]")
    >>> same = np.zeros(10, dtype=np.int64)
    >>> chosen(days, np.arange(10), same, NEWEST, most=3, seed=0).tolist()
    [7, 8, 9]
    >>> mixed = chosen(days, np.arange(10), same, Sampling(replay_ratio=0.5), most=4, seed=0)
    >>> len(mixed), mixed[-2:].tolist()
    (4, [8, 9])
    """
    places = np.arange(len(times))
    if sampling.max_repeats is not None:
        places = places[_from_the_newest(lessons) < sampling.max_repeats]
    if len(places) <= most:
        return places
    replayed = round(most * sampling.replay_ratio)
    newest = places[len(places) - (most - replayed) :]
    older = places[: len(places) - len(newest)]
    drawn = _drawn(times, labels, older, sampling, replayed, seed)
    return np.sort(np.concatenate([drawn, newest]))


def _from_the_newest(lessons: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many equal rows come after each."""
    order = np.argsort(lessons[::-1], kind="stable")
    ordered = lessons[::-1][order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    within = np.arange(len(ordered)) - np.repeat(starts, np.diff(np.r_[starts, len(ordered)]))
    after = np.empty(len(lessons), dtype=np.int64)
    after[order] = within
    return after[::-1]


def _drawn(
    times: NDArray[np.datetime64],
    labels: NDArray[np.int64],
    older: NDArray[np.int64],
    sampling: Sampling,
    count: int,
    seed: int,
) -> NDArray[np.int64]:
    """Weighted, without replacement: the largest u ** (1 / weight) (Efraimidis, Spirakis 2006)."""
    log_weights = np.zeros(len(older))
    if sampling.half_life_days is not None:
        ages = (times.max() - times[older]) / _DAY
        log_weights -= ages / sampling.half_life_days * np.log(2)
    if sampling.balance_ratio:
        frequencies = np.bincount(labels[older])
        log_weights -= sampling.balance_ratio * np.log(frequencies[labels[older]])
    # The same order as u ** (1 / w), in logarithms: weights of old rows would underflow.
    exponential = np.random.default_rng(seed).standard_exponential(len(older))
    keys = log_weights - np.log(exponential)
    return older[np.argsort(-keys, kind="stable")[:count]]
