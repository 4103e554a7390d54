"""`/deployments/{id}/predict` and `/accuracy`: a deployment answers, and how well it did."""

import time
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any
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
    Pseudonyms,
    accuracy_between,
    log_inferences,
)
from bailiwick.policy import DeniedByPolicy, Resource, Unseen
from bailiwick.registry import ACTIVE, Deployment, ModelVersion, deployment_resource, served_version
from bailiwick.serving import Gateway
from bailiwick.serving.classification import Classification
from bailiwick.web import Caller, Governed, GovernedRoute, acts

router = APIRouter(prefix="/deployments", tags=["running models"], route_class=GovernedRoute)
MAX_INSTANCES = 2_000

RecordId = Annotated[str, StringConstraints(min_length=1, max_length=200)]
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
    began = time.perf_counter()
    answers = gateway.classify(str(version_id), texts)
    latency_ms = (time.perf_counter() - began) * 1_000  # of the request: its rows share it
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
            latency_ms=latency_ms,
            **_seen(answer, caller.platform.pseudonyms),
        )
        for instance, answer, text in zip(body.instances, answers, texts, strict=True)
    ]
    with caller.platform.database.transaction() as session:
        log_inferences(
            session,
            deployment_id,
            version_id,
            inferences,
            vault=caller.platform.texts,
            at=caller.at,
        )
    return PredictOut(
        version=number,
        version_id=version_id,
        predictions=[
            Prediction(
                record_id=inference.record_id,
                label=inference.prediction,
                confidence=answer.confidence,
            )
            for inference, answer in zip(inferences, answers, strict=True)
        ],
    )


@router.get("/{deployment_id}/accuracy", **acts("deployment:read"))
def read_accuracy(
    deployment_id: UUID, start: AwareDatetime, end: AwareDatetime, caller: Governed
) -> AccuracyOut:
    """How often the deployment was right between two moments."""
    governed_deployment(caller, deployment_id)
    period = accuracy_between(
        caller.session,
        deployment_id,
        start=start,
        end=end,
        known_at=caller.at,
        blobs=caller.platform.blobs,
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


def _seen(answer: Classification, pseudonyms: Pseudonyms) -> dict[str, Any]:
    """What is logged with an answer beside its descriptors; keys of texts as pseudonyms."""
    if answer.seen is None:
        return {}
    keys = pseudonyms.text_keys([answer.seen.text_key, answer.seen.form_key])
    return asdict(answer.seen) | dict(zip(("text_key", "form_key"), keys, strict=True))


def _text(instance: Instance, version: ModelVersion, place: int) -> str:
    try:
        return compose_text(instance.features, version.text_columns)
    except KeyError as error:
        raise Invalid(
            f"instance {place} lacks {error}; this model reads {', '.join(version.text_columns)}"
        ) from error
