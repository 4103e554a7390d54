"""`/deployments/{id}/predict`, `/inferences`, `/feedback`: the traffic of a deployment."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request
from pydantic import AwareDatetime, Field, StringConstraints

from bailiwick.api.deployments import governed_deployment
from bailiwick.api.schemas import Body, Schema
from bailiwick.core.errors import Conflict, Invalid
from bailiwick.core.ids import new_id
from bailiwick.lifecycle.compliance import is_tolerated
from bailiwick.lineage.rows import compose_text
from bailiwick.monitoring import (
    Inference,
    Outcome,
    accuracy_between,
    log_feedback,
    log_inferences,
)
from bailiwick.policy import DeniedByPolicy, Resource, Unseen, load_label
from bailiwick.registry import ACTIVE, Deployment, ModelVersion, deployment_resource, served_version
from bailiwick.serving import Gateway
from bailiwick.web import Caller, Governed, GovernedRoute, acts

router = APIRouter(prefix="/deployments", tags=["running models"], route_class=GovernedRoute)
MAX_INSTANCES = 2_000

RecordId = Annotated[str, StringConstraints(min_length=1, max_length=200)]
LabelName = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Count = Annotated[int, Field(ge=0, lt=2**31)]
Value = Annotated[str, StringConstraints(max_length=10_000)]


class Instance(Body):
    """One row to classify. A `record_id` of the client's makes a repeated request count once."""

    features: dict[str, Value] = Field(description="The model's text columns and their values.")
    record_id: RecordId | None = None
    at: AwareDatetime | None = Field(None, description="When it happened; default: now.")


class PredictIn(Body):
    """Rows to classify."""

    instances: list[Instance] = Field(min_length=1, max_length=MAX_INSTANCES)


class Prediction(Schema):
    """An answer; feedback refers to it by `record_id`."""

    record_id: str
    label: str
    confidence: float


class PredictOut(Schema):
    """Answers in the order of the instances, and the version that gave them."""

    version: int
    version_id: UUID
    predictions: list[Prediction]


class InferenceIn(Body):
    """A request that was answered elsewhere by a version of ours."""

    record_id: RecordId
    at: AwareDatetime
    prediction: LabelName
    confidence: Annotated[float, Field(ge=0, le=1)]
    characters: Count
    words: Count
    unseen_words_ratio: Annotated[float, Field(ge=0, le=1)]
    text: Value | None = None


class InferencesIn(Body):
    """Answered requests, by the version that the deployment serves or by the one named."""

    records: list[InferenceIn] = Field(min_length=1, max_length=10_000)
    version_id: UUID | None = None


class FeedbackItem(Body):
    """The label that turned out to be right."""

    record_id: RecordId
    label: LabelName


class FeedbackIn(Body):
    """Labels for earlier records."""

    feedback: list[FeedbackItem] = Field(min_length=1, max_length=10_000)


class AcceptedOut(Schema):
    """Rows that were new, and rows that were known already and count once."""

    new: int
    known: int


class AccuracyOut(Schema):
    """Accuracy of a stretch of time on the labels known now."""

    start: datetime
    end: datetime
    rows: int
    labelled_rows: int
    correct: int
    accuracy: float | None


@router.post("/{deployment_id}/predict", **acts("deployment:predict", own_transaction=True))
def predict(deployment_id: UUID, body: PredictIn, caller: Governed, request: Request) -> PredictOut:
    """Classify rows with the version that the deployment serves, and log what was answered."""
    deployment = caller.session.get(Deployment, deployment_id)
    if deployment is None:
        raise Unseen
    resource = deployment_resource(caller.session, deployment)
    caller.require(resource, action="deployment:read")
    _require_predict(caller, deployment, resource)
    if deployment.state != ACTIVE:
        raise Conflict("this deployment is stopped; start it with PATCH {state: active}")
    version = served_version(caller.session, deployment)
    texts = [_text(instance, version, place) for place, instance in enumerate(body.instances)]
    keeps_text, version_id, number = deployment.keeps_text, version.id, version.number
    # The model's answer can take long: no connection or transaction waits for it.
    caller.session.close()
    gateway: Gateway = request.app.state.gateway
    answers = gateway.classify(str(version_id), texts)
    inferences = [
        Inference(
            record_id=instance.record_id or str(new_id()),
            at=instance.at or caller.at,
            prediction=answer.label,
            confidence=answer.confidence,
            characters=answer.descriptors.characters,
            words=answer.descriptors.words,
            unseen_words_ratio=answer.descriptors.unseen_words_ratio,
            text=text if keeps_text else None,
        )
        for instance, answer, text in zip(body.instances, answers, texts, strict=True)
    ]
    with caller.platform.database.transaction() as session:
        log_inferences(session, deployment_id, version_id, inferences, at=caller.at)
    return PredictOut(
        version=number,
        version_id=version_id,
        predictions=[
            Prediction(
                record_id=inference.record_id,
                label=inference.prediction,
                confidence=inference.confidence,
            )
            for inference in inferences
        ],
    )


