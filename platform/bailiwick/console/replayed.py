"""A backtest as charts: accuracy of each strategy beside retraining every period, and regret."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from markupsafe import Markup

from bailiwick.console.charts import (
    NARROW,
    SMALL,
    WIDE,
    Chart,
    Mark,
    Point,
    Series,
    line_chart,
)
from bailiwick.lifecycle.replays import in_order

EVERY, FROZEN = "every-period", "frozen"
STYLES = ("subject", "reference", "reference-2", "reference-3")

Periods = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class ReplayedStory:
    """What came of each strategy: a line of figures with a chart, and the regret of the first."""

    lines: list[tuple[Mapping[str, Any], Markup]]
    regret: list[Markup]
    regret_names: list[tuple[str, str]]  # of the lines in the chart of regret, with their styles


def replayed_story(result: Mapping[str, Any]) -> ReplayedStory:
    """From a backtest's result, as its blob holds it."""
    spans = [(_moment(one["start"]), _moment(one["end"])) for one in result["periods"]]
    strategies: Mapping[str, Periods] = in_order(result)
    known = [one["accuracy"] for some in strategies.values() for one in some]
    known = [one for one in known if one is not None]
    reach = [min(known, default=0.0), max(known, default=1.0)]
    lines = [
        (line, _accuracy(line["strategy"], strategies, spans, reach))
        for line in result["summary"]["strategies"]
    ]
    regretted = [name for name in strategies if name not in (EVERY, FROZEN)][: len(STYLES)]
    if EVERY not in strategies or not regretted:
        return ReplayedStory(lines, [], [])
    series = [
        Series(name, _regret(strategies[name], strategies[EVERY], spans, name), style)
        for name, style in zip(regretted, STYLES, strict=False)
    ]
    chart = Chart(
        title="Regret against retraining every period",
        description=_ends(series),
        first=spans[0][0],
        last=spans[-1][1],
        series=series,
        unit="number",
    )
    drawn = [line_chart(chart, size) for size in (WIDE, NARROW)]
    return ReplayedStory(lines, drawn, list(zip(regretted, STYLES, strict=False)))


def _accuracy(
    name: str,
    strategies: Mapping[str, Periods],
    spans: Sequence[tuple[datetime, datetime]],
    reach: Sequence[float],
) -> Markup:
    """One strategy over time, beside retraining every period where that was replayed."""
    mine = strategies[name]
    series = [Series(name, _points(mine, spans, name))]
    if name != EVERY and EVERY in strategies:
        series.append(Series(EVERY, _points(strategies[EVERY], spans, EVERY), "reference"))
    ended = [(one, end) for one, (_, end) in zip(mine, spans, strict=True)]
    marks = [
        Mark(end, "retrain", f"end of {one['period']}: retrained")
        for one, end in ended
        if one["retrained"]
    ]
    marks += [
        Mark(end, "alert", f"end of {one['period']}: alert") for one, end in ended if one["alerted"]
    ]
    known = [one["accuracy"] for one in mine if one["accuracy"] is not None]
    told = f"First {known[0]:.1%}, last {known[-1]:.1%}." if known else "No rows."
    chart = Chart(
        title=f"Accuracy of {name}",
        description=f"{told} {sum(one['retrained'] for one in mine)} retrainings.",
        first=spans[0][0],
        last=spans[-1][1],
        series=series,
        marks=marks,
        holds=reach,
    )
    return line_chart(chart, SMALL)


def _points(periods: Periods, spans: Sequence[tuple[datetime, datetime]], name: str) -> list[Point]:
    return [
        Point(
            start + (end - start) / 2,
            one["accuracy"],
            f"{one['period']}: {name} {one['accuracy']:.1%} on {one['rows']:,} rows",
        )
        for one, (start, end) in zip(periods, spans, strict=True)
        if one["accuracy"] is not None
    ]


def _regret(
    mine: Periods, every: Periods, spans: Sequence[tuple[datetime, datetime]], name: str
) -> list[Point]:
    """Wrong answers more than with retraining every period, added up."""
    total, points = 0.0, []
    for one, other, (_, end) in zip(mine, every, spans, strict=True):
        if one["accuracy"] is not None and other["accuracy"] is not None:
            total += one["rows"] * (other["accuracy"] - one["accuracy"])
        points.append(Point(end, total, f"{one['period']}: {name} {total:,.0f} wrong answers more"))
    return points


def _ends(series: Sequence[Series]) -> str:
    return " ".join(f"{one.name}: {one.points[-1].value:,.0f} in the end." for one in series)


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
