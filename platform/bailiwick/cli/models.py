"""`bailiwick model`: the registry."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType

from bailiwick.cli import evaluation
from bailiwick.cli.api_client import Cursor, Limit, command
from bailiwick.cli.labels import Compartments, Level, Purposes, Residency, label_of
from bailiwick.cli.output import (
    facts,
    moment,
    page_table,
    percent,
    plain,
    said,
    short,
    table,
    waived,
    words_of,
)
from bailiwick.client import Bailiwick
from bailiwick.client.shapes import Alias, Model, Move, Page, Rejection, Version

app = typer.Typer(no_args_is_help=True, help="Models, versions, promotion and rollback.")
app.registered_commands.extend(evaluation.app.registered_commands)

ModelName = Annotated[str, typer.Argument(metavar="NAMESPACE/NAME")]
VersionName = Annotated[str, typer.Argument(metavar="NAMESPACE/NAME@VERSION")]
Reason = Annotated[str, typer.Option(help="Why; it is kept in the history.")]


def _models(_: Bailiwick, page: Page[Model]) -> RenderableType:
    rows = (
        (f"{model['namespace']}/{model['name']}", _aliases(model), words_of(model["label"]))
        for model in page["items"]
    )
    return page_table(page, ("MODEL", "ALIASES", "LABEL"), rows)


def _model_or_version(client: Bailiwick, answer: Any) -> RenderableType:
    return _version(client, answer) if "number" in answer else _model(answer)


def _model(model: Model) -> RenderableType:
    return facts(
        {
            "model": f"{model['namespace']}/{model['name']}",
            "description": model["description"],
            "label": words_of(model["label"]),
            "aliases": _aliases(model),
            "created": moment(model["created_at"]),
            "id": model["id"],
        }
    )


def _promoted(_: Bailiwick, one: Alias) -> RenderableType:
    if not one["rollouts"]:
        return plain(f"Version {one['version']} is {one['alias']}.")
    return plain(
        f"Version {one['version']} stays champion while the other one is rolled out to "
        f"{len(one['rollouts'])} deployment(s); see `bailiwick deploy rollout show`."
    )


def _version(_: Bailiwick, version: Version) -> RenderableType:
    judged = version["evaluation"]
    shown = facts(
        {
            "version": f"{version['model']}@{version['number']}",
            "gates": _gates(version),
            "accuracy": percent(version["metrics"].get("accuracy")),
            "parameters": f"{version['parameters']:,}",
            "reads": ", ".join(version["text_columns"]),
            "answers": f"{len(version['labels'])} labels",
            "label": words_of(version["label"]),
            **waived(version["waivers"]),
            "recipe": version["recipe"]["kind"],
            "run": version["run_id"],
            "manifest": version["manifest_digest"],
            "created": moment(version["created_at"]),
        }
    )
    files = table(
        ("FILE", "BYTES", "SHA256"),
        (
            (file["path"], f"{file['size_bytes']:,}", file["sha256"][:16])
            for file in version["manifest"]
        ),
    )
    rejections = judged["rejections"] if judged else []
    reasons = [plain(_rejection(rejection)) for rejection in rejections]
    return Group(shown, *reasons, *_standings(version), "", files)


def _standings(version: Version) -> list[RenderableType]:
    """How each further gate stands; nothing for evaluations of before there were any."""
    judged = version["evaluation"]
    if judged is None or not judged["standings"]:
        return []
    rows = ((one["gate"], one["standing"], one["figures"]) for one in judged["standings"])
    return ["", table(("GATE", "STANDING", "MEASURED"), rows)]


def _rejection(one: Rejection) -> str:
    excused = f" (excused by waiver {short(one['waiver_id'])})" if one["waiver_id"] else ""
    return f"- {one['gate']}: {one['reason']}{excused}"


def _versions(_: Bailiwick, page: Page[Version]) -> RenderableType:
    rows = (
        (
            version["number"],
            moment(version["created_at"]),
            percent(version["metrics"].get("accuracy")),
            f"{version['parameters']:,}",
            _gates(version),
        )
        for version in page["items"]
    )
    return page_table(page, ("VERSION", "CREATED", "ACCURACY", "PARAMETERS", "GATES"), rows)


def _moves(_: Bailiwick, page: Page[Move]) -> RenderableType:
    rows = (
        (
            moment(move["at"]),
            move["alias"],
            f"{short(move['old_version_id'])} > {short(move['new_version_id'])}",
            short(move["actor_id"]),
            move["reason"],
        )
        for move in page["items"]
    )
    return page_table(page, ("TIME", "ALIAS", "VERSION ID", "BY", "REASON"), rows)


def _files(_: Bailiwick, answer: dict[str, Any]) -> RenderableType:
    return plain(f"{len(answer['files'])} files, each verified, in {answer['folder']}")


@command(app, "list", show=_models)
def list_models(
    client: Bailiwick,
    namespace: Annotated[str | None, typer.Option(help="Only this namespace.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[Model]:
    """Models, newest first."""
    return client.models.page(namespace=namespace, limit=limit, cursor=cursor)


@command(app, "show", show=_model_or_version)
def show_model(
    client: Bailiwick,
    model: Annotated[str, typer.Argument(metavar="NAMESPACE/NAME[@VERSION|@ALIAS]")],
) -> Model | Version:
    """A model, or one version of it with its files and what the gates said."""
    return client.models.version(model) if "@" in model else client.models.get(model)


@command(app, "create", show=said("Registered {namespace}/{name}."))
def create_model(
    client: Bailiwick,
    model: ModelName,
    residency: Residency,
    purpose: Purposes,
    level: Level = "confidential",
    compartment: Compartments = None,
    description: Annotated[str, typer.Option(help="What it is for.")] = "",
) -> Model:
    """Register a model. Its label says what it may hold: training on more is refused."""
    label = label_of(level, compartment, residency, purpose)
    return client.models.create(model, label=label, description=description)


@command(app, "versions", show=_versions)
def list_versions(
    client: Bailiwick, model: ModelName, limit: Limit = 50, cursor: Cursor = None
) -> Page[Version]:
    """A model's versions, newest first."""
    return client.models.versions_page(model, limit=limit, cursor=cursor)


