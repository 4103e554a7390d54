"""Where in a sequence of right and wrong answers accuracy fell: one change point."""

import numpy as np
from numpy.typing import NDArray

LEAST_ROWS = 10  # on either side


def fall_of(right: NDArray[np.bool_]) -> int | None:
    """The place of the first answer after the fall, most likely; None where nothing fell.

    `right` (rows,) in order of time. Maximises log L(before) + log L(after) over the place k, for
    k right of n log L = k log(k/n) + (n - k) log(1 - k/n) (Hinkley, Biometrika 57 (1970) 477),
    among places after which fewer are right. Says where, not whether: ask once a fall is known.
    Assumes one change and independent answers; a slow decay gets a place in its middle.

    >>> fall_of(np.array([True] * 60 + [False] * 40))
    60
    >>> fall_of(np.array([True] * 100)) is None
    True
    """
    rows = len(right)
    places = np.arange(LEAST_ROWS, rows - LEAST_ROWS + 1)
    if not len(places):
        return None
    counted = np.concatenate([[0], np.cumsum(right)])
    before, after = counted[places], counted[-1] - counted[places]
    fell = before / places > after / (rows - places)
    if not fell.any():
        return None
    likely = _log_likelihood(before, places) + _log_likelihood(after, rows - places)
    return int(places[np.where(fell, likely, -np.inf).argmax()])


def _log_likelihood(right: NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[np.float64]:
    share = right / rows
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = right * np.log(share) + (rows - right) * np.log1p(-share)
    return np.nan_to_num(terms, nan=0.0)  # all right or all wrong: 0 log 0
