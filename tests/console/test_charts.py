"""Charts and graphs as drawings: well formed, to scale, and with everything they should say."""

from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from bailiwick.console.axes import date_ticks, value_ticks
from bailiwick.console.charts import (
    NARROW,
    SMALL,
    WIDE,
    Chart,
    Mark,
    Point,
    Series,
    interval_bar,
    line_chart,
    sparkline,
)
from bailiwick.console.graphs import BOX_HEIGHT, Box, graph

JANUARY = datetime(2024, 1, 1, tzinfo=UTC)
HOSTILE = '"><script>alert(1)</script>'
moments = st.datetimes(datetime(2000, 1, 1), datetime(2060, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - the strategy adds the zone


def a_chart(**changed: object) -> Chart:
    points = [
        Point(JANUARY + timedelta(days=30 * n), 0.8 - 0.03 * n, f"{HOSTILE} {n}", loud=n == 2)
        for n in range(6)
    ]
    return Chart(
        **{  # type: ignore[arg-type]  # a test's shorthand
            "title": HOSTILE,
            "description": "falls",
            "first": JANUARY,
            "last": JANUARY + timedelta(days=180),
            "series": [Series("governed", points), Series("frozen", points[:3], "reference")],
            "marks": [Mark(JANUARY + timedelta(days=60), "alert", HOSTILE)],
            "limit": ("threshold", 0.7),
            **changed,
        }
    )


def parsed(drawing: Markup) -> ET.Element:
    return ET.fromstring(str(drawing))  # noqa: S314 - our own drawing


def classed(root: ET.Element, name: str) -> list[ET.Element]:
    return [element for element in root.iter() if name in element.get("class", "").split()]


@pytest.mark.parametrize("size", [WIDE, NARROW, SMALL])
def test_a_chart_is_well_formed_and_stays_inside_its_size(size: object) -> None:
    root = parsed(line_chart(a_chart(), size))  # type: ignore[arg-type]  # one of the sizes
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    for dot in classed(root, "dot"):
        assert 0 <= float(dot.attrib["cx"]) <= width
        assert 0 <= float(dot.attrib["cy"]) <= height
    assert "<script>" not in line_chart(a_chart(), WIDE)


def test_a_chart_says_what_it_shows_to_those_who_cannot_see_it() -> None:
    root = parsed(line_chart(a_chart(title="Accuracy"), WIDE))
    assert root.get("role") == "img"
    assert root.get("aria-label") == "Accuracy. falls"
    dots = classed(root, "dot")
    assert len(dots) == 9
    assert all(dot[0].tag == "title" for dot in dots)
    assert len(classed(root, "loud")) == 2  # the same point in both lines


def test_a_higher_value_is_drawn_higher_and_a_later_one_further_right() -> None:
    root = parsed(line_chart(a_chart(), WIDE))
    governed = classed(root, "subject")[0]
    xs = [float(dot.attrib["cx"]) for dot in governed.iter("circle")]
    ys = [float(dot.attrib["cy"]) for dot in governed.iter("circle")]
    assert xs == sorted(xs)
    assert ys == sorted(ys)


def test_marks_outside_the_time_shown_are_left_out() -> None:
    late = Mark(JANUARY + timedelta(days=999), "promotion", "late")
    root = parsed(line_chart(a_chart(marks=[late]), WIDE))
    assert classed(root, "mark") == []


def test_kinds_of_marks_at_one_moment_do_not_cover_each_other() -> None:
    marks = [Mark(JANUARY, kind, kind) for kind in ("alert", "retrain", "promotion")]
    root = parsed(line_chart(a_chart(marks=marks), WIDE))
    shapes = {group.find("path").attrib["d"].split()[1] for group in classed(root, "mark")}  # type: ignore[union-attr]  # each mark has a shape
    assert len(shapes) == 3


@pytest.mark.parametrize("values", [[], [0.5], [0.5, 0.5], [0.1, 0.9, 0.4]])
def test_a_sparkline_is_drawn_for_any_number_of_values(values: list[float]) -> None:
    root = parsed(sparkline(values, title="Accuracy"))
    assert len(classed(root, "dot")) == (1 if values else 0)
    for dot in classed(root, "dot"):
        assert 0 <= float(dot.attrib["cy"]) <= 26


@pytest.mark.parametrize(
    ("low", "high", "kind"), [(0.01, 0.05, "better"), (-0.05, -0.01, "worse"), (-1, 1, "unclear")]
)
def test_an_interval_is_coloured_by_what_it_proves(low: float, high: float, kind: str) -> None:
    root = parsed(interval_bar(low, (low + high) / 2, high, limit=0.0, title="gain"))
    assert len(classed(root, kind)) == 1


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6), st.integers(2, 8))
def test_value_ticks_enclose_the_values_in_few_even_steps(
    low: float, width: float, most: int
) -> None:
    ticks = value_ticks(low, low + width, most)
    slack = width * 1e-6 + abs(low) * 1e-9
    assert ticks[0] <= low + slack
    assert ticks[-1] >= low + width - slack
    assert 2 <= len(ticks) <= most + 2


