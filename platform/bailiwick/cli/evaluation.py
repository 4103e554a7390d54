"""`bailiwick model evaluation-settings`: what a model's versions are judged by."""

from typing import Annotated, Any

import typer
from rich.console import RenderableType

from bailiwick.cli.api_client import command
from bailiwick.cli.output import facts, moment
from bailiwick.client import Bailiwick
from bailiwick.client.shapes import EvaluationSettings

app = typer.Typer()


def _settings(client: Bailiwick, one: EvaluationSettings) -> RenderableType:
    hidden = "named, but not yours to read" if one["golden_version_id"] else "none"
    setter = one["set_by"]
    return facts(
        {
            "golden set": one["golden_set"] or hidden,
            "segments": ", ".join(one["segments"]) or "none",
            "key": one["key_column"] or "none",
            "set by": client.principals.names([setter])[setter] if setter else "nobody",
            "set at": moment(one["set_at"]) if one["set_at"] else "never",
        }
    )


@command(app, "evaluation-settings", show=_settings)
def evaluation_settings(
    client: Bailiwick,
    model: Annotated[str, typer.Argument(metavar="NAMESPACE/NAME")],
    golden_set: Annotated[
        str | None, typer.Option(metavar="NAMESPACE/NAME@VERSION", help="Rows never to lose on.")
    ] = None,
    segment: Annotated[
        list[str] | None, typer.Option(help="Declare these columns as segments, and no others.")
    ] = None,
    key: Annotated[
        str | None, typer.Option(help="A column whose values must not be learned and judged on.")
    ] = None,
    *,
    none: Annotated[bool, typer.Option("--none", help="Take back all that is not given.")] = False,
) -> EvaluationSettings:
    """What a model's versions are judged by; with options, change it."""
    given = {"golden_set": golden_set, "segments": segment, "key_column": key}
    changes: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if none:
        changes = {"golden_set": None, "segments": [], "key_column": None} | changes
    if not changes:
        return client.models.evaluation_settings(model)
    return client.models.set_evaluation_settings(model, **changes)
