"""`bailiwick dataset taxonomy`: labels that were renamed, merged or given up."""

from collections.abc import Sequence
from typing import Annotated

import typer
from rich.console import Group, RenderableType

from bailiwick.cli.api_client import command
from bailiwick.cli.output import day, moment, plain, table
from bailiwick.client import Bailiwick
from bailiwick.client.shapes import LikelyRename, Taxonomy
from bailiwick.core.errors import Invalid

app = typer.Typer(no_args_is_help=True, help="Labels that were renamed, merged or given up.")

DatasetName = Annotated[str, typer.Argument(metavar="NAMESPACE/NAME")]
Labels = Annotated[
    list[str] | None,
    typer.Option("--label", metavar="OLD=NEW", help="What it is called now; OLD= gives it up."),
]
Forgotten = Annotated[
    list[str] | None,
    typer.Option("--forget", metavar="OLD", help="This name means itself again."),
]


def _taxonomy(_: Bailiwick, one: Taxonomy) -> RenderableType:
    if not one["renames"]:
        return plain("Labels are called what their rows say.")
    rows = ((old, new or "(given up)") for old, new in sorted(one["renames"].items()))
    told = plain(f"Taxonomy {one['number']}, {moment(one['made_at'])}: {one['reason']}")
    return Group(table(("IN ROWS", "IS CALLED"), rows), told)


def _likely(_: Bailiwick, found: Sequence[LikelyRename]) -> RenderableType:
    rows = (
        (
            one["old"],
            one["new"],
            f"{one['likeness']:.0%}",
            f"{one['old_rows']:,} until {day(one['last_old'])}",
            f"{one['new_rows']:,} since {day(one['first_new'])}",
        )
        for one in found
    )
    return table(("OLD", "NEW", "ALIKE", "OLD ROWS", "NEW ROWS"), rows)


@command(app, "show", show=_taxonomy)
def show(client: Bailiwick, dataset: DatasetName) -> Taxonomy:
    """What old names of a dataset's labels mean."""
    return client.datasets.taxonomy(dataset)


@command(app, "suggest", show=_likely)
def suggest(client: Bailiwick, dataset: DatasetName) -> Sequence[LikelyRename]:
    """Which labels seem to have been renamed: one went as another came, their texts are alike."""
    return client.datasets.likely_renames(dataset)


@command(app, "rename", show=_taxonomy)
def rename(
    client: Bailiwick,
    dataset: DatasetName,
    label: Labels = None,
    forget: Forgotten = None,
    *,
    reason: Annotated[str, typer.Option(help="Why; it is kept.")],
) -> Taxonomy:
    """Say what labels are called now; what was said of other ones stands."""
    names = dict(client.datasets.taxonomy(dataset)["renames"])
    for one in forget or []:
        if names.pop(one, one) == one:
            raise Invalid(f"{one} means itself already; see bailiwick dataset taxonomy show")
    for pair in label or []:
        old, is_pair, new = (part.strip() for part in pair.partition("="))
        if not is_pair:
            raise Invalid(f"--label {pair} has no new name; write it as --label OLD=NEW")
        names[old] = new or None
    return client.datasets.rename_labels(dataset, names, reason=reason)
