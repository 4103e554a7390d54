"""`bailiwick deploy`: environments, deployments, and their answers."""

import csv
from pathlib import Path
from typing import Annotated

import typer
from rich.console import RenderableType

from bailiwick.cli import erasures, intake, records, rollouts
from bailiwick.cli.api_client import Cursor, Limit, command
from bailiwick.cli.output import (
    facts,
    moment,
    page_table,
    percent,
    said,
    table,
    waived,
    words_of,
)
from bailiwick.client import Bailiwick
from bailiwick.client.shapes import Deployment, Environment, Page, Predictions
from bailiwick.core.errors import Invalid

app = typer.Typer(no_args_is_help=True, help="Environments and deployments.")
environments = typer.Typer(no_args_is_help=True, help="Places to run models in.")
app.add_typer(environments, name="environment")
app.add_typer(rollouts.app, name="rollout")
app.registered_commands.extend(intake.app.registered_commands)
app.registered_commands.extend(erasures.app.registered_commands)
app.registered_commands.extend(records.app.registered_commands)

DeploymentName = Annotated[
    str, typer.Argument(metavar="DEPLOYMENT", help="NAMESPACE/NAME, or the id.")
]


def _deployments(_: Bailiwick, page: Page[Deployment]) -> RenderableType:
    rows = (
        (
            f"{one['namespace']}/{one['name']}",
            one["state"],
            one["environment"],
            f"{one['model']}@{one['rollout']['version']} ({one['rollout']['follows']})",
        )
        for one in page["items"]
    )
    return page_table(page, ("DEPLOYMENT", "STATE", "ENVIRONMENT", "MODEL"), rows)


def _deployment(_: Bailiwick, one: Deployment) -> RenderableType:
    return facts(
        {
            "deployment": f"{one['namespace']}/{one['name']}",
            "state": one["state"],
            "answers with": f"{one['model']}@{one['rollout']['version']}",
            "follows": one["rollout"]["follows"],
            "environment": one["environment"],
            "purpose": one["purpose"],
            "keeps text": "yes" if one["keeps_text"] else "no",
            "label": words_of(one["label"]),
            **waived(one["waivers"]),
            "created": moment(one["created_at"]),
            "id": one["id"],
        }
    )


def _predictions(_: Bailiwick, answer: Predictions) -> RenderableType:
    rows = (
        (percent(one["confidence"]), one["record_id"], one["label"])
        for one in answer["predictions"]
    )
    return table(("CONFIDENCE", "RECORD", f"LABEL (version {answer['version']})"), rows)


def _environments(_: Bailiwick, page: Page[Environment]) -> RenderableType:
    rows = (
        (one["name"], one["zone"], "yes" if one["keeps_text"] else "no", _cleared(one))
        for one in page["items"]
    )
    return page_table(page, ("ENVIRONMENT", "ZONE", "KEEPS TEXT", "CLEARED FOR"), rows)


def _environment(_: Bailiwick, one: Environment) -> RenderableType:
    return facts(
        {
            "environment": one["name"],
            "zone": one["zone"],
            "cleared for": _cleared(one),
            "keeps text": "yes" if one["keeps_text"] else "no",
            "created": moment(one["created_at"]),
            "id": one["id"],
        }
    )


@command(app, "create", show=_deployment)
def create(
    client: Bailiwick,
    deployment: Annotated[str, typer.Argument(metavar="NAMESPACE/NAME")],
    model: Annotated[str, typer.Option(metavar="NAMESPACE/NAME", help="Its champion answers.")],
    environment: Annotated[str, typer.Option(help="Where it runs.")],
    purpose: Annotated[str, typer.Option(help="What for; the model's label must allow it.")],
    version: Annotated[
        int | None, typer.Option(min=1, help="Stay on this version instead of the champion.")
    ] = None,
    *,
    keeps_text: Annotated[
        bool, typer.Option("--keeps-text", help="Keep the text of requests in the log.")
    ] = False,
) -> Deployment:
    """Run a model; refused where the environment is not cleared for it."""
    return client.deploy(
        model,
        environment,
        name=deployment,
        purpose=purpose,
        keeps_text=keeps_text,
        pinned_version=version,
    )


