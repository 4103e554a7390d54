"""Labels as they arrive: each record counts once for the test, whatever is sent again.

The test on labels is a bet that has been settled with what was known: a label that is corrected
later cannot be taken back out of the evidence without breaking its guarantee. So the first label
of a record counts, corrections and withdrawals are counted beside it, and figures
(`measures`, `drops`) use the labels as they stand. A test that rested on many wrong labels is run
again from the start on the corrected ones, by explicit call.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bailiwick.monitoring.performance.expected import LabelledWindow


@dataclass(frozen=True, slots=True)
class Label:
    """One label that arrived; `label` is None if it withdraws an earlier one."""

    record: str
    window: int
    prediction: str
    label: str | None


@dataclass(frozen=True, slots=True)
class Arrived:
    """What a batch came to.

    windows: for `labelled.take_labels`; labels: by record, those that now stand (None: withdrawn);
    repeated, corrected, withdrawn: labels that did not count, because their record had counted.
    """

    windows: tuple[LabelledWindow, ...]
    labels: Mapping[str, str | None]
    repeated: int
    corrected: int
    withdrawn: int


def count_once(batch: Iterable[Label], known: Mapping[str, str | None]) -> Arrived:
    """`batch` in order of arrival; `known`: labels that earlier batches left for its records.

    A withdrawal of a record that never had a label says nothing and is left out.

    >>> batch = [Label("a", 7, "fuel", "fuel"), Label("a", 7, "fuel", "food"),
    ...          Label("b", 6, "fuel", "food"), Label("c", 7, "food", "food")]
    >>> found = count_once(batch, {"b": "food"})
    >>> found.windows
    (LabelledWindow(window=7, wrong=0, rows=2),)
    >>> found.repeated, found.corrected, found.withdrawn
    (1, 1, 0)
    """
    labels: dict[str, str | None] = {}
    rows, wrong, kinds = Counter[int](), Counter[int](), Counter[str]()
    for label in batch:
        heard = label.record in labels or label.record in known
        if not heard and label.label is not None:
            rows[label.window] += 1
            wrong[label.window] += label.prediction != label.label
        elif not heard:
            continue
        else:
            before = labels[label.record] if label.record in labels else known[label.record]
            kinds[_kind(before, label.label)] += 1
        labels[label.record] = label.label
    return Arrived(
        tuple(LabelledWindow(window, wrong[window], rows[window]) for window in sorted(rows)),
        labels,
        kinds["repeated"],
        kinds["corrected"],
        kinds["withdrawn"],
    )


def _kind(before: str | None, now: str | None) -> str:
    if before == now:
        return "repeated"
    return "withdrawn" if now is None else "corrected"
