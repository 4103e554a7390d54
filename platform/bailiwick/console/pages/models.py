"""Models, their versions, and where each version came from."""

from dataclasses import dataclass
from uuid import UUID

from fastapi import APIRouter, Request, Response
from markupsafe import Markup
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from bailiwick.access import Principal, names_of
from bailiwick.console.charts import interval_bar
from bailiwick.console.exceptions import acting_for, excused
from bailiwick.console.lineage_view import lineage_view
from bailiwick.console.queries import deployment_rows, explained, labels_of, scalars_of
from bailiwick.console.rendering import page
from bailiwick.console.routing import GovernedPage
from bailiwick.console.visibility import visible_deployments, visible_models, visible_versions
from bailiwick.lifecycle.evaluation_settings import judged_by
from bailiwick.lifecycle.gates import Paired
from bailiwick.lifecycle.promotion import evaluation_of
from bailiwick.lifecycle.tables import Evaluation
from bailiwick.lineage import DatasetVersion, Run
from bailiwick.policy import Label
from bailiwick.registry import (
    CHALLENGER,
    CHAMPION,
    Alias,
    AliasMove,
    Deployment,
    ModelVersion,
    RegisteredModel,
    find_model,
    find_version,
    model_resource,
    version_resource,
    version_subject,
    versions_by_id,
)
from bailiwick.web import Caller, Cursor, Governed, acts, page_of

MODELS_PER_PAGE, VERSIONS_PER_PAGE, SHOWN_MOVES = 50, 50, 50

router = APIRouter(prefix="/console", include_in_schema=False, route_class=GovernedPage)


@dataclass(frozen=True, slots=True)
class ModelRow:
    """A model as the list shows it."""

    model: RegisteredModel
    label: Label
    versions: int
    champion: ModelVersion | None
    deployments: int


@dataclass(frozen=True, slots=True)
class VersionRow:
    """A version as its model's page shows it."""

    version: ModelVersion
    label: Label
    state: str
    evaluation: Evaluation | None


@router.get("/models", **acts("model:list"))
def models(request: Request, caller: Governed, cursor: Cursor = None) -> Response:
    """All models, newest first."""
    rows, following = page_of(
        caller.session,
        select(RegisteredModel).where(visible_models(caller)),
        RegisteredModel.id,
        limit=MODELS_PER_PAGE,
        cursor=cursor,
    )
    return page(
        request,
        caller,
        "models.html",
        title="Models",
        section="models",
        rows=_model_rows(caller, rows),
        following=following,
    )


@router.get("/models/{namespace}/{name}", **acts("model:read"))
def model(
    request: Request, caller: Governed, namespace: str, name: str, cursor: Cursor = None
) -> Response:
    """One model: its versions, where its pointers went, where it runs."""
    session = caller.session
    found = find_model(session, namespace, name)
    resource = model_resource(session, found)
    caller.require(resource)
    versions, following = page_of(
        session,
        select(ModelVersion)
        .join(RegisteredModel, RegisteredModel.id == ModelVersion.model_id)
        .where(ModelVersion.model_id == found.id, visible_versions(caller)),
        ModelVersion.id,
        limit=VERSIONS_PER_PAGE,
        cursor=cursor,
    )
    moves = session.scalars(
        select(AliasMove)
        .where(AliasMove.model_id == found.id)
        .order_by(AliasMove.id.desc())
        .limit(SHOWN_MOVES)
    ).all()
    moved = [move.new_version_id for move in moves]
    moved += [move.old_version_id for move in moves if move.old_version_id]
    running = session.scalars(
        select(Deployment)
        .where(Deployment.model_id == found.id, visible_deployments(caller))
        .order_by(Deployment.id)
    ).all()
    people = [version.trained_by for version in versions]
    label = labels_of(session, [found.label_id])[found.label_id]
    judged = judged_by(session, found.id)
    golden = judged.golden_version_id
    return page(
        request,
        caller,
        "model.html",
        title=f"{namespace}/{name}",
        section="models",
        model=found,
        label=label,
        explained=explained(caller.rules.scheme, label),
        judged=judged,
        may_judge=caller.may(resource, "model:set-evaluation"),
        golden=session.get_one(DatasetVersion, golden) if golden else None,
        rows=_version_rows(session, found.id, versions),
        following=following,
        moves=moves,
        numbers={one.id: one.number for one in versions_by_id(session, moved).values()},
        deployments=deployment_rows(caller, running),
        names=names_of(session, [found.created_by, *people, *(move.actor_id for move in moves)]),
    )


