"""`/models`: the registry."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response
from fastapi.responses import FileResponse
from sqlalchemy import select

from bailiwick.api.acting_waivers import ActingWaiverOut, waivers_shown
from bailiwick.api.schemas import Body, LabelIn, LabelOut, Schema, Slug, Text, labels_by_id
from bailiwick.core.errors import NotFound
from bailiwick.lifecycle.tables import Evaluation
from bailiwick.policy import Resource
from bailiwick.registry import (
    WAIVABLE_VERSIONS,
    Alias,
    ModelVersion,
    RegisteredModel,
    create_model,
    describe_model,
    find_model,
    find_version,
    model_resource,
    version_resource,
    version_subject,
)
from bailiwick.web import (
    Cursor,
    Governed,
    GovernedRoute,
    Limit,
    Page,
    Precondition,
    acts,
    page_of,
    tag,
)

router = APIRouter(prefix="/models", tags=["registry"], route_class=GovernedRoute)


class ModelIn(Body):
    """A new model. Its label says what it may hold: training on data above it is refused."""

    namespace: Slug
    name: Slug
    description: Text = ""
    label: LabelIn


class ModelPatch(Body):
    """What may change about a model."""

    description: Text


class ModelOut(Schema):
    """A registered model."""

    id: UUID
    namespace: str
    name: str
    description: str
    label: LabelOut
    aliases: dict[str, int]
    created_at: datetime


class ModelPage(Page):
    """Models, newest first."""

    items: list[ModelOut]


class FileOut(Schema):
    """One file of a version's manifest."""

    path: str
    sha256: str
    size_bytes: int


class RejectionOut(Schema):
    """A gate that was not passed, why, and the waiver that excuses it now."""

    gate: str
    reason: str
    waiver_id: UUID | None = None


class StandingOut(Schema):
    """A further gate: `passed`, `rejected`, `unknown` (which rejects, too) or `not required`."""

    gate: str
    asks: str
    standing: str
    figures: str


class EvaluationOut(Schema):
    """What the gates saw and said. `reasons` are those of the rejections.

    `standings` are of the gates that measure more than accuracy; older evaluations have none.
    """

    passed: bool
    reasons: list[str]
    rejections: list[RejectionOut]
    risk_tier: str
    champion_version_id: UUID | None
    evidence: dict[str, Any]
    standings: list[StandingOut]
    created_at: datetime


class VersionOut(Schema):
    """An immutable model version."""

    id: UUID
    model: str
    number: int
    run_id: UUID
    base_version_id: UUID | None
    manifest: list[FileOut]
    manifest_digest: str
    recipe: dict[str, Any]
    seed: int
    metrics: dict[str, Any]
    parameters: int
    text_columns: list[str]
    labels: list[str]
    label: LabelOut
    trained_by: UUID
    created_at: datetime
    evaluation: EvaluationOut | None
    waivers: list[ActingWaiverOut]


class VersionPage(Page):
    """Versions, newest first."""

    items: list[VersionOut]


