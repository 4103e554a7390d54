"""Hours of traffic as mergeable summaries: added to by each batch, read by whoever watches."""

from bailiwick.monitoring.hours.layouts import SAMPLE_ROWS, settle_layout
from bailiwick.monitoring.hours.parts import (
    HOUR,
    KEYS,
    MEASURES,
    SEGMENT,
    SHARES,
    add_part,
    complete_until,
    first_hour,
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
    "KEYS",
    "MEASURES",
    "SAMPLE_ROWS",
    "SEGMENT",
    "SHARES",
    "Window",
    "WindowLayout",
    "WindowPart",
    "add_part",
    "complete_until",
    "first_hour",
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
