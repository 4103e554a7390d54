"""`/deployments/{id}/records`: what is kept of a deployment's records, where, and for how long."""

from datetime import datetime
from uuid import UUID

from fastapi import APIRouter
from pydantic import Field

from bailiwick.api.deployments import governed_deployment
from bailiwick.api.schemas import Body, Schema
from bailiwick.monitoring.keeping import Keeping, keeping_of, set_keeping
from bailiwick.monitoring.keeping.inventory import Inventory, inventory_of
from bailiwick.web import Governed, GovernedRoute, acts

router = APIRouter(prefix="/deployments", tags=["running models"], route_class=GovernedRoute)


class KeepingIn(Body):
    """How long records are kept, in days of their own time; null: for ever.

    In the database for `hot_days` (at least intake's max_age_days), in the blob store until
    `retention_days`; hourly summaries for `summary_days`.
    """

    hot_days: int | None = Field(None, ge=1)
    retention_days: int | None = Field(None, ge=1)
    summary_days: int | None = Field(None, ge=1)


class RecordsOut(Schema):
    """The rules, and what there is: `since` is the time of the oldest record that is kept."""

    hot_days: int | None
    retention_days: int | None
    summary_days: int | None
    hot_records: int
    archived_records: int
    segments: int
    segment_bytes: int
    since: datetime | None
    archived_until: datetime | None
    dropped_segments: int


@router.get("/{deployment_id}/records", **acts("deployment:read"))
def read_records(deployment_id: UUID, caller: Governed) -> RecordsOut:
    """What is kept of the deployment's records, where and since when."""
    governed_deployment(caller, deployment_id)
    rules = keeping_of(caller.session, deployment_id)
    return _told(rules, inventory_of(caller.session, deployment_id))


@router.put("/{deployment_id}/records", **acts("deployment:update"))
def change_keeping(deployment_id: UUID, body: KeepingIn, caller: Governed) -> RecordsOut:
    """Say how long records are kept. What is older than that is archived or dropped soon."""
    governed_deployment(caller, deployment_id)
    rules = set_keeping(
        caller.session,
        deployment_id,
        Keeping(**body.model_dump()),
        actor_id=caller.principal_id,
        at=caller.at,
    )
    return _told(rules, inventory_of(caller.session, deployment_id))


def _told(rules: Keeping, there: Inventory) -> RecordsOut:
    return RecordsOut(
        hot_days=rules.hot_days,
        retention_days=rules.retention_days,
        summary_days=rules.summary_days,
        hot_records=there.hot_records,
        archived_records=there.archived_records,
        segments=there.segments,
        segment_bytes=there.segment_bytes,
        since=there.since,
        archived_until=there.archived_until,
        dropped_segments=there.dropped_segments,
    )
