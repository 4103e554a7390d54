"""Is the model still right? Estimates while labels are missing, a test on labels when they come.

`tally` counts a window's confidences; `fit` calibrates them on labelled rows; `estimate` says what
accuracy to expect, how far past estimates were off, and whether to trust it. `expect` and
`labelled_test` set up the sequential test that `take_labels` feeds; `drop_of` says how much and
since when, `loss_of` whether that is worth waking somebody. `measures` are plain figures from
confusion counts. Everything is pure, and everything kept goes to JSON and back.
"""

from bailiwick.monitoring.performance.arrivals import Arrived, Label, count_once
from bailiwick.monitoring.performance.confidences import (
    Grid,
    Tally,
    empty,
    of_labels,
    tally,
)
from bailiwick.monitoring.performance.drops import Drop, Loss, drop_of, loss_of
from bailiwick.monitoring.performance.estimates import (
    Doubt,
    Estimate,
    TrustTerms,
    Verified,
    estimate,
    verify,
)
from bailiwick.monitoring.performance.expected import Expected, LabelledWindow, expect, promised
from bailiwick.monitoring.performance.labelled import (
    LabelledJudgement,
    LabelledState,
    LabelledTest,
    fresh_labels,
    labelled_test,
    restarted_labels,
    steps_since,
    take_labels,
)
from bailiwick.monitoring.performance.measures import (
    CalibrationError,
    Measured,
    accuracy,
    calibration_error,
    macro_f1,
    mean_cost,
)
from bailiwick.monitoring.performance.reliability import Calibration, fit

__all__ = [
    "Arrived",
    "Calibration",
    "CalibrationError",
    "Doubt",
    "Drop",
    "Estimate",
    "Expected",
    "Grid",
    "Label",
    "LabelledJudgement",
    "LabelledState",
    "LabelledTest",
    "LabelledWindow",
    "Loss",
    "Measured",
    "Tally",
    "TrustTerms",
    "Verified",
    "accuracy",
    "calibration_error",
    "count_once",
    "drop_of",
    "empty",
    "estimate",
    "expect",
    "fit",
    "fresh_labels",
    "labelled_test",
    "loss_of",
    "macro_f1",
    "mean_cost",
    "of_labels",
    "promised",
    "restarted_labels",
    "steps_since",
    "take_labels",
    "tally",
    "verify",
]
