"""`bailiwick dataset`: data."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from bailiwick.cli import marks, quarantines, relabelling, taxonomies
from bailiwick.cli.api_client import Cursor, Limit, command
from bailiwick.cli.labels import Compartments, Level, Purposes, Residency, label_of
from bailiwick.cli.output import day, facts, moment, page_table, said, table, waived, words_of
from bailiwick.client import Bailiwick
from bailiwick.client.shapes import Dataset, DatasetVersion, Page, Registered

app = typer.Typer(no_args_is_help=True, help="Datasets and their versions.")
app.add_typer(taxonomies.app, name="taxonomy")
app.add_typer(quarantines.app, name="quarantine")
app.registered_commands.extend(marks.app.registered_commands)
app.registered_commands.extend(relabelling.app.registered_commands)

DatasetName = Annotated[str, typer.Argument(metavar="NAMESPACE/NAME")]


def _datasets(_: Bailiwick, page: Page[Dataset]) -> RenderableType:
    rows = (
        (f"{one['namespace']}/{one['name']}", day(one["created_at"]), words_of(one["label"]))
        for one in page["items"]
    )
    return page_table(page, ("DATASET", "CREATED", "LABEL"), rows)


def _dataset_or_version(client: Bailiwick, answer: Any) -> RenderableType:
    return _version(client, answer) if "number" in answer else _dataset(client, answer)


def _dataset(client: Bailiwick, dataset: Dataset) -> RenderableType:
    return facts(
        {
            "dataset": f"{dataset['namespace']}/{dataset['name']}",
            "description": dataset["description"],
            "label": words_of(dataset["label"]),
            **waived(dataset["waivers"]),
            "rows kept": f"{days} days" if (days := dataset["retention_days"]) else "without end",
            "created": moment(dataset["created_at"]),
            "owner": client.principals.names([dataset["owner_id"]])[dataset["owner_id"]],
            "id": dataset["id"],
        }
    )


def _version(_: Bailiwick, version: DatasetVersion) -> RenderableType:
    return facts(
        {
            "version": f"{version['dataset']}@{version['number']}",
            "rows": f"{version['rows']:,}",
            "from, to": f"{day(version['first_time'])}, {day(version['last_time'])}",
            "set aside": f"{version['rejected_rows']:,}",
            **{f"  {why}": count for why, count in version["rejected_reasons"].items()},
            "text": ", ".join(version["text_columns"]),
            "predicts": version["label_column"],
            "dated by": version["date_column"],
            "label": words_of(version["label"]),
            **waived(version["waivers"]),
            "digest": version["content_digest"],
            "created": moment(version["created_at"]),
        }
    )


def _versions(_: Bailiwick, page: Page[DatasetVersion]) -> RenderableType:
    rows = (
        (
            version["number"],
            f"{version['rows']:,}",
            f"{version['rejected_rows']:,}",
            day(version["first_time"]),
            day(version["last_time"]),
            version["content_digest"][:12],
        )
        for version in page["items"]
    )
    return page_table(page, ("VERSION", "ROWS", "SET ASIDE", "FROM", "TO", "DIGEST"), rows)


def _registered(client: Bailiwick, version: Registered) -> RenderableType:
    shown = _version(client, version)
    if not version["rejected"]:
        return shown
    first = table(("LINE", "REASON"), ((row["line"], row["reason"]) for row in version["rejected"]))
    return Group(shown, Text("\nThe first rows that were set aside:"), first)


@command(app, "list", show=_datasets)
def list_datasets(client: Bailiwick, limit: Limit = 50, cursor: Cursor = None) -> Page[Dataset]:
    """Datasets, newest first."""
    return client.datasets.page(limit=limit, cursor=cursor)


@command(app, "show", show=_dataset_or_version)
def show_dataset(
    client: Bailiwick,
    dataset: Annotated[str, typer.Argument(metavar="NAMESPACE/NAME[@VERSION]")],
) -> Dataset | DatasetVersion:
    """A dataset, or one version of it."""
    return client.datasets.version(dataset) if "@" in dataset else client.datasets.get(dataset)


@command(app, "create", show=said("Created {namespace}/{name}."))
def create_dataset(
    client: Bailiwick,
    dataset: DatasetName,
    residency: Residency,
    purpose: Purposes,
    level: Level = "confidential",
    compartment: Compartments = None,
    description: Annotated[str, typer.Option(help="What it holds.")] = "",
) -> Dataset:
    """Create an empty dataset; its label follows the data into all that learns from it."""
    label = label_of(level, compartment, residency, purpose)
    return client.datasets.create(dataset, label=label, description=description)


@command(app, "update", show=_dataset_or_version)
def update_dataset(
    client: Bailiwick,
    dataset: DatasetName,
    description: Annotated[str | None, typer.Option(help="What it holds.")] = None,
    retention_days: Annotated[
        int | None, typer.Option(min=0, help="Days for which rows may be read; 0: without end.")
    ] = None,
) -> Dataset:
    """Change a dataset's description, or for how long its rows may be read."""
    changes: dict[str, Any] = {} if description is None else {"description": description}
    if retention_days is not None:
        changes["retention_days"] = retention_days or None
    return client.datasets.update(dataset, **changes)


@command(app, "register", show=_registered)
def register(
    client: Bailiwick,
    dataset: DatasetName,
    file: Annotated[Path, typer.Argument(help="CSV (also gzipped) or Parquet.")],
    text: Annotated[str, typer.Option(help="Text columns, comma-separated.")],
    label: Annotated[str, typer.Option(help="The column to predict.")],
    date: Annotated[str, typer.Option(help="The column that dates a row.")],
) -> Registered:
    """Register a file's rows as the next version; the same rows again give the same version."""
    columns = [part.strip() for part in text.split(",")]
    return client.datasets.register(dataset, file, text=columns, label=label, date=date)


@command(app, "versions", show=_versions)
def list_versions(
    client: Bailiwick, dataset: DatasetName, limit: Limit = 50, cursor: Cursor = None
) -> Page[DatasetVersion]:
    """A dataset's versions, newest first."""
    return client.datasets.versions_page(dataset, limit=limit, cursor=cursor)
