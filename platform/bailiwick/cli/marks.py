"""`bailiwick dataset scan|marks|mark`: what a dataset's columns hold."""

from collections.abc import Iterable
from typing import Annotated, Literal

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from bailiwick.cli.api_client import command
from bailiwick.cli.output import table
from bailiwick.client import Bailiwick, MisusedClient
from bailiwick.client.shapes import ColumnMark, Scan

app = typer.Typer()

DatasetName = Annotated[str, typer.Argument(metavar="NAMESPACE/NAME")]
State = Literal["proposed", "accepted", "rejected"]
Mark = Literal["personal-data", "free-text", "identifier"]


def _marks(_: Bailiwick, marks: Iterable[ColumnMark]) -> RenderableType:
    rows = [
        (one["column"], one["mark"], one["entity"] or "-", _share(one), one["state"])
        for one in marks
    ]
    if not rows:
        return Text("No marks that you may see. Propose some: bailiwick dataset scan --help")
    return table(("COLUMN", "MARK", "FOUND", "IN", "STATE"), rows)


def _share(mark: ColumnMark) -> str:
    return "-" if mark["sampled"] is None else f"{mark['matched']:,} of {mark['sampled']:,}"


def _scan(client: Bailiwick, found: Scan) -> RenderableType:
    looked = f"Looked at {found['sampled_rows']:,} of {found['rows']:,} rows"
    if not found["proposals"]:
        return Text(f"{looked}: nothing to propose. Names and places cannot be found.")
    shown = _marks(client, found["proposals"])
    return Group(Text(f"{looked}. To be decided by a steward:"), shown)


def _decided(_: Bailiwick, marks: list[ColumnMark]) -> RenderableType:
    return table(
        ("COLUMN", "MARK", "FOUND", "STATE"),
        ((one["column"], one["mark"], one["entity"] or "-", one["state"]) for one in marks),
    )


@command(app, "scan", show=_scan)
def scan(
    client: Bailiwick,
    version: Annotated[str, typer.Argument(metavar="NAMESPACE/NAME@VERSION")],
    rows: Annotated[int | None, typer.Option(min=1, help="Rows to look at.")] = None,
    *,
    presidio: Annotated[
        bool, typer.Option("--presidio", help="Ask Presidio, too, if it is installed there.")
    ] = False,
) -> Scan:
    """Look for personal data in a sample of a version's rows, and propose marks."""
    return client.datasets.scan(version, rows=rows, presidio=presidio or None)


@command(app, "marks", show=_marks)
def list_marks(
    client: Bailiwick,
    dataset: DatasetName,
    state: Annotated[State | None, typer.Option(help="Only those.")] = None,
) -> list[ColumnMark]:
    """The marks on a dataset's columns."""
    return list(client.datasets.marks(dataset, state=state))


@command(app, "mark", show=_decided)
def mark(
    client: Bailiwick,
    dataset: DatasetName,
    column: Annotated[str, typer.Argument(help="The column.")],
    kind: Annotated[Mark, typer.Argument(metavar="MARK", help="What it holds.")],
    *,
    entity: Annotated[
        str | None, typer.Option(help="Decide only the proposal for this entity.")
    ] = None,
    accept: Annotated[
        bool | None, typer.Option("--accept/--reject", help="Decide what stands there.")
    ] = None,
) -> list[ColumnMark]:
    """Mark a column, or accept or reject the marks that it has."""
    if accept is None:
        if entity is not None:
            raise MisusedClient("--entity goes with --accept or --reject")
        return [client.datasets.mark(dataset, column, kind)]
    standing = [
        one
        for one in client.datasets.marks(dataset)
        if (one["column"], one["mark"]) == (column, kind) and entity in (None, one["entity"])
    ]
    if not standing:
        raise MisusedClient(f"{dataset} has no such mark; see bailiwick dataset marks {dataset}")
    return [client.datasets.decide_mark(dataset, one["id"], accept=accept) for one in standing]
