"""`/models/{ns}/{name}/evaluation-settings`: what a model's versions are judged by."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import Field, StringConstraints

from bailiwick.api.jobs import parts_of
from bailiwick.api.models import governed_model
from bailiwick.api.schemas import Body, Schema
from bailiwick.core.errors import Invalid
from bailiwick.lifecycle.evaluation_settings import (
    MAX_NAME,
    MAX_SEGMENTS,
    JudgedBy,
    judged_by,
    set_judged_by,
)
from bailiwick.lifecycle.tables import EvaluationSettings
from bailiwick.lineage import (
    DatasetVersion,
    dataset_version_resource,
    find_dataset,
    find_dataset_version,
)
from bailiwick.registry import RegisteredModel
from bailiwick.web import Governed, GovernedRoute, Precondition, acts, tag

router = APIRouter(prefix="/models", tags=["registry"], route_class=GovernedRoute)

Column = Annotated[str, StringConstraints(min_length=1, max_length=MAX_NAME)]


class EvaluationSettingsIn(Body):
    """All of a model's settings: what is left out is taken back."""

    golden_set: str | None = Field(
        None, max_length=450, description="A dataset's version, NAMESPACE/NAME@NUMBER."
    )
    segments: list[Column] = Field(default_factory=list, max_length=MAX_SEGMENTS)
    key_column: Column | None = None


class EvaluationSettingsOut(Schema):
    """What versions are judged by. `golden_set` is null for whoever may not know the dataset."""

    golden_set: str | None
    golden_version_id: UUID | None
    segments: list[str]
    key_column: str | None
    set_by: UUID | None
    set_at: datetime | None


@router.get("/{ns}/{name}/evaluation-settings", **acts("model:read"))
def read_evaluation_settings(
    ns: str, name: str, caller: Governed, response: Response
) -> EvaluationSettingsOut:
    """What the model's versions are judged by, beside the newest labelled rows."""
    model = governed_model(caller, ns, name)
    return _shown(caller, model, response)


@router.put("/{ns}/{name}/evaluation-settings", **acts("model:set-evaluation"))
def change_evaluation_settings(
    ns: str,
    name: str,
    body: EvaluationSettingsIn,
    caller: Governed,
    response: Response,
    seen: Precondition,
) -> EvaluationSettingsOut:
    """Say what the model's versions are judged by from their next training on."""
    model = governed_model(caller, ns, name)
    seen.check(caller.session.get(EvaluationSettings, model.id))
    golden = _golden(caller, body.golden_set) if body.golden_set is not None else None
    set_judged_by(
        caller.session,
        model,
        JudgedBy(golden.id if golden else None, tuple(body.segments), body.key_column),
        rules=caller.rules,
        actor=caller.actor,
        at=caller.at,
    )
    return _shown(caller, model, response)


def _golden(caller: Governed, reference: str) -> DatasetVersion:
    dataset, _, number = reference.partition("@")
    if not number.isdecimal():
        raise Invalid("a golden set reads NAMESPACE/NAME@NUMBER, as in finance/golden@1")
    found = find_dataset(caller.session, *parts_of(dataset))
    return find_dataset_version(caller.session, found, int(number))


def _shown(caller: Governed, model: RegisteredModel, response: Response) -> EvaluationSettingsOut:
    stored = caller.session.get(EvaluationSettings, model.id)
    if stored is not None:
        tag(response, stored)
    judged = judged_by(caller.session, model.id)
    return EvaluationSettingsOut(
        golden_set=_name(caller, judged.golden_version_id),
        golden_version_id=judged.golden_version_id,
        segments=list(judged.segments),
        key_column=judged.key_column,
        set_by=stored.set_by if stored else None,
        set_at=stored.set_at if stored else None,
    )


def _name(caller: Governed, golden_id: UUID | None) -> str | None:
    if golden_id is None:
        return None
    golden = caller.session.get_one(DatasetVersion, golden_id)
    if not caller.may(dataset_version_resource(caller.session, golden), "dataset:read"):
        return None
    return f"{golden.dataset.namespace}/{golden.dataset.name}@{golden.number}"
