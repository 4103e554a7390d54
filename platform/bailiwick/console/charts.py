"""Charts as inline SVG: lines over time, sparklines, an interval. Colours live in the style sheet.

Every chart is drawn for a stated size; pages carry a wide and a narrow drawing and show one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from markupsafe import Markup

from bailiwick.console import svg
from bailiwick.console.axes import date_ticks, value_ticks

DOT_RADIUS, MARK_SIZE = 3.2, 4.6
LANES = ("alert", "retrain", "promotion")
_TICK_WIDTH = 66.0
_LANE = 13.0  # height of one row of marks under the plot; each kind has its own
_LEAST_RATIO = 0.1  # that the axis of shares spans
_BOTTOM, _TOP, _RIGHT, _LEFT = 22.0, 10.0, 14.0, 46.0


@dataclass(frozen=True, slots=True)
class Point:
    """A value at a moment; `hint` is what its dot says. `loud` dots stand out."""

    at: datetime
    value: float
    hint: str
    loud: bool = False


@dataclass(frozen=True, slots=True)
class Series:
    """One line; `style` is its class, the first one is the subject, the others are references."""

    name: str
    points: Sequence[Point]
    style: str = "subject"


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happened, shown on the time axis."""

    at: datetime
    kind: Literal["alert", "retrain", "promotion"]
    hint: str


@dataclass(frozen=True, slots=True)
class Chart:
    """What is drawn: lines over [first, last], marks below them, a limit across them."""

    title: str
    description: str
    first: datetime
    last: datetime
    series: Sequence[Series]
    marks: Sequence[Mark] = ()
    limit: tuple[str, float] | None = None
    unit: Literal["ratio", "number"] = "ratio"
    from_zero: bool = False
    holds: Sequence[float] = ()  # values that the axis has room for, so that charts compare


@dataclass(frozen=True, slots=True)
class Size:
    """A drawing's size in its own units, which are pixels where it is shown at full size."""

    name: str
    width: float
    height: float


WIDE = Size("wide", 1080, 300)
NARROW = Size("narrow", 360, 230)
SMALL = Size("small", 340, 150)


@dataclass(frozen=True, slots=True)
class _Frame:
    """From moments and values to places in the drawing."""

    chart: Chart
    size: Size
    ticks: Sequence[float]

    @property
    def right(self) -> float:
        return self.size.width - _RIGHT

    @property
    def bottom(self) -> float:
        return self.size.height - _BOTTOM - _LANE * len(self.lanes)

    @property
    def lanes(self) -> list[str]:
        kinds = {mark.kind for mark in self.chart.marks}
        return [kind for kind in LANES if kind in kinds]

    def x(self, moment: datetime) -> float:
        span = max((self.chart.last - self.chart.first).total_seconds(), 1)
        share = (moment - self.chart.first).total_seconds() / span
        return _LEFT + share * (self.right - _LEFT)

    def y(self, value: float) -> float:
        low, high = self.ticks[0], self.ticks[-1]
        return self.bottom - (value - low) / (high - low) * (self.bottom - _TOP)


def line_chart(chart: Chart, size: Size) -> Markup:
    """Lines over time with axes, a limit and marks; points outside [first, last] are left out."""
    values = [point.value for series in chart.series for point in series.points]
    values += chart.holds
    if chart.limit is not None:
        values.append(chart.limit[1])
    low = 0.0 if chart.from_zero else min(values, default=0.0)
    high = max(values, default=1.0)
    if chart.unit == "ratio" and high - low < _LEAST_RATIO:  # one point is no line of its own
        low = max(0.0, min((low + high - _LEAST_RATIO) / 2, 1 - _LEAST_RATIO))
        high = low + _LEAST_RATIO
    frame = _Frame(chart, size, value_ticks(low, high, 4))
    root = svg.drawing(
        size.width,
        size.height,
        title=chart.title,
        description=chart.description,
        css=f"chart {size.name}",
    )
    _axes(root, frame)
    _limit(root, frame)
    _marks(root, frame)
    for series in reversed(chart.series):  # the subject is drawn last, on top
        _line(root, frame, series)
    return svg.markup(root)


def _axes(root: svg.Element, frame: _Frame) -> None:
    for value in frame.ticks:
        y = frame.y(value)
        svg.add(root, "line", x1=_LEFT, x2=frame.right, y1=y, y2=y, css="grid")
        text = f"{100 * value:g}%" if frame.chart.unit == "ratio" else f"{value:g}"
        svg.add(root, "text", text, x=_LEFT - 8, y=y + 4, css="tick value")
    most = max(3, int((frame.right - _LEFT) / _TICK_WIDTH))
    for moment, text in date_ticks(frame.chart.first, frame.chart.last, most):
        x = frame.x(moment)
        svg.add(root, "line", x1=x, x2=x, y1=frame.bottom, y2=frame.bottom + 4, css="axis")
        svg.add(root, "text", text, x=x, y=frame.size.height - 5, css="tick middle")
    svg.add(root, "line", x1=_LEFT, x2=frame.right, y1=frame.bottom, y2=frame.bottom, css="axis")