@router.post("/{deployment_id}/inferences", status_code=202, **acts("deployment:write-inferences"))
def write_inferences(deployment_id: UUID, body: InferencesIn, caller: Governed) -> AcceptedOut:
    """Log requests that were answered elsewhere."""
    deployment = governed_deployment(caller, deployment_id)
    version = served_version(caller.session, deployment)
    if body.version_id is not None and body.version_id != version.id:
        version = _other_version(caller, deployment, body.version_id)
    if not deployment.keeps_text and any(record.text for record in body.records):
        raise Invalid("this deployment does not keep text; send the records without it")
    inferences = [Inference(**record.model_dump()) for record in body.records]
    accepted = log_inferences(caller.session, deployment_id, version.id, inferences, at=caller.at)
    return AcceptedOut.model_validate(accepted)


@router.post("/{deployment_id}/feedback", status_code=202, **acts("deployment:write-feedback"))
def write_feedback(deployment_id: UUID, body: FeedbackIn, caller: Governed) -> AcceptedOut:
    """Send labels that came later; another label for the same record is a correction."""
    governed_deployment(caller, deployment_id)
    accepted = log_feedback(
        caller.session,
        deployment_id,
        [Outcome(item.record_id, item.label) for item in body.feedback],
        actor_id=caller.principal_id,
        at=caller.at,
    )
    return AcceptedOut.model_validate(accepted)


@router.get("/{deployment_id}/accuracy", **acts("deployment:read"))
def read_accuracy(
    deployment_id: UUID, start: AwareDatetime, end: AwareDatetime, caller: Governed
) -> AccuracyOut:
    """How often the deployment was right between two moments."""
    governed_deployment(caller, deployment_id)
    period = accuracy_between(
        caller.session, deployment_id, start=start, end=end, known_at=caller.at
    )
    return AccuracyOut(
        start=start,
        end=end,
        rows=period.rows,
        labelled_rows=period.labelled_rows,
        correct=period.correct,
        accuracy=period.accuracy,
    )


def _require_predict(caller: Caller, deployment: Deployment, resource: Resource) -> None:
    """The policy must allow it, or tolerate it until a known breach's grace time is over."""
    context = {"purpose": deployment.purpose}
    try:
        caller.require(resource, context=context)
    except DeniedByPolicy:
        if not is_tolerated(caller.session, deployment.id, at=caller.at):
            raise
        caller.require(resource, context={**context, "tolerated": True})


def _other_version(caller: Caller, deployment: Deployment, version_id: UUID) -> ModelVersion:
    """A version that the deployment could have served: its answers are labelled like it."""
    found = caller.session.get(ModelVersion, version_id)
    labels = [load_label(caller.session, one.label_id) for one in (deployment, found) if one]
    if (
        found is None
        or found.model_id != deployment.model_id
        or not caller.rules.scheme.dominates(*labels)
    ):
        raise Invalid("version_id is no version of this deployment's model that it may answer with")
    return found


def _text(instance: Instance, version: ModelVersion, place: int) -> str:
    try:
        return compose_text(instance.features, version.text_columns)
    except KeyError as error:
        raise Invalid(
            f"instance {place} lacks {error}; this model reads {', '.join(version.text_columns)}"
        ) from error
