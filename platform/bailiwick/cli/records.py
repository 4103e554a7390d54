"""`bailiwick deploy records`: what is kept of a deployment's records, and for how long."""

from typing import Annotated

import typer
from rich.console import RenderableType

from bailiwick.cli.api_client import command
from bailiwick.cli.output import facts, moment
from bailiwick.client import Bailiwick
from bailiwick.client.shapes import Records

app = typer.Typer()


def _records(_: Bailiwick, one: Records) -> RenderableType:
    return facts(
        {
            "kept since": moment(one["since"]) if one["since"] else "no records",
            "in the database": f"{one['hot_records']:,} records, {_days(one['hot_days'])}",
            "in segments": f"{one['archived_records']:,} records, {_days(one['retention_days'])}",
            "segments": f"{one['segments']:,} ({one['segment_bytes']:,} bytes)",
            "dropped": f"{one['dropped_segments']:,} segments",
            "hourly summaries": _days(one["summary_days"]),
        }
    )


def _days(days: int | None) -> str:
    return "for ever" if days is None else f"until {days:,} days old"


@command(app, "records", show=_records)
def records(
    client: Bailiwick,
    deployment: Annotated[
        str, typer.Argument(metavar="DEPLOYMENT", help="NAMESPACE/NAME, or the id.")
    ],
    hot_days: Annotated[
        int | None, typer.Option(min=0, help="Days in the database; 0 for ever.")
    ] = None,
    retention_days: Annotated[
        int | None, typer.Option(min=0, help="Days until they are dropped; 0 for never.")
    ] = None,
    summary_days: Annotated[
        int | None, typer.Option(min=0, help="Days of hourly summaries; 0 for ever.")
    ] = None,
) -> Records:
    """What is kept since when, and where; with options, change for how long."""
    given = {
        "hot_days": hot_days,
        "retention_days": retention_days,
        "summary_days": summary_days,
    }
    changes = {name: days or None for name, days in given.items() if days is not None}
    if not changes:
        return client.deployments.records(deployment)
    return client.deployments.set_keeping(deployment, **changes)
