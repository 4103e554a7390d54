"""`/deployments/{id}/text-erasures`: texts of a subject are destroyed, and proof of it."""

from datetime import datetime
from uuid import UUID

from fastapi import APIRouter
from pydantic import Field
from sqlalchemy import select

from bailiwick.api.deployments import governed_deployment
from bailiwick.api.schemas import Body, Schema
from bailiwick.monitoring import TextErasure, erase_texts
from bailiwick.web import Cursor, Governed, GovernedRoute, Limit, Page, acts, page_of

router = APIRouter(prefix="/deployments", tags=["running models"], route_class=GovernedRoute)


class TextErasureIn(Body):
    """Whose texts are to be destroyed, named as records name them, and why (no names, please)."""

    subject: str = Field(min_length=1, max_length=200)
    reason: str = Field(min_length=1, max_length=2_000)


class TextErasureOut(Schema):
    """When the texts about a subject were destroyed, by whom, and how many.

    `subject_key` is the subject's pseudonym, as records carry it.
    """

    id: UUID
    deployment_id: UUID
    subject_key: str
    reason: str
    keys: int
    records: int
    rejected_records: int
    erased_by: UUID
    erased_at: datetime


class TextErasurePage(Page):
    """Erasures, newest first."""

    items: list[TextErasureOut]


@router.post("/{deployment_id}/text-erasures", status_code=201, **acts("deployment:erase-texts"))
def create_text_erasure(
    deployment_id: UUID, body: TextErasureIn, caller: Governed
) -> TextErasureOut:
    """Destroy the texts about a subject for good; what their records measure stays.

    Later records of the subject may carry texts again.
    """
    governed_deployment(caller, deployment_id)
    erasure = erase_texts(
        caller.session,
        deployment_id,
        body.subject,
        reason=body.reason,
        pseudonyms=caller.platform.pseudonyms,
        vault=caller.platform.texts,
        actor_id=caller.principal_id,
        at=caller.at,
    )
    return TextErasureOut.model_validate(erasure)


@router.get("/{deployment_id}/text-erasures", **acts("deployment:read"))
def list_text_erasures(
    deployment_id: UUID, caller: Governed, limit: Limit = 50, cursor: Cursor = None
) -> TextErasurePage:
    """When texts were destroyed, newest first."""
    governed_deployment(caller, deployment_id)
    query = select(TextErasure).where(TextErasure.deployment_id == deployment_id)
    rows, following = page_of(caller.session, query, TextErasure.id, limit=limit, cursor=cursor)
    items = [TextErasureOut.model_validate(row) for row in rows]
    return TextErasurePage(items=items, next_cursor=following)
