"""A deployment whose traffic is known: hourly windows of drawn rows with a daily rhythm."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from bailiwick.monitoring.baselines import Window
from bailiwick.monitoring.shapes import CategoricalShape, Layout, NumericShape
from bailiwick.monitoring.summaries import summarize

MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
EDGES = (-2.33, -1.75, -1.28, -0.93, -0.67, -0.45, -0.25, 0.0, 0.25, 0.45, 0.67, 0.93, 1.28)
LAYOUT = Layout(
    (
        NumericShape("amount", (*EDGES, 1.75, 2.33), 0.0),
        NumericShape("words", (*EDGES, 1.75, 2.33), 0.0),
        NumericShape("constant", (7.0, float(np.nextafter(7.0, 8.0))), 7.0),
        CategoricalShape("prediction", ("fuel", "food", "travel")),
    ),
    labels=("fuel", "food", "travel"),
)
SHARES = (0.5, 0.3, 0.2)


def drawn(random: np.random.Generator, rows: int, hour: float = 0.0) -> dict[str, Any]:
    """Rows of one window: `amount` swings by 0.3 standard deviations over the day."""
    swing = 0.3 * np.cos(2 * np.pi * hour / 24)
    return {
        "amount": random.normal(swing, 1.0, rows),
        "words": random.normal(0.0, 1.0, rows),
        "constant": np.full(rows, 7.0),
        "prediction": random.choice(["fuel", "food", "travel"], rows, p=SHARES),
    }


def hours(
    random: np.random.Generator, first: int, count: int, rows: int = 120
) -> Iterator[tuple[int, dict[str, Any]]]:
    """(hour since `MONDAY`, columns) of `count` hourly windows."""
    for hour in range(first, first + count):
        yield hour, drawn(random, rows, hour)


def window(hour: int, columns: dict[str, Any], layout: Layout = LAYOUT) -> Window:
    """The summary of `columns` at its place."""
    return Window(MONDAY + timedelta(hours=hour), summarize(layout, columns))


def quiet(random: np.random.Generator, first: int, count: int, rows: int = 120) -> list[Window]:
    """Hourly windows in which nothing is wrong."""
    return [window(hour, columns) for hour, columns in hours(random, first, count, rows)]
