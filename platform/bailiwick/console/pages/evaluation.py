"""What a model's versions are judged by: the form that says so."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel
from sqlalchemy import select

from bailiwick.console.forms import Attempt, text_of
from bailiwick.console.rendering import page
from bailiwick.console.routing import GovernedPage
from bailiwick.console.visibility import visible_dataset_versions
from bailiwick.core.errors import Invalid, PreconditionFailed
from bailiwick.lifecycle.evaluation_settings import (
    MAX_SEGMENTS,
    JudgedBy,
    judged_by,
    set_judged_by,
)
from bailiwick.lifecycle.tables import EvaluationSettings
from bailiwick.lineage import Dataset, DatasetVersion
from bailiwick.registry import RegisteredModel, find_model, model_resource
from bailiwick.web import Caller, Governed, acts

OFFERED_VERSIONS = 200

router = APIRouter(prefix="/console", include_in_schema=False, route_class=GovernedPage)


class EvaluationForm(BaseModel):
    """As it is typed: a version's id or nothing, columns one a line, a column or nothing.

    `revision` is that of the settings that were looked at, empty where there were none.
    """

    revision: str = ""
    golden: str = ""
    segments: str = ""
    key_column: str = ""

    def read(self) -> JudgedBy:
        """What it asks for. Raises `Invalid`."""
        named = text_of("list of segments", self.segments).splitlines()
        return JudgedBy(
            golden_version_id=_id_of(self.golden),
            segments=tuple(name.strip() for name in named if name.strip()),
            key_column=text_of("key", self.key_column) or None,
        )


@router.get("/models/{namespace}/{name}/evaluation", **acts("model:set-evaluation"))
def form(request: Request, caller: Governed, namespace: str, name: str) -> Response:
    """What one fills in, as it stands now."""
    model = _governed(caller, namespace, name)
    now = judged_by(caller.session, model.id)
    typed = EvaluationForm(
        revision=_revision(caller, model),
        golden=str(now.golden_version_id or ""),
        segments="\n".join(now.segments),
        key_column=now.key_column or "",
    )
    return _form(request, caller, model, typed)


@router.post("/models/{namespace}/{name}/evaluation", **acts("model:set-evaluation"))
def change(
    request: Request,
    caller: Governed,
    namespace: str,
    name: str,
    typed: Annotated[EvaluationForm, Form()],
) -> Response:
    """Say what the model's versions are judged by from their next training on."""
    model = _governed(caller, namespace, name)
    with Attempt(caller) as attempt:
        if typed.revision != _revision(caller, model):
            raise PreconditionFailed(
                "somebody has changed this since you opened the form; look at it on the model's "
                "page, then make your change again"
            )
        set_judged_by(
            caller.session,
            model,
            typed.read(),
            rules=caller.rules,
            actor=caller.actor,
            at=caller.at,
        )
        return RedirectResponse(f"/console/models/{namespace}/{name}", 303)
    return _form(request, caller, model, typed, problem=attempt.problem, status=attempt.status)


def _form(
    request: Request,
    caller: Caller,
    model: RegisteredModel,
    typed: EvaluationForm,
    *,
    problem: str | None = None,
    status: int = 200,
) -> Response:
    """The page of the form; versions that the caller sees are offered, the newest first."""
    standing = judged_by(caller.session, model.id).golden_version_id
    offered = caller.session.execute(
        select(DatasetVersion, Dataset)
        .join(Dataset, Dataset.id == DatasetVersion.dataset_id)
        .where(visible_dataset_versions(caller) | (DatasetVersion.id == standing))
        .order_by((DatasetVersion.id == standing).desc(), DatasetVersion.id.desc())
        .limit(OFFERED_VERSIONS)
    ).all()
    return page(
        request,
        caller,
        "model_evaluation.html",
        status=status,
        title=f"What {model.namespace}/{model.name} is judged by",
        section="models",
        model=model,
        typed=typed,
        offered=offered,
        most=MAX_SEGMENTS,
        problem=problem,
    )


def _governed(caller: Caller, namespace: str, name: str) -> RegisteredModel:
    model = find_model(caller.session, namespace, name)
    caller.require(model_resource(caller.session, model))
    return model


def _revision(caller: Caller, model: RegisteredModel) -> str:
    stored = caller.session.get(EvaluationSettings, model.id)
    return "" if stored is None else str(stored.revision)


def _id_of(typed: str) -> UUID | None:
    if not typed:
        return None
    try:
        return UUID(typed)
    except ValueError as error:
        raise Invalid("choose the golden set from the list") from error