@command(app, "list", show=_deployments)
def list_deployments(
    client: Bailiwick, limit: Limit = 50, cursor: Cursor = None
) -> Page[Deployment]:
    """Deployments, newest first."""
    return client.deployments.page(limit=limit, cursor=cursor)


@command(app, "show", show=_deployment)
def show_deployment(client: Bailiwick, deployment: DeploymentName) -> Deployment:
    """A deployment."""
    return client.deployments.get(deployment)


@command(app, "stop", show=said("{namespace}/{name} is stopped."))
def stop(client: Bailiwick, deployment: DeploymentName) -> Deployment:
    """Let a deployment answer no more."""
    return client.deployments.set_state(deployment, "stopped")


@command(app, "start", show=said("{namespace}/{name} is active."))
def start(client: Bailiwick, deployment: DeploymentName) -> Deployment:
    """Let a stopped deployment answer again."""
    return client.deployments.set_state(deployment, "active")


@command(app, "predict", show=_predictions)
def predict(
    client: Bailiwick,
    deployment: DeploymentName,
    row: Annotated[
        list[str] | None,
        typer.Argument(metavar="COLUMN=VALUE...", help="One row: the model's text columns."),
    ] = None,
    file: Annotated[Path | None, typer.Option(help="CSV with the text columns instead.")] = None,
) -> Predictions:
    """Classify one row, or the rows of a CSV file."""
    if (file is None) == (not row):
        raise Invalid("give one row (merchant='CORNER SHOP') or --file FILE.csv")
    return client.predict(deployment, _one(row or []) if file is None else _rows_of(file))


@command(environments, "create", show=_environment)
def create_environment(
    client: Bailiwick,
    name: Annotated[str, typer.Argument()],
    zone: Annotated[str, typer.Option(help="Where it stands.")],
    clearance: Annotated[str, typer.Option(help="The highest level that may run there.")],
    compartment: Annotated[
        list[str] | None, typer.Option(help="Compartments that it is cleared for.")
    ] = None,
    *,
    keeps_text: Annotated[
        bool, typer.Option("--keeps-text", help="Text of requests may be kept there.")
    ] = False,
) -> Environment:
    """Define an environment."""
    return client.environments.create(
        name,
        zone=zone,
        clearance_level=clearance,
        clearance_compartments=compartment or [],
        keeps_text=keeps_text,
    )


@command(environments, "list", show=_environments)
def list_environments(
    client: Bailiwick, limit: Limit = 50, cursor: Cursor = None
) -> Page[Environment]:
    """Environments, newest first."""
    return client.environments.page(limit=limit, cursor=cursor)


@command(environments, "show", show=_environment)
def show_environment(client: Bailiwick, name: Annotated[str, typer.Argument()]) -> Environment:
    """An environment."""
    return client.environments.get(name)


def _one(pairs: list[str]) -> list[dict[str, str]]:
    wrong = [pair for pair in pairs if "=" not in pair]
    if wrong:
        raise Invalid("write each column as COLUMN=VALUE, as in merchant='CORNER SHOP'")
    named = (pair.partition("=") for pair in pairs)
    return [{column: value for column, _, value in named}]


def _rows_of(file: Path) -> list[dict[str, str]]:
    """The rows of a CSV file; the API says which columns it needs."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            rows = list(csv.DictReader(stream, strict=True))
    except OSError as error:
        raise Invalid(f"{file} cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise Invalid(f"{file} is not UTF-8; convert it first") from error
    except csv.Error as error:
        raise Invalid(f"{file} is no CSV file that can be read: {error}") from error
    if not rows:
        raise Invalid(f"{file} has no rows")
    for number, row in enumerate(rows, start=2):
        if None in row or None in row.values():
            raise Invalid(f"row {number} of {file} has not as many fields as the header")
    return rows


def _cleared(one: Environment) -> str:
    return " / ".join([one["clearance_level"], *one["clearance_compartments"]])