@command(app, "promote", show=_promoted)
def promote(client: Bailiwick, version: VersionName, reason: Reason) -> Alias:
    """Make a version champion: its gates, approvals and the policy decide."""
    return client.models.promote(version, reason=reason)


@command(app, "rollback", show=said("Version {version} is {alias} again."))
def roll_back(client: Bailiwick, model: ModelName, reason: Reason) -> Alias:
    """Make the previous champion champion again."""
    return client.models.rollback(model, reason=reason)


@command(app, "history", show=_moves)
def history(
    client: Bailiwick, model: ModelName, limit: Limit = 50, cursor: Cursor = None
) -> Page[Move]:
    """Which version every alias pointed at, when, why, and who moved it."""
    return client.models.history_page(model, limit=limit, cursor=cursor)


@command(app, "download", show=_files)
def download(
    client: Bailiwick,
    version: Annotated[str, typer.Argument(metavar="NAMESPACE/NAME@VERSION|@ALIAS")],
    to: Annotated[Path, typer.Option(help="Folder to write to.")],
) -> dict[str, Any]:
    """Fetch a version's files, each verified against the manifest."""
    files = client.models.download(version, to)
    return {"folder": str(to), "files": [str(file) for file in files]}


def _aliases(model: Model) -> str:
    return ", ".join(f"{alias}={number}" for alias, number in sorted(model["aliases"].items()))


def _gates(version: Version) -> str:
    judged = version["evaluation"]
    return "not judged" if judged is None else "passed" if judged["passed"] else "not passed"
