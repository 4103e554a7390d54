"""Moments as people write them on the command line."""

from datetime import UTC, datetime
from typing import Annotated

import typer

_FORMATS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M"]

Until = Annotated[datetime, typer.Option(formats=_FORMATS, help="When it ends, in UTC.")]
Since = Annotated[
    datetime | None, typer.Option(formats=_FORMATS, help="When it begins, in UTC; default: now.")
]
BacktestSince = Annotated[
    datetime | None,
    typer.Option(formats=_FORMATS, help="Replay from this day on; older rows teach the first."),
]
Deadline = Annotated[
    datetime | None,
    typer.Option("--by", formats=_FORMATS, help="Deadline in UTC; default: 14 days, at most 90."),
]
DayFrom = Annotated[
    datetime, typer.Option("--from", formats=_FORMATS, help="The first of these days, in UTC.")
]
DayTo = Annotated[
    datetime, typer.Option("--to", formats=_FORMATS, help="The day after the last, in UTC.")
]


def span(written: str) -> tuple[datetime, datetime]:
    """`START..END`, days or minutes, in UTC.

    >>> span("2026-01-05..2026-01-12T06:00")[1].hour
    6
    """
    try:
        start, end = (datetime.fromisoformat(one.strip()) for one in written.split(".."))
    except ValueError as error:
        message = f"{written} is no span: write it as 2026-01-05..2026-01-12"
        raise typer.BadParameter(message) from error
    return utc(start), utc(end)


def utc(written: datetime) -> datetime:
    """What was written, as the moment that it means."""
    return written.replace(tzinfo=UTC)
