"""`bailiwick deploy import-inferences`, `rejected`, `intake`: what comes in."""

import csv
import io
import json
from collections.abc import Iterator
from itertools import islice
from math import isfinite
from pathlib import Path
from typing import IO, Annotated, Any

import pyarrow as pa
import pyarrow.parquet as pq
import typer
from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from bailiwick.cli.api_client import Cursor, Limit, command
from bailiwick.cli.output import facts, moment, page_table, short
from bailiwick.client import Bailiwick, ClientError
from bailiwick.client.deployments import NDJSON
from bailiwick.client.shapes import Intake, Page, RejectedRecord, Taken
from bailiwick.core.errors import Invalid

app = typer.Typer()
ARROW = "application/vnd.apache.arrow.stream"
WHOLE = ("characters", "words", "tokens")
FRACTIONS = (
    "confidence",
    "unseen_words_ratio",
    "latency_ms",
    "mean_log_probability",
    "tokens_per_word",
    "non_letter_ratio",
    "entropy",
    "repetition_ratio",
)
TRUTHS = {"true": True, "false": False}
SEGMENT, FEATURE = "segment.", "feature."

DeploymentName = Annotated[
    str, typer.Argument(metavar="DEPLOYMENT", help="NAMESPACE/NAME, or the id.")
]
# Rows, their media type, how many they are, and how far into the file they reach (0 to 1).
Piece = tuple[bytes, str, int, float]


def _imported(_: Bailiwick, told: Taken) -> RenderableType:
    shown = {"new": told["new"], "known": told["known"], "rejected": told["rejected_total"]}
    first = told["rejected"][:5]
    return facts(shown | {f"row {one['place'] + 1}": one["detail"] for one in first})


def _rejected(_: Bailiwick, page: Page[RejectedRecord]) -> RenderableType:
    rows = (
        (
            short(one["id"]),
            moment(one["received_at"]),
            one["place"],
            one["code"],
            one["raw"] or f"sha256 {one['digest'][:12]}",
        )
        for one in page["items"]
    )
    return page_table(page, ("ID", "RECEIVED", "PLACE", "CODE", "RECORD"), rows)


def _intake(_: Bailiwick, one: Intake) -> RenderableType:
    return facts(
        {
            "segments": ", ".join(one["segments"]) or "none",
            "features": ", ".join(one["features"]) or "none",
            "at most ahead": f"{one['max_ahead_seconds']:,} seconds",
            "at most old": f"{one['max_age_days']:,} days",
            "rejected are kept": f"{one['rejected_days']:,} days",
            "phrases of refusals": f"{len(one['refusals'])}",
        }
    )


@command(app, "import-inferences", show=_imported)
def import_inferences(
    client: Bailiwick,
    deployment: DeploymentName,
    file: Annotated[Path, typer.Argument(help="CSV, Parquet or NDJSON, by its ending.")],
    version: Annotated[
        str | None, typer.Option(help="Id of the version that answered; default: the served one.")
    ] = None,
    from_row: Annotated[int, typer.Option(min=1, help="Go on at this row, from 1.")] = 1,
    batch_rows: Annotated[int, typer.Option(min=1, max=10_000, help="Rows a request.")] = 5_000,
) -> Taken:
    """Log the records of a file; its columns are named like a record's fields.

    Segments are columns `segment.NAME`, features `feature.NAME`. To import a file twice changes
    nothing: record ids count once. If it breaks off, import it again, or go on at the row that
    is named.
    """
    told: Taken = {"new": 0, "known": 0, "rejected": [], "rejected_total": 0}
    done = from_row - 1
    columns = (BarColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=1.0)
        try:
            for content, kind, rows, reached in _pieces(file, done, batch_rows):
                answer = client.deployments.log_batch(deployment, content, kind, version_id=version)
                for fault in answer["rejected"][: 100 - len(told["rejected"])]:
                    told["rejected"].append({**fault, "place": fault["place"] + done})
                told["new"] += answer["new"]
                told["known"] += answer["known"]
                told["rejected_total"] += answer["rejected_total"]
                done += rows
                progress.update(task, completed=reached, description=f"{done:,} rows")
        except (ClientError, KeyboardInterrupt):
            Console(stderr=True).print(
                f"{done:,} rows are acknowledged; go on with --from-row {done + 1}"
            )
            raise
    return told


@command(app, "rejected", show=_rejected)
def list_rejected(
    client: Bailiwick, deployment: DeploymentName, limit: Limit = 50, cursor: Cursor = None
) -> Page[RejectedRecord]:
    """Records that could not be used, newest first."""
    return client.deployments.rejected_records(deployment, limit=limit, cursor=cursor)