@router.get("/models/{namespace}/{name}/versions/{number}", **acts("version:read"))
def version(request: Request, caller: Governed, namespace: str, name: str, number: int) -> Response:
    """One version: evidence, lineage, files, recipe."""
    session = caller.session
    owner = find_model(session, namespace, name)
    found = find_version(session, owner, number)
    resource = version_resource(session, found)
    caller.require(resource)
    acting = acting_for(caller, version_subject(found))
    row = _version_rows(session, owner.id, [found])[0]
    evaluation = evaluation_of(session, found)
    paired = _paired(evaluation)
    tier = caller.platform.tiers.get(evaluation.risk_tier) if evaluation else None
    compared = evaluation.champion_version_id if evaluation else None
    gain = tier.min_gain_over_champion if tier else 0.0
    return page(
        request,
        caller,
        "version.html",
        title=f"{namespace}/{name} version {number}",
        section="models",
        row=row,
        explained=explained(caller.rules.scheme, row.label),
        evaluation=evaluation,
        tier=tier,
        paired=paired,
        interval=paired.gain_interval() if paired else None,
        interval_drawing=_interval(paired, gain) if paired else None,
        compared=session.get(ModelVersion, compared) if compared else None,
        base=session.get(ModelVersion, found.base_version_id) if found.base_version_id else None,
        run=session.get_one(Run, found.run_id),
        metrics=scalars_of(found.metrics),
        total_bytes=sum(int(file["size_bytes"]) for file in found.manifest),
        lineage=lineage_view(caller, found),
        trained_by=session.get_one(Principal, found.trained_by).name,
        acting=acting,
        excused=excused(acting),
        may_waive=caller.may(resource, "waiver:request"),
    )


def _model_rows(caller: Caller, found: list[RegisteredModel]) -> list[ModelRow]:
    session = caller.session
    ids = [one.id for one in found]
    labels = labels_of(session, [one.label_id for one in found])
    champions = session.scalars(
        select(ModelVersion)
        .join(Alias, Alias.version_id == ModelVersion.id)
        .join(RegisteredModel, RegisteredModel.id == ModelVersion.model_id)
        .where(Alias.model_id.in_(ids), Alias.alias == CHAMPION, visible_versions(caller))
    )
    champion = {one.model_id: one for one in champions}
    versions = dict(
        session.execute(
            select(ModelVersion.model_id, func.count())
            .where(ModelVersion.model_id.in_(ids))
            .group_by(ModelVersion.model_id)
        ).all()
    )
    running = dict(
        session.execute(
            select(Deployment.model_id, func.count())
            .where(Deployment.model_id.in_(ids), visible_deployments(caller))
            .group_by(Deployment.model_id)
        ).all()
    )
    return [
        ModelRow(
            one,
            labels[one.label_id],
            versions.get(one.id, 0),
            champion.get(one.id),
            running.get(one.id, 0),
        )
        for one in found
    ]


def _version_rows(
    session: Session, model_id: UUID, versions: list[ModelVersion]
) -> list[VersionRow]:
    ids = [one.id for one in versions]
    labels = labels_of(session, [one.label_id for one in versions])
    evaluations = session.scalars(select(Evaluation).where(Evaluation.version_id.in_(ids)))
    evaluated = {one.version_id: one for one in evaluations}
    aliases = select(Alias.alias, Alias.version_id).where(Alias.model_id == model_id)
    pointers = dict(session.execute(aliases).all())
    crowned = set(
        session.scalars(
            select(AliasMove.new_version_id).where(
                AliasMove.model_id == model_id, AliasMove.alias == CHAMPION
            )
        )
    )
    return [
        VersionRow(
            one,
            labels[one.label_id],
            _state(one.id, pointers, crowned, evaluated.get(one.id)),
            evaluated.get(one.id),
        )
        for one in versions
    ]


def _state(
    version_id: UUID,
    pointers: dict[str, UUID],
    crowned: set[UUID],
    evaluation: Evaluation | None,
) -> str:
    """What a version is now, from the pointers, their history and the gates."""
    if pointers.get(CHAMPION) == version_id:
        return "champion"
    if version_id in crowned:
        return "former champion"
    if evaluation is not None and not evaluation.passed:
        return "rejected"
    return "challenger" if pointers.get(CHALLENGER) == version_id else "registered"


def _paired(evaluation: Evaluation | None) -> Paired | None:
    counts = evaluation.evidence.get("paired") if evaluation else None
    return Paired(**counts) if counts else None


def _interval(paired: Paired, limit: float) -> Markup:
    low, high = paired.gain_interval()
    title = f"Gain over the champion {paired.gain:+.1%}, 95 % interval {low:+.1%} to {high:+.1%}"
    return interval_bar(low, paired.gain, high, limit=limit, title=title)
