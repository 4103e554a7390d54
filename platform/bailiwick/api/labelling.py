"""`/deployments/{id}/labelling`: requests that are worth a label."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter
from pydantic import Field
from sqlalchemy import select

from bailiwick.api.deployments import governed_deployment
from bailiwick.api.schemas import Body, Schema
from bailiwick.lifecycle.label_budget import require_labels_left
from bailiwick.monitoring import InferenceRecord
from bailiwick.monitoring.labelling import (
    LabellingItem,
    ask_for_labels,
    skip_item,
    state_of,
)
from bailiwick.monitoring.labelling.queue import DEFAULT_RANDOM_RATIO, MOST_ROWS
from bailiwick.monitoring.windows import record_texts
from bailiwick.policy import Unseen
from bailiwick.web import Cursor, Governed, GovernedRoute, Limit, Page, acts, page_of

router = APIRouter(prefix="/deployments", tags=["watching"], route_class=GovernedRoute)


class LabellingIn(Body):
    """How many labels are wanted, of requests with start <= at < end (whole hours, UTC)."""

    start: datetime
    end: datetime
    rows: Annotated[int, Field(ge=1, le=MOST_ROWS)] = 100
    random_ratio: Annotated[
        float,
        Field(
            ge=0,
            le=1,
            description="The share that is chosen at random: accuracy is counted from these. The "
            "others are those that the model is least sure of, unlike each other.",
        ),
    ] = DEFAULT_RANDOM_RATIO


class LabellingRoundOut(Schema):
    """What was chosen: `rows` of `candidates`, of these `random_rows` at random."""

    id: UUID
    deployment_id: UUID
    start: datetime
    end: datetime
    candidates: int
    rows: int
    random_rows: int
    made_by: UUID
    made_at: datetime


class LabellingItemOut(Schema):
    """A request to be labelled; send its label as feedback, by `record_id`."""

    id: UUID
    record_id: str
    reason: str
    at: datetime | None
    prediction: str | None
    confidence: float | None
    text: str | None
    skipped_at: datetime | None


class LabellingPage(Page):
    """Requests, those that were asked for last first."""

    items: list[LabellingItemOut]


@router.post("/{deployment_id}/labelling", status_code=201, **acts("deployment:write-feedback"))
def ask(deployment_id: UUID, body: LabellingIn, caller: Governed) -> LabellingRoundOut:
    """Choose requests that are worth a label; none is asked about twice.

    Conflict if the deployment's retraining policy has a budget of labels and this month has not as
    many left.
    """
    governed_deployment(caller, deployment_id)
    require_labels_left(caller.session, deployment_id, body.rows, at=caller.at)
    made = ask_for_labels(
        caller.session,
        deployment_id,
        start=body.start,
        end=body.end,
        rows=body.rows,
        random_ratio=body.random_ratio,
        actor_id=caller.principal_id,
        at=caller.at,
    )
    return LabellingRoundOut.model_validate(made)


@router.get("/{deployment_id}/labelling", **acts("deployment:read-inferences"))
def list_labelling(
    deployment_id: UUID,
    caller: Governed,
    state: Literal["open", "labelled", "skipped"] = "open",
    limit: Limit = 100,
    cursor: Cursor = None,
) -> LabellingPage:
    """The requests to be labelled, with their texts where these are kept.

    `at`, `prediction` and `confidence` are null for those that have been archived or dropped.
    """
    governed_deployment(caller, deployment_id)
    query = select(LabellingItem).where(
        LabellingItem.deployment_id == deployment_id, state_of(state)
    )
    rows, following = page_of(caller.session, query, LabellingItem.id, limit=limit, cursor=cursor)
    records = caller.session.scalars(
        select(InferenceRecord).where(
            InferenceRecord.deployment_id == deployment_id,
            InferenceRecord.record_id.in_([row.record_id for row in rows]),
        )
    ).all()
    texts = record_texts(caller.session, caller.platform.texts, records)
    known = {one.record_id: (one, text) for one, text in zip(records, texts, strict=True)}
    items = [_shown(row, *known.get(row.record_id, (None, None))) for row in rows]
    return LabellingPage(items=items, next_cursor=following)


@router.post("/{deployment_id}/labelling/{item_id}/skip", **acts("deployment:write-feedback"))
def skip(deployment_id: UUID, item_id: UUID, caller: Governed) -> LabellingItemOut:
    """Say that one cannot tell the label of a request."""
    governed_deployment(caller, deployment_id)
    item = caller.session.get(LabellingItem, item_id)
    if item is None or item.deployment_id != deployment_id:
        raise Unseen
    skipped = skip_item(caller.session, item, actor_id=caller.principal_id, at=caller.at)
    return _shown(skipped, None, None)


def _shown(
    item: LabellingItem, record: InferenceRecord | None, text: str | None
) -> LabellingItemOut:
    return LabellingItemOut(
        id=item.id,
        record_id=item.record_id,
        reason=item.reason,
        at=record.at if record else None,
        prediction=record.prediction if record else None,
        confidence=record.confidence if record else None,
        text=text,
        skipped_at=item.skipped_at,
    )
