"""The job process that learns to tell two spans of traffic apart: a domain classifier.

    python -m bailiwick.monitoring.comparing SPEC.json

SPEC.json holds a `ComparisonSpec`. What a classifier cannot tell apart has not changed in any way
that it could see, dependence between features included, which tests of one feature at a time
miss (Lopez-Paz and Oquab, "Revisiting classifier two-sample tests", ICLR 2017). The area under its
ROC curve is 0.5 where nothing changed and 1 where every row gives itself away.

Hours are kept whole: no row is scored by a classifier that saw another row of its hour, and the
interval comes from drawing hours anew (percentiles of a cluster bootstrap). NOT guaranteed: an
hour of the day or a day of the week that only one span has is a difference as well; compare whole
days with whole days. Of the interval's coverage nothing is promised for fewer than some 20 hours.
The only importer of scikit-learn.
"""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import sklearn
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline

from bailiwick.core.errors import Invalid
from bailiwick.monitoring.job_process import carry_out, write_outcome

HOUR, AFTER, TEXT = "(hour)", "(after)", "(text)"  # no feature is called so
FOLDS = 5
DRAWS = 300
MOST_CATEGORIES = 200
NAMED = 5
_LEAST_LOST = 0.005  # of the area: less is chance
_SEED = 0

Array = NDArray[np.float64]
Scores = Callable[[NDArray[np.int64], NDArray[np.int64]], Array]


