"""alibi-detect's TabularDrift with its defaults: KS and chi-square tests, Bonferroni at 5 %."""

import warnings

import numpy as np
from answering import Detector, Stream, Verdicts, Window, main, pooled
from numpy.typing import NDArray

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it imports what its own dependencies have deprecated
    from alibi_detect.cd import TabularDrift

REFERENCE_ROWS = 20_000


def prepare(stream: Stream) -> Detector:
    """A check against 20,000 rows of the baseline."""
    first = len(stream.numeric_names)
    categories = {first + place: None for place in range(len(stream.category_names))}
    detector = TabularDrift(
        matrix(pooled(stream.reference, REFERENCE_ROWS)),
        p_val=0.05,
        categories_per_feature=categories,
    )

    def check(window: NDArray[np.float64]) -> Verdicts:
        found = detector.predict(window, drift_type="batch")
        return {"the batch": bool(found["data"]["is_drift"])}

    return Detector(matrix, check)


def matrix(window: Window) -> NDArray[np.float64]:
    """Numeric columns, then the codes."""
    return np.hstack([window.numeric, window.codes.astype(np.float64)])


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main("alibi-detect", prepare)
