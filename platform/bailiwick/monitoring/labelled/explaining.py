"""What an alarm is explained by: the counts of its windows, before and since, read once."""

from collections import defaultdict
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from bailiwick.monitoring.confusion import (
    arrivals_between,
    counts_between,
    hours_between,
    label_names,
)
from bailiwick.monitoring.labelled.findings import loss_in, sentence, worst_of
from bailiwick.monitoring.labelled.references import expected_in, start_of, windows_of
from bailiwick.monitoring.labelled.tables import LabelReference
from bailiwick.monitoring.labelled.told import Told
from bailiwick.monitoring.performance import LabelledState, LabelledWindow, steps_since
from bailiwick.monitoring.performance.drops import LONGEST_HISTORY
from bailiwick.monitoring.performance.slices import Excess
from bailiwick.monitoring.tables import Monitor

_SHORTEST, _BACK = 28, 3  # windows looked back at; times the span of what raised the alarm


def arrived_between(
    session: Session, row: LabelReference, start: datetime, end: datetime
) -> dict[datetime, list[LabelledWindow]]:
    """Labels that arrived, by step from `start` on, added up by window of their requests."""
    length = timedelta(hours=row.window_hours)
    steps: defaultdict[datetime, defaultdict[int, list[int]]]
    steps = defaultdict(lambda: defaultdict(lambda: [0, 0]))
    about = (session, row.deployment_id, row.version_id)
    for one in arrivals_between(*about, start=start, end=end):
        step = steps[start + (one.arrived - start) // length * length]
        for hour, wrong, rows in one.requests:
            window = step[hour // row.window_hours]
            window[0] += wrong
            window[1] += rows
    return {
        step: [LabelledWindow(window, *counts) for window, counts in sorted(windows.items())]
        for step, windows in steps.items()
    }


def told_of(
    session: Session, row: LabelReference, state: LabelledState, end: datetime, monitor: Monitor
) -> Told:
    """The loss that an alarm at `end` found, with labels as they stand."""
    length = timedelta(hours=row.window_hours)
    grown = arrived_between(session, row, end - max(steps_since(state), 1) * length, end)
    told_by = [window for step in grown.values() for window in step]
    first = min(one.window for one in told_by)
    span = max(one.window for one in told_by) + 1 - first
    back = min(max(_BACK * span, _SHORTEST), LONGEST_HISTORY - 1)
    begin = start_of(first - back, row.window_hours)
    about = (session, row.deployment_id)
    hours = hours_between(*about, start=begin, end=end, version_id=row.version_id)
    loss = loss_in(
        expected_in(row),
        row.accuracy,
        windows_of(hours, row.window_hours),
        told_by,
        smallest_drop=monitor.max_accuracy_drop,
    )
    classes, slices = worst_of(
        counts_between(*about, row.version_id, start=begin, end=loss.since),
        counts_between(*about, row.version_id, start=loss.since, end=end),
        *label_names(*about),
    )
    worst = {"classes": list(map(_plain, classes)), "slices": list(map(_plain, slices))}
    return Told(loss, sentence(loss, classes, slices, held_to(row)), worst)


def held_to(row: LabelReference) -> str:
    """What labels are held to, in words."""
    if row.first is None or row.end is None:
        return f"its evaluation on {row.rows:,} rows"
    return f"{row.rows:,} labels of {row.first:%Y-%m-%d} to {row.end:%Y-%m-%d}"


def _plain(one: Excess) -> dict[str, Any]:
    named = [{"column": column, "value": value} for column, value in one.name]
    return asdict(one) | {"name": named}