@dataclass(frozen=True, slots=True)
class ComparisonSpec:
    """Rows of both spans in one Parquet file, with their hour and whether they are of the later."""

    work_dir: Path
    rows: Path
    watch_parent: bool = False

    @classmethod
    def read(cls, path: Path) -> "ComparisonSpec":
        """The spec in a JSON file; `Invalid` if it is not one."""
        try:
            given = json.loads(path.read_text(encoding="utf-8"))
            return cls(Path(given["work_dir"]), Path(given["rows"]["path"]), given["watch_parent"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise Invalid(
                f"The comparison cannot use its spec ({type(error).__name__}): write it as the "
                "platform does."
            ) from error


def run(spec: ComparisonSpec) -> dict[str, Any]:
    """Compare; the outcome is also written to `outcome.json`."""
    table = pq.read_table(spec.rows)
    hours, after = (table.column(name).to_numpy() for name in (HOUR, AFTER))
    folds = _folds(hours, after)
    names = [name for name in table.column_names if name not in (HOUR, AFTER, TEXT)]
    columns = {name: _encoded(table.column(name)) for name in names}
    outcome = _by_features(columns, after, hours, folds)
    outcome["texts"] = (
        _by_texts(table.column(TEXT).to_pylist(), after, hours, folds)
        if TEXT in table.column_names
        else None
    )
    sides = {"before": ~after, "after": after}
    outcome["rows"] = {name: int(side.sum()) for name, side in sides.items()}
    outcome["hours"] = {name: len(set(hours[side])) for name, side in sides.items()}
    outcome["library"] = f"scikit-learn {sklearn.__version__}"
    write_outcome(spec.work_dir, outcome)
    return outcome


def area(scores: Array, after: NDArray[np.bool_], weights: Array | None = None) -> float:
    """The area under the ROC curve: how often a later row scores higher, ties half.

    >>> area(np.array([0.1, 0.4, 0.4, 0.9]), np.array([False, False, True, True]))
    0.875
    """
    weights = np.ones(len(scores)) if weights is None else weights
    _, place = np.unique(scores, return_inverse=True)
    later = np.bincount(place, weights * after)
    earlier = np.bincount(place, weights * ~after)
    below = np.cumsum(earlier) - earlier
    return float(later @ (below + earlier / 2) / (later.sum() * earlier.sum()))


def interval(
    scores: Array, after: NDArray[np.bool_], hours: NDArray[np.int64]
) -> tuple[float, float]:
    """The middle 95 % of the areas under draws of hours, each span's with replacement."""
    random = np.random.default_rng(_SEED)
    sides = [np.unique(hours[after == side], return_inverse=True)[1] for side in (False, True)]
    found, weights = [], np.empty(len(scores))
    for _ in range(DRAWS):
        for side, places in zip((False, True), sides, strict=True):
            count = places.max() + 1
            drawn = np.bincount(random.integers(0, count, count), minlength=count)
            weights[after == side] = drawn[places]
        found.append(area(scores, after, weights))
    low, high = np.percentile(found, [2.5, 97.5]).tolist()
    return low, high


def _folds(
    hours: NDArray[np.int64], after: NDArray[np.bool_]
) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    fewest = min(len(set(hours[after == side])) for side in (False, True))
    if fewest < 2:  # noqa: PLR2004 - to learn from one and score another
        raise Invalid("Each span needs requests in two different hours; compare longer spans.")
    cut = StratifiedGroupKFold(min(FOLDS, fewest), shuffle=True, random_state=_SEED)
    return list(cut.split(np.zeros(len(hours)), after, groups=hours))


def _encoded(column: pa.ChunkedArray) -> tuple[Array, bool]:
    """Numbers, and whether they are places of categories; missing is NaN."""
    if not pa.types.is_string(column.type):
        return column.cast(pa.float64()).to_numpy().astype(np.float64), False
    counted = sorted(
        column.value_counts().to_pylist(), key=lambda one: (-one["counts"], str(one["values"]))
    )
    known = [one["values"] for one in counted if one["values"] is not None][:MOST_CATEGORIES]
    places = {name: float(place) for place, name in enumerate(known)}
    values = (
        np.nan if name is None else places.get(name, float(len(known)))
        for name in column.to_pylist()
    )
    return np.fromiter(values, np.float64, len(column)), True


def _by_features(
    columns: dict[str, tuple[Array, bool]],
    after: NDArray[np.bool_],
    hours: NDArray[np.int64],
    folds: list[tuple[NDArray[np.int64], NDArray[np.int64]]],
) -> dict[str, Any]:
    """The area of all features together, and what is lost of it where one is shuffled."""
    names = list(columns)
    matrix = np.column_stack([values for values, _ in columns.values()])
    random = np.random.default_rng(_SEED)
    scores = np.zeros(len(after))
    shuffled = {name: np.zeros(len(after)) for name in dict.fromkeys(map(_feature, names))}
    for learned, scored in folds:
        classifier = HistGradientBoostingClassifier(
            max_iter=100,
            max_leaf_nodes=15,
            categorical_features=[is_category for _, is_category in columns.values()],
            early_stopping=False,
            random_state=_SEED,
        ).fit(matrix[learned], after[learned])
        rows = matrix[scored]
        scores[scored] = classifier.predict_proba(rows)[:, 1]
        for feature, kept in shuffled.items():
            places = [place for place, name in enumerate(names) if _feature(name) == feature]
            changed = rows.copy()
            changed[:, places] = rows[random.permutation(len(rows))][:, places]
            kept[scored] = classifier.predict_proba(changed)[:, 1]
    whole = area(scores, after)
    lost = {name: whole - area(kept, after) for name, kept in shuffled.items()}
    named = sorted((name for name in lost if lost[name] >= _LEAST_LOST), key=lambda n: -lost[n])
    low, high = interval(scores, after, hours)
    features = [{"feature": name, "area_lost": lost[name]} for name in named[:NAMED]]
    return {"area": whole, "lower": low, "upper": high, "features": features}


def _by_texts(
    texts: list[str | None],
    after: NDArray[np.bool_],
    hours: NDArray[np.int64],
    folds: list[tuple[NDArray[np.int64], NDArray[np.int64]]],
) -> dict[str, float]:
    """The area of words and pairs of words alone. Which ones they are is told nobody."""
    given = np.array([text or "" for text in texts], dtype=np.object_)
    scores = np.zeros(len(after))
    for learned, scored in folds:
        classifier = make_pipeline(
            TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True), LogisticRegression(max_iter=300)
        )
        try:
            classifier.fit(given[learned], after[learned])
        except ValueError as error:
            message = "There are hardly any words in these texts; compare without them."
            raise Invalid(message) from error
        scores[scored] = classifier.predict_proba(given[scored])[:, 1]
    low, high = interval(scores, after, hours)
    return {"area": area(scores, after), "lower": low, "upper": high}


def _feature(column: str) -> str:
    """A direction of an embedding is one of eight of the same feature."""
    return column.partition(" direction ")[0]


def main(arguments: list[str]) -> int:
    """Exit status of the process; see the module."""
    return carry_out(arguments, ComparisonSpec.read, run)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
