"""`bailiwick labelling`: requests that are worth a label, to a CSV file and back."""

import csv
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import RenderableType

from bailiwick.cli.api_client import Cursor, Limit, command
from bailiwick.cli.moments import span
from bailiwick.cli.output import moment, page_table, percent, plain, said
from bailiwick.cli.traffic import DeploymentName
from bailiwick.client import Bailiwick
from bailiwick.client.shapes import LabellingItem, LabellingRound, Page
from bailiwick.core.errors import Invalid

app = typer.Typer(no_args_is_help=True, help="Requests that are worth a label.")

COLUMNS = ("record_id", "label", "text", "prediction", "confidence", "at", "reason")
SENT_TOGETHER = 500
# A cell that begins so is a formula to a spreadsheet, which is where such files are opened.
_FORMULAS = ("=", "+", "-", "@", "\t", "\r")


class State(StrEnum):
    """Where a request stands."""

    OPEN = "open"
    LABELLED = "labelled"
    SKIPPED = "skipped"


def _round(_: Bailiwick, one: LabellingRound) -> RenderableType:
    return plain(
        f"{one['rows']:,} of {one['candidates']:,} requests: {one['random_rows']:,} at random, the "
        "others where the model is in doubt. bailiwick labelling export writes them to a file."
    )


def _items(_: Bailiwick, page: Page[LabellingItem]) -> RenderableType:
    rows = (
        (
            one["record_id"],
            one["reason"],
            one["prediction"] or "",
            percent(one["confidence"]),
            moment(one["at"]),
            one["text"] or "",
        )
        for one in page["items"]
    )
    return page_table(page, ("RECORD", "WHY", "ANSWERED", "SURE", "AT", "TEXT"), rows)


@command(app, "ask", show=_round)
def ask(
    client: Bailiwick,
    deployment: DeploymentName,
    days: Annotated[str, typer.Option("--of", metavar="START..END", help="Of these days, in UTC.")],
    rows: Annotated[int | None, typer.Option(min=1, help="So many; default: 100.")] = None,
    random_ratio: Annotated[
        float | None, typer.Option(help="Share at random, which says what accuracy is: 0.3.")
    ] = None,
) -> LabellingRound:
    """Choose requests that are worth a label; none is asked about twice."""
    start, end = span(days)
    return client.labelling.ask(deployment, start, end, rows=rows, random_ratio=random_ratio)


@command(app, "list", show=_items)
def list_items(
    client: Bailiwick,
    deployment: DeploymentName,
    state: Annotated[State, typer.Option(help="Only those.")] = State.OPEN,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[LabellingItem]:
    """The queue, those that were asked for last first."""
    return client.labelling.page(deployment, state=state.value, limit=limit, cursor=cursor)


@command(app, "export", show=said("{rows} requests are in {file}; fill in the column label."))
def export(
    client: Bailiwick,
    deployment: DeploymentName,
    file: Annotated[Path, typer.Argument(help="CSV file to write.", dir_okay=False)],
) -> dict[str, Any]:
    """Write the open requests to a CSV file with an empty column `label`."""
    if file.exists():
        raise Invalid(f"{file} is there already, perhaps with labels; name another file")
    rows = 0
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, COLUMNS)
        writer.writeheader()
        for one in client.labelling.list(deployment):
            values = {name: one[name] for name in COLUMNS if name != "label"}  # type: ignore[literal-required]  # its own names
            writer.writerow({name: _harmless(value) for name, value in values.items()})
            rows += 1
    return {"rows": rows, "file": str(file)}


@command(app, "import", show=said("{labels} labels were sent; {empty} rows have none yet."))
def import_labels(
    client: Bailiwick,
    deployment: DeploymentName,
    file: Annotated[Path, typer.Argument(help="The CSV file, labels filled in.")],
) -> dict[str, Any]:
    """Send the labels of a CSV file with columns `record_id` and `label`; again changes nothing."""
    labels, empty = _read(file)
    pending = iter(labels.items())
    while some := dict(islice(pending, SENT_TOGETHER)):
        client.deployments.feedback(deployment, some)
    return {"labels": len(labels), "empty": empty}


@command(app, "skip", show=said("Nobody is asked about {record_id} any more."))
def skip(
    client: Bailiwick,
    deployment: DeploymentName,
    item: Annotated[str, typer.Argument(metavar="RECORD", help="The record's id.")],
) -> LabellingItem:
    """Say that one cannot tell."""
    asked = client.labelling.list(deployment)
    found = next((one for one in asked if one["record_id"] == item), None)
    if found is None:
        raise Invalid(f"nobody is asked about {item}; see bailiwick labelling list {deployment}")
    return client.labelling.skip(deployment, found["id"])


def _harmless(value: Any) -> Any:
    risky = isinstance(value, str) and value.startswith(_FORMULAS)
    return f"'{value}" if risky else value


def _read(file: Path) -> tuple[dict[str, str | None], int]:
    """Labels by record id, and how many rows have none."""
    labels: dict[str, str | None] = {}
    empty = 0
    try:
        with file.open(newline="", encoding="utf-8-sig") as stream:
            rows = csv.DictReader(stream, strict=True)
            if not {"record_id", "label"} <= set(rows.fieldnames or ()):
                raise Invalid(f"{file.name} has no columns record_id and label")
            for row in rows:
                record_id = (row["record_id"] or "").removeprefix("'").strip()
                label = (row["label"] or "").strip()
                if label and record_id:
                    labels[record_id] = label
                else:
                    empty += 1
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise Invalid(f"{file.name} is no CSV file in UTF-8 that can be read") from error
    return labels, empty