@given(moments, st.floats(0, 12_000), st.integers(3, 14))
def test_date_ticks_lie_in_order_within_the_span(first: datetime, days: float, most: int) -> None:
    last = first + timedelta(days=days)
    ticks = [moment for moment, _ in date_ticks(first, last, most)]
    assert ticks == sorted(set(ticks))
    assert all(first <= tick <= last for tick in ticks)
    assert len(ticks) <= most + 2


def boxes(*keys: str) -> list[Box]:
    return [Box(key, "run" if key.startswith("r") else "model", key, HOSTILE) for key in keys]


def places(drawing: Markup) -> dict[str, tuple[float, float, float]]:
    """Left, right and top of each box by its name."""
    found = {}
    for group in classed(parsed(drawing), "box"):
        rect, name = group[1], group[2]
        left = float(rect.attrib["x"])
        right = left + float(rect.attrib["width"])
        found[str(name.text)] = (left, right, float(rect.attrib["y"]))
    return found


def test_a_graph_runs_from_left_to_right_and_no_box_covers_another() -> None:
    edges = [("a", "r1"), ("b", "r1"), ("r1", "c"), ("c", "r2"), ("a", "r2"), ("r2", "d")]
    found = places(graph(boxes("a", "b", "c", "d", "r1", "r2"), edges, title="x", description=""))
    assert all(found[source][1] < found[target][0] for source, target in edges)
    everything = list(found.values())
    for place, one in enumerate(everything):
        for other in everything[place + 1 :]:
            beside = one[1] <= other[0] or other[1] <= one[0]
            assert beside or abs(one[2] - other[2]) >= BOX_HEIGHT


def test_a_graph_of_one_box_is_drawn() -> None:
    assert list(places(graph(boxes("a"), [], title="x", description=""))) == ["a"]


def test_long_and_hostile_names_fit_into_their_box() -> None:
    drawing = graph([Box("a", "model", HOSTILE * 4, "")], [], title=HOSTILE, description="")
    assert "<script>" not in drawing
    name = classed(parsed(drawing), "name")[0]
    assert len(str(name.text)) <= 20


@pytest.mark.parametrize("value", [0.0, 0.482, 1.0])
def test_one_value_alone_has_an_axis_to_be_read_from(value: float) -> None:
    alone = [Series("governed", [Point(JANUARY, value, "alone")])]
    root = parsed(line_chart(a_chart(series=alone, limit=None), WIDE))
    shares = [one.text for one in root.iter() if (one.text or "").endswith("%")]
    assert len(set(shares)) == len(shares) >= 3
    steps = np.diff(sorted(float((share or "").rstrip("%")) for share in shares))
    assert steps == pytest.approx([steps[0]] * len(steps))
    assert all(0 <= float((share or "").rstrip("%")) <= 100 for share in shares)