@router.get("", **acts("model:list"))
def list_models(
    caller: Governed,
    namespace: Annotated[str | None, Query(description="Only this namespace.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> ModelPage:
    """The models that the caller may see, newest first."""
    query = select(RegisteredModel).where(
        caller.visible(
            "Model",
            RegisteredModel.namespace,
            RegisteredModel.label_id,
            action="model:read",
            objects=("models", RegisteredModel.name),
        )
    )
    if namespace is not None:
        query = query.where(RegisteredModel.namespace == namespace)
    models, following = page_of(
        caller.session, query, RegisteredModel.id, limit=limit, cursor=cursor
    )
    return ModelPage(items=_shown(caller, models), next_cursor=following)


@router.post("", status_code=201, **acts("model:create"))
def create(body: ModelIn, caller: Governed, response: Response) -> ModelOut:
    """Register a model."""
    label = caller.rules.scheme.parse(body.label.model_dump())
    caller.require(Resource("Model", f"{body.namespace}/{body.name}", body.namespace, label))
    model = create_model(
        caller.session,
        body.namespace,
        body.name,
        label=label,
        description=body.description,
        actor_id=caller.principal_id,
        at=caller.at,
    )
    tag(response, model)
    return _shown(caller, [model])[0]


@router.get("/{ns}/{name}", **acts("model:read"))
def read(ns: str, name: str, caller: Governed, response: Response) -> ModelOut:
    """One model."""
    model = governed_model(caller, ns, name)
    tag(response, model)
    return _shown(caller, [model])[0]


@router.patch("/{ns}/{name}", **acts("model:update"))
def update(
    ns: str, name: str, body: ModelPatch, caller: Governed, response: Response, seen: Precondition
) -> ModelOut:
    """Change a model's description."""
    model = governed_model(caller, ns, name)
    seen.check(model)
    describe_model(
        caller.session, model, body.description, actor_id=caller.principal_id, at=caller.at
    )
    tag(response, model)
    return _shown(caller, [model])[0]


@router.get("/{ns}/{name}/versions", **acts("version:read"))
def list_versions(
    ns: str, name: str, caller: Governed, limit: Limit = 50, cursor: Cursor = None
) -> VersionPage:
    """A model's versions that the caller may see, newest first."""
    model = governed_model(caller, ns, name)
    query = (
        select(ModelVersion)
        .join(RegisteredModel, RegisteredModel.id == ModelVersion.model_id)
        .where(
            ModelVersion.model_id == model.id,
            caller.visible(
                "ModelVersion",
                RegisteredModel.namespace,
                ModelVersion.label_id,
                action="version:read",
                objects=("models", RegisteredModel.name),
                waivable=WAIVABLE_VERSIONS,
            ),
        )
    )
    versions, following = page_of(
        caller.session, query, ModelVersion.id, limit=limit, cursor=cursor
    )
    return VersionPage(items=_versions_shown(caller, versions), next_cursor=following)


@router.get("/{ns}/{name}/versions/{number}", **acts("version:read"))
def read_version(
    ns: str, name: str, number: int, caller: Governed, response: Response
) -> VersionOut:
    """One version with its manifest and what the gates said."""
    version = governed_version(caller, ns, name, number)
    response.headers["ETag"] = f'"{version.manifest_digest}"'
    return _versions_shown(caller, [version])[0]


@router.get(
    "/{ns}/{name}/versions/{number}/files/{path:path}",
    response_class=FileResponse,
    **acts("version:read-artifact"),
)
def read_file(ns: str, name: str, number: int, path: str, caller: Governed) -> FileResponse:
    """One file of a version, its bytes verified against the manifest."""
    version = governed_version(caller, ns, name, number)
    file = next((file for file in version.manifest if file["path"] == path), None)
    if file is None:
        raise NotFound(f"this version has no file {path!r}; its manifest lists what there is")
    return FileResponse(
        caller.platform.blobs.verified_path(file["sha256"]),
        media_type="application/octet-stream",
        headers={"ETag": f'"{file["sha256"]}"'},
    )


def governed_model(
    caller: Governed, ns: str, name: str, *, action: str | None = None
) -> RegisteredModel:
    """The model, after the policy has let the caller act on it."""
    model = find_model(caller.session, ns, name)
    caller.require(model_resource(caller.session, model), action=_model_action(caller, action))
    return model


def _model_action(caller: Governed, action: str | None) -> str:
    """Routes about versions act on the versions; of the model they only need to know."""
    chosen = action or caller.action
    return chosen if chosen.startswith("model:") else "model:read"


def governed_version(
    caller: Governed, ns: str, name: str, number: int, *, action: str | None = None
) -> ModelVersion:
    """The version, after the policy has let the caller act on it."""
    version = find_version(caller.session, find_model(caller.session, ns, name), number)
    caller.require(version_resource(caller.session, version), action=action)
    return version


def _shown(caller: Governed, models: list[RegisteredModel]) -> list[ModelOut]:
    """Models with labels and aliases, in two queries however many they are."""
    labels = labels_by_id(caller.session, [model.label_id for model in models])
    pointers = caller.session.execute(
        select(Alias.model_id, Alias.alias, ModelVersion.number)
        .join(ModelVersion, ModelVersion.id == Alias.version_id)
        .where(Alias.model_id.in_([model.id for model in models]))
    ).all()
    return [
        ModelOut(
            id=model.id,
            namespace=model.namespace,
            name=model.name,
            description=model.description,
            label=labels[model.label_id],
            aliases={alias: number for owner, alias, number in pointers if owner == model.id},
            created_at=model.created_at,
        )
        for model in models
    ]


def _versions_shown(caller: Governed, versions: list[ModelVersion]) -> list[VersionOut]:
    labels = labels_by_id(caller.session, [version.label_id for version in versions])
    evaluations = {
        evaluation.version_id: evaluation
        for evaluation in caller.session.scalars(
            select(Evaluation).where(Evaluation.version_id.in_([v.id for v in versions]))
        )
    }
    waivers = waivers_shown(caller, map(version_subject, versions))
    return [
        VersionOut(
            id=version.id,
            model=f"{version.model.namespace}/{version.model.name}",
            number=version.number,
            run_id=version.run_id,
            base_version_id=version.base_version_id,
            manifest=[FileOut.model_validate(file) for file in version.manifest],
            manifest_digest=version.manifest_digest,
            recipe=version.recipe,
            seed=version.seed,
            metrics=version.metrics,
            parameters=version.parameters,
            text_columns=version.text_columns,
            labels=version.labels,
            label=labels[version.label_id],
            trained_by=version.trained_by,
            created_at=version.created_at,
            evaluation=_judged(evaluations.get(version.id), waivers[version.id]),
            waivers=waivers[version.id],
        )
        for version in versions
    ]


def _judged(
    evaluation: Evaluation | None, waivers: Sequence[ActingWaiverOut]
) -> EvaluationOut | None:
    if evaluation is None:
        return None
    shown = EvaluationOut.model_validate(evaluation)
    excused = {waiver.gate: waiver.id for waiver in waivers if waiver.gate is not None}
    for rejection in shown.rejections:
        rejection.waiver_id = excused.get(rejection.gate)
    return shown