def _limit(root: svg.Element, frame: _Frame) -> None:
    if frame.chart.limit is None:
        return
    name, value = frame.chart.limit
    y = frame.y(value)
    line = svg.add(root, "line", x1=_LEFT, x2=frame.right, y1=y, y2=y, css="limit")
    svg.hint(line, f"{name} {value:g}")


def _marks(root: svg.Element, frame: _Frame) -> None:
    for mark in frame.chart.marks:
        if not frame.chart.first <= mark.at <= frame.chart.last:
            continue
        x = frame.x(mark.at)
        y = frame.bottom + _LANE * (frame.lanes.index(mark.kind) + 0.5) + 3
        group = svg.add(root, "g", css=f"mark {mark.kind}")
        svg.hint(group, mark.hint)
        svg.add(group, "line", x1=x, x2=x, y1=_TOP, y2=frame.bottom)
        svg.add(group, "path", d=_shape(mark.kind, x, y))


def _shape(kind: str, x: float, y: float) -> str:
    """Shapes differ, not only colours: triangle, square, diamond."""
    r = MARK_SIZE
    s = r * 0.8
    corners = {
        "alert": ((0, -r), (r, s), (-r, s)),
        "retrain": ((-s, -s), (s, -s), (s, s), (-s, s)),
        "promotion": ((0, -r), (r, 0), (0, r), (-r, 0)),
    }[kind]
    return "M" + "L".join(f"{x + dx:.1f} {y + dy:.1f}" for dx, dy in corners) + "Z"


def _line(root: svg.Element, frame: _Frame, series: Series) -> None:
    chart = frame.chart
    points = [point for point in series.points if chart.first <= point.at <= chart.last]
    group = svg.add(root, "g", css=f"series {series.style}")
    places = [f"{frame.x(point.at):.1f} {frame.y(point.value):.1f}" for point in points]
    if len(places) > 1:
        svg.add(group, "path", d="M" + "L".join(places), css="line")
    for point in points:
        dot = svg.add(
            group,
            "circle",
            cx=frame.x(point.at),
            cy=frame.y(point.value),
            r=DOT_RADIUS,
            css="dot loud" if point.loud else "dot",
        )
        svg.hint(dot, point.hint)


def sparkline(values: Sequence[float], *, title: str) -> Markup:
    """A line without axes, for a cell of a table; the newest value has a dot."""
    width, height, pad = 120.0, 26.0, 4.0
    root = svg.drawing(width, height, title=title, description="", css="sparkline")
    svg.hint(root, title)
    low, high = min(values, default=0.0), max(values, default=1.0)
    span = max(high - low, 0.02)  # two points of accuracy fill the height at most
    middle = (low + high) / 2
    step = (width - 2 * pad) / max(len(values) - 1, 1)

    def place(index: int) -> tuple[float, float]:
        share = (values[index] - middle) / span + 0.5
        return pad + index * step, height - pad - share * (height - 2 * pad)

    places = [place(index) for index in range(len(values))]
    if len(places) > 1:
        svg.add(root, "path", d="M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in places), css="line")
    if places:
        svg.add(root, "circle", cx=places[-1][0], cy=places[-1][1], r=2.6, css="dot")
    return svg.markup(root)


def interval_bar(low: float, value: float, high: float, *, limit: float, title: str) -> Markup:
    """A difference with its interval against zero and the limit that its lower end must pass."""
    width, height = 420.0, 56.0
    reach = max(abs(low), abs(high), abs(limit), 0.01) * 1.15
    root = svg.drawing(width, height, title=title, description="", css="interval")

    def x(gain: float) -> float:
        return width / 2 + gain / reach * (width / 2 - 24)

    middle = 20.0
    for place in (-reach / 1.15, 0.0, reach / 1.15):
        text = f"{place:+.1%}" if place else "0"
        svg.add(root, "text", text, x=x(place), y=height - 4, css="tick middle")
    svg.add(root, "line", x1=0.0, x2=width, y1=middle, y2=middle, css="grid")
    svg.add(root, "line", x1=x(0.0), x2=x(0.0), y1=2.0, y2=38.0, css="axis")
    line = svg.add(root, "line", x1=x(limit), x2=x(limit), y1=2.0, y2=38.0, css="limit")
    svg.hint(line, f"the lower end must exceed {limit:+.1%}")
    kind = "better" if low > limit else "worse" if high < 0 else "unclear"
    group = svg.add(root, "g", css=f"range {kind}")
    svg.hint(group, title)
    svg.add(group, "line", x1=x(low), x2=x(high), y1=middle, y2=middle)
    svg.add(group, "circle", cx=x(value), cy=middle, r=5.0)
    return svg.markup(root)
