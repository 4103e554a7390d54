"""Evidently's DataDriftPreset as it comes: `Report([DataDriftPreset()])`, reference and window.

Two verdicts: some column has drifted (what a reader of its report sees), and the dataset has (its
own: at least half of the columns).
"""

import warnings

from answering import Detector, Stream, Verdicts, Window, main, pooled

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it imports what its own dependencies have deprecated
    import pandas as pd
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset

REFERENCE_ROWS = 20_000


def prepare(stream: Stream) -> Detector:
    """A check against 20,000 rows of the baseline."""
    definition = DataDefinition(
        numerical_columns=list(stream.numeric_names),
        categorical_columns=list(stream.category_names),
    )

    def dataset(window: Window) -> Dataset:
        frame = pd.DataFrame(window.numeric, columns=list(stream.numeric_names))
        for place, name in enumerate(stream.category_names):
            frame[name] = [f"{name} {code}" for code in window.codes[:, place].tolist()]
        return Dataset.from_pandas(frame, data_definition=definition)

    reference = dataset(pooled(stream.reference, REFERENCE_ROWS))

    def check(window: Dataset) -> Verdicts:
        report = Report([DataDriftPreset()]).run(window, reference)
        found = report.dict()["metrics"][0]
        drifted = found["value"]
        return {
            "some column": drifted["count"] > 0,
            "half the columns": drifted["share"] >= found["config"]["drift_share"],
        }

    return Detector(dataset, check)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main("evidently", prepare)
