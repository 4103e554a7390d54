"""Hours of traffic as mergeable summaries: added to by each batch, read by whoever watches."""

from bailiwick.monitoring.hours.layouts import SAMPLE_ROWS, settle_layout
from bailiwick.monitoring.hours.parts import (
    HOUR,
    OF_THE_MODEL,
    SEGMENT,
    add_part,
    complete_until,
    first_hour,
    first_rows,
    fold,
    heard_at,
    hour_of,
    hours_with_rows,
    layout_in,
    newest_layout,
    parts_wait,
    summaries_between,
    windows_of,
)
from bailiwick.monitoring.hours.tables import Window, WindowLayout, WindowPart

__all__ = [
    "HOUR",
    "OF_THE_MODEL",
    "SAMPLE_ROWS",
    "SEGMENT",
    "Window",
    "WindowLayout",
    "WindowPart",
    "add_part",
    "complete_until",
    "first_hour",
    "first_rows",
    "fold",
    "heard_at",
    "hour_of",
    "hours_with_rows",
    "layout_in",
    "newest_layout",
    "parts_wait",
    "settle_layout",
    "summaries_between",
    "windows_of",
]
