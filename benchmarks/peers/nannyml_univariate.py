"""NannyML's univariate drift with its defaults: Jensen-Shannon, thresholds of 3 sd over chunks.

It learns its thresholds from windows of the baseline as chunks, an hour each.
"""

import warnings

import numpy as np
from answering import Detector, Stream, Verdicts, Window, main

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it imports what its own dependencies have deprecated
    import nannyml as nml
    import pandas as pd

MONDAY = pd.Timestamp("2026-01-05")


def prepare(stream: Stream) -> Detector:
    """A fitted calculator; the window is one chunk."""
    names = [*stream.numeric_names, *stream.category_names]

    def frame(windows: tuple[Window, ...]) -> pd.DataFrame:
        hours = np.repeat(np.arange(len(windows)), [len(window) for window in windows])
        numeric = np.concatenate([window.numeric for window in windows])
        codes = np.concatenate([window.codes for window in windows])
        found = pd.DataFrame(numeric, columns=list(stream.numeric_names))
        for place, name in enumerate(stream.category_names):
            found[name] = [f"{name} {code}" for code in codes[:, place].tolist()]
        found["at"] = MONDAY + pd.to_timedelta(hours, unit="h")
        return found

    calculator = nml.UnivariateDriftCalculator(
        column_names=names,
        treat_as_categorical=list(stream.category_names),
        timestamp_column_name="at",
        chunk_period="h",
    )
    calculator.fit(frame(stream.reference))

    def check(window: pd.DataFrame) -> Verdicts:
        results = calculator.calculate(window).filter(period="analysis").to_df()
        alerts = results.xs("alert", axis=1, level=-1)
        return {"some column": bool(alerts.to_numpy().any())}

    return Detector(lambda window: frame((window,)), check)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main("nannyml", prepare)
