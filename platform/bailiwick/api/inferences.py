"""`/deployments/{id}/predict` and `/accuracy`: a deployment answers, and how well it did."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Request
from pydantic import AwareDatetime, Field, StringConstraints

from bailiwick.api.deployments import governed_deployment
from bailiwick.api.schemas import Body, Schema
from bailiwick.core.errors import Conflict
from bailiwick.core.ids import new_id
from bailiwick.lifecycle.compliance import is_tolerated
from bailiwick.monitoring import (
    Inference,
    Pseudonyms,
    accuracy_between,
    log_inferences,
)
from bailiwick.monitoring.naming import namings_of
from bailiwick.policy import DeniedByPolicy, Resource, Unseen
from bailiwick.registry import ACTIVE, Deployment, deployment_resource, routing_of
from bailiwick.serving import Gateway
from bailiwick.serving.answering import (
    Answered,
    Answers,
    NotAnswered,
    Route,
    Row,
    answer,
    route_of,
)
from bailiwick.serving.classification import Classification
from bailiwick.serving.observing import Observed, Observer, Shadowed
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
    key: RecordId | None = Field(
        None,
        description="Whom it is about: one side of a canary answers all of one key. Default: "
        "`record_id`. Not kept.",
    )


class PredictIn(Body):
    """Rows to classify."""

    instances: list[Instance] = Field(min_length=1, max_length=MAX_INSTANCES)


class Prediction(Schema):
    """An answer; feedback refers to it by `record_id`."""

    record_id: str
    label: str
    confidence: float
    version: int = Field(description="That gave it: while a version is rolled out, there are two.")


class PredictOut(Schema):
    """Answers in the order of the instances, and the version that gave them.

    Where two gave them, as one is being rolled out, that is the champion; each prediction says
    which one gave it.
    """

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
    route = route_of(routing_of(caller.session, deployment))
    keeps_text = deployment.keeps_text
    # The model's answer can take long: no connection or transaction waits for it.
    caller.session.close()
    rows = [_row(instance) for instance in body.instances]
    answers = _answers(request, route, rows, at=caller.at)
    inferences = defaultdict[UUID, list[Inference]](list)
    for instance, row, given in zip(body.instances, rows, answers.answered, strict=True):
        logged = _inference(row, given, instance.at or caller.at, caller, keeps_text=keeps_text)
        inferences[given.version.id].append(logged)
    with caller.platform.database.transaction() as session:
        for version_id, of_version in inferences.items():
            log_inferences(
                session,
                deployment_id,
                version_id,
                of_version,
                vault=caller.platform.texts,
                at=caller.at,
            )
    versions = {given.version.id: given.version for given in answers.answered}
    told = route.champion if len(versions) > 1 else answers.answered[0].version
    return PredictOut(
        version=told.number,
        version_id=told.id,
        predictions=[
            Prediction(
                record_id=row.record_id,
                label=given.classification.label,
                confidence=given.classification.confidence,
                version=given.version.number,
            )
            for row, given in zip(rows, answers.answered, strict=True)
        ],
    )


@router.get("/{deployment_id}/accuracy", **acts("deployment:read"))
def read_accuracy(
    deployment_id: UUID, start: AwareDatetime, end: AwareDatetime, caller: Governed
) -> AccuracyOut:
    """How often the deployment was right between two moments; renamed labels count as one."""
    governed_deployment(caller, deployment_id)
    period = accuracy_between(
        caller.session,
        deployment_id,
        start=start,
        end=end,
        known_at=caller.at,
        blobs=caller.platform.blobs,
        namings=namings_of(caller.session, deployment_id),
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


def _row(instance: Instance) -> Row:
    record_id = instance.record_id or str(new_id())
    return Row(record_id, instance.key or record_id, instance.features)


def _answers(request: Request, route: Route, rows: Sequence[Row], *, at: datetime) -> Answers:
    """The answers; what guards are to learn of them is written beside, and holds nothing up."""
    gateway: Gateway = request.app.state.gateway
    observer: Observer = request.app.state.observer
    rollout_id = route.rollout_id
    try:
        answers = answer(gateway, route, rows)
    except NotAnswered as error:
        if rollout_id is not None and error.outcomes:
            observer.note(Observed(rollout_id, error.outcomes, at))
        raise error.cause from error
    if rollout_id is not None and answers.outcomes:
        observer.note(Observed(rollout_id, answers.outcomes, at))
    if rollout_id is not None and route.shadows and route.challenger is not None:
        observer.note(Shadowed(rollout_id, route.challenger, rows, answers.answered, at))
    return answers


def _inference(
    row: Row, given: Answered, at: datetime, caller: Caller, *, keeps_text: bool
) -> Inference:
    answered = given.classification
    return Inference(
        record_id=row.record_id,
        at=at,
        prediction=answered.label,
        confidence=answered.confidence,
        characters=answered.descriptors.characters,
        words=answered.descriptors.words,
        unseen_words_ratio=answered.descriptors.unseen_words_ratio,
        text=given.text if keeps_text else None,
        latency_ms=given.latency_ms,  # of the request: its rows share it
        **_seen(answered, caller.platform.pseudonyms),
    )
