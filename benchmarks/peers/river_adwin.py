"""river's ADWIN with its defaults: one for each numeric column and for each category, row by row.

It watches the quiet windows before the judged ones first, then a window has an alarm if one of
its detectors found a change in it. It forgets what lies before a change by itself.
"""

from answering import Detector, Stream, Verdicts, Window, main
from river.drift import ADWIN


def prepare(stream: Stream) -> Detector:
    """Detectors that have seen the windows before."""
    columns = len(stream.numeric_names) + sum(stream.categories)
    detectors = [ADWIN() for _ in range(columns)]

    def shaped(window: Window) -> list[list[float]]:
        shares = [
            window.codes[:, place] == category
            for place, count in enumerate(stream.categories)
            for category in range(count)
        ]
        return [column.astype(float).tolist() for column in (*window.numeric.T, *shares)]

    def check(window: list[list[float]]) -> Verdicts:
        found = [changed(*pair) for pair in zip(detectors, window, strict=True)]
        return {"some column": any(found)}

    for window in stream.before:
        check(shaped(window))
    return Detector(shaped, check)


def changed(detector: ADWIN, values: list[float]) -> bool:
    """Whether the detector found a change while it read these values."""
    found = False
    for value in values:
        detector.update(value)
        found |= detector.drift_detected
    return found


if __name__ == "__main__":
    main("river", prepare)
