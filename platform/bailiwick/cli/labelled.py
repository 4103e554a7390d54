"""`bailiwick monitor labels`: how right a deployment is by its labels, and how that is watched."""

from enum import StrEnum
from typing import Annotated

import typer
from rich.console import Group, RenderableType

from bailiwick.cli.api_client import Cursor, Limit, command
from bailiwick.cli.moments import DayFrom, DayTo, utc
from bailiwick.cli.output import day, facts, moment, page_table, percent, plain, table
from bailiwick.cli.traffic import DeploymentName, Reason
from bailiwick.client import Bailiwick
from bailiwick.client.shapes import (
    Figure,
    LabelCheck,
    Labelled,
    LabelReference,
    Measured,
    Page,
)

app = typer.Typer(no_args_is_help=True, help="Accuracy by labels, and what it is held to.")


class Unit(StrEnum):
    """Length of a period."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


def _labelled(_: Bailiwick, one: Labelled) -> RenderableType:
    incident, reference = one["incident"], one["reference"]
    told = facts(
        {
            "labelled": f"{one['rows']:,} requests, {one['correct']:,} right",
            "from": day(one["start"]) if one["start"] else "",
            "to": day(one["end"]) if one["end"] else "",
            **{figure["name"]: _figure(figure) for figure in one["figures"]},
            "estimated": _estimated(one),
            "held to": _reference_in_words(reference) if reference else "nothing yet",
            "judged until": moment(one["judged_until"]),
            "waits for": one["waits_for"] or "",
            "loss": incident["sentence"] if incident else "none",
        }
    )
    periods = (
        (
            day(own["start"]),
            f"{own['rows']:,}",
            _measured(own["accuracy"], own["lower"], own["upper"]),
        )
        for own in one["periods"]
    )
    classes = (
        (
            own["label"] or "(others)",
            f"{own['support']:,}",
            _or_none(own["precision"]),
            _or_none(own["recall"]),
            _or_none(own["f1"]),
        )
        for own in one["classes"]
    )
    return Group(
        told,
        table(("FROM", "LABELLED", "ACCURACY (95 %)"), periods),
        table(("LABEL", "ROWS", "PRECISION", "RECALL", "F1"), classes),
    )


def _figure(one: Figure) -> str:
    if one["name"] in ("cost per request", "Brier score"):
        return f"{one['value']:.4g} ({one['lower']:.4g} to {one['upper']:.4g})"
    chance = f", by chance {percent(one['by_chance'])}" if one["by_chance"] is not None else ""
    return _measured(one["value"], one["lower"], one["upper"]) + chance


def _measured(value: float, lower: float, upper: float) -> str:
    return f"{percent(value)} ({percent(lower)} to {percent(upper)})"


def _or_none(one: Measured | None) -> str:
    return _measured(one["value"], one["lower"], one["upper"]) if one else ""


def _estimated(one: Labelled) -> str:
    found = one["estimated"]
    if found is None:
        return "no check has estimated it"
    if not found["trusted"]:
        return f"not to be trusted: {' '.join(found['doubts'])}"
    error = found["measured_error"]
    off = f"earlier ones were off by {percent(error)}" if error is not None else "not verified yet"
    return f"{_measured(found['accuracy'], found['lower'], found['upper'])}; {off}"


def _reference_in_words(one: LabelReference) -> str:
    first, end = one["first"], one["end"]
    of = f"{day(first)} to {day(end)}" if first and end else "its evaluation"
    return f"{percent(one['accuracy'])} of {one['rows']:,} rows, {of}"


def _windows(_: Bailiwick, page: Page[LabelCheck]) -> RenderableType:
    rows = (
        (
            moment(one["start"]),
            f"{one['hours']} h",
            f"{one['rows']:,}",
            percent(1 - one["wrong"] / one["rows"]),
            "alarm" if one["alarm"] else f"{one['evidence'] / one['threshold']:.1%}",
        )
        for one in page["items"]
    )
    return page_table(page, ("ARRIVED", "LENGTH", "LABELS", "ACCURACY", "EVIDENCE"), rows)


def _reference(_: Bailiwick, one: LabelReference) -> RenderableType:
    return plain(f"Labels are held to {_reference_in_words(one)}.")


@command(app, "show", show=_labelled)
def show_labels(
    client: Bailiwick,
    deployment: DeploymentName,
    by: Annotated[Unit | None, typer.Option(help="Length of a period.")] = None,
) -> Labelled:
    """How right a deployment is by its labels: over time, in figures, by class."""
    return client.labelled.overview(deployment, by=by)


@command(app, "windows", show=_windows)
def list_windows(
    client: Bailiwick, deployment: DeploymentName, limit: Limit = 24, cursor: Cursor = None
) -> Page[LabelCheck]:
    """The steps whose labels were judged, newest first; at 100 % of evidence one alarms."""
    return client.labelled.windows_page(deployment, limit=limit, cursor=cursor)


@command(app, "rebase", show=_reference)
def make_reference(
    client: Bailiwick, deployment: DeploymentName, first: DayFrom, end: DayTo, reason: Reason
) -> LabelReference:
    """Hold labels to the requests of these days from now on; a loss that stands is accepted."""
    return client.labelled.make_reference(deployment, first=utc(first), end=utc(end), reason=reason)