@command(app, "intake", show=_intake)
def intake(
    client: Bailiwick,
    deployment: DeploymentName,
    segment: Annotated[
        list[str] | None, typer.Option(help="Declare these segments, and no others.")
    ] = None,
    feature: Annotated[
        list[str] | None, typer.Option(help="Declare these features, and no others.")
    ] = None,
    max_ahead_seconds: Annotated[int | None, typer.Option(help="Ahead of the server.")] = None,
    max_age_days: Annotated[int | None, typer.Option(help="How old a record may be.")] = None,
    rejected_days: Annotated[int | None, typer.Option(help="How long rejects are kept.")] = None,
    refusal: Annotated[
        list[str] | None,
        typer.Option(help="Tell answers in spans that refuse by these phrases, and no others."),
    ] = None,
) -> Intake:
    """What a deployment accepts; with options, change it."""
    given = {
        "segments": segment,
        "features": feature,
        "max_ahead_seconds": max_ahead_seconds,
        "max_age_days": max_age_days,
        "rejected_days": rejected_days,
        "refusals": refusal,
    }
    changes = {name: value for name, value in given.items() if value is not None}
    if not changes:
        return client.deployments.intake(deployment)
    return client.deployments.set_intake(deployment, **changes)


def _pieces(file: Path, skip: int, rows: int) -> Iterator[Piece]:
    kinds = {".csv": _of_csv, ".parquet": _of_parquet, ".ndjson": _of_lines, ".jsonl": _of_lines}
    read = kinds.get(file.suffix.lower())
    if read is None:
        raise Invalid(f"{file.name} must end in {', '.join(kinds)}")
    try:
        yield from read(file, skip, rows)
    except OSError as error:
        raise Invalid(f"{file} cannot be read ({error.strerror or 'no such format'})") from error
    except UnicodeDecodeError as error:
        raise Invalid(f"{file} is not UTF-8; convert it first") from error
    except (csv.Error, pa.ArrowException) as error:
        raise Invalid(f"{file} is not what its ending says ({type(error).__name__})") from error


def _of_parquet(file: Path, skip: int, rows: int) -> Iterator[Piece]:
    with pq.ParquetFile(file) as source:
        total = source.metadata.num_rows
        read = 0
        for batch in source.iter_batches(batch_size=rows):
            start, read = read, read + len(batch)
            part = batch.slice(max(0, skip - start))
            if not len(part):
                continue
            sink = io.BytesIO()
            with pa.ipc.new_stream(sink, part.schema) as writer:
                writer.write_batch(part)
            yield sink.getvalue(), ARROW, len(part), read / total


def _of_lines(file: Path, skip: int, rows: int) -> Iterator[Piece]:
    with file.open("rb") as source:
        lines = (line for line in source if line.strip())
        yield from _grouped(islice(lines, skip, None), rows, source, file)


def _of_csv(file: Path, skip: int, rows: int) -> Iterator[Piece]:
    with file.open("rb") as source:
        text = io.TextIOWrapper(source, encoding="utf-8-sig", newline="")
        records = csv.DictReader(text, strict=True)
        lines = (json.dumps(_typed(row)).encode() + b"\n" for row in islice(records, skip, None))
        yield from _grouped(lines, rows, source, file)


def _grouped(lines: Iterator[bytes], rows: int, source: IO[bytes], file: Path) -> Iterator[Piece]:
    size = max(1, file.stat().st_size)
    while group := list(islice(lines, rows)):
        whole = b"".join(line if line.endswith(b"\n") else line + b"\n" for line in group)
        yield whole, NDJSON, len(group), source.tell() / size


def _typed(row: dict[str | Any, Any]) -> dict[str, Any]:
    """A CSV row as a record. What is no number stays as it is, for the API to turn away."""
    record: dict[str, Any] = {}
    segments: dict[str, str] = {}
    features: dict[str, float | str] = {}
    for name, value in row.items():
        if name is None or value is None:
            record["fields"] = "not as many as the header has"
        elif value == "":
            continue
        elif name.startswith(SEGMENT):
            segments[name.removeprefix(SEGMENT)] = value
        elif name.startswith(FEATURE):
            features[name.removeprefix(FEATURE)] = _measured(value)
        else:
            record[name] = _number(name, value)
    given = {"segments": segments, "features": features}
    return record | {name: one for name, one in given.items() if one}


def _measured(value: str) -> float | str:
    """A feature of a CSV file: a number where it reads as one."""
    try:
        number = float(value)
    except ValueError:
        return value
    return number if isfinite(number) else value


def _number(name: str, value: str) -> Any:
    if name == "refusal":
        return TRUTHS.get(value.lower(), value)
    kind = int if name in WHOLE else float if name in FRACTIONS else str
    try:
        return kind(value)
    except ValueError:
        return value
