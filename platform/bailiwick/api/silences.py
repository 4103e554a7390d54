"""`/silences`: times in which nobody is told of some alerts; maintenance windows among them."""

from datetime import datetime, time
from typing import Annotated, Literal, Self
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import AwareDatetime, Field
from sqlalchemy import select

from bailiwick.api.deployments import governed_deployment
from bailiwick.api.schemas import Body, Schema, Slug, Text
from bailiwick.core.errors import Invalid
from bailiwick.core.ids import new_id
from bailiwick.notifications import (
    Silence,
    Weekly,
    create_silence,
    end_silence,
    silence_resource,
)
from bailiwick.notifications.silences import state_of
from bailiwick.registry import Deployment
from bailiwick.web import (
    Governed,
    GovernedRoute,
    Page,
    Paging,
    acts,
    governed_silence,
    tag,
    visible_silences,
)

router = APIRouter(prefix="/silences", tags=["watching"], route_class=GovernedRoute)

Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]


class WeeklyIn(Body):
    """Some hours of some weekdays, by the wall clock of a zone; they may pass midnight."""

    weekdays: Annotated[list[Weekday], Field(min_length=1, max_length=7)]
    begins: time
    ends: time
    zone: Annotated[str, Field(max_length=100, examples=["Europe/London"])]


class WeeklyOut(Schema):
    """Some hours of some weekdays, by the wall clock of a zone."""

    weekdays: list[Weekday]
    begins: str
    ends: str
    zone: str


class SilenceIn(Body):
    """Which alerts nobody is told of, until when, and why.

    Of one deployment, else of a namespace, else (`*`) of every one; narrowed to one cause if one
    is named. Alerts that something is out of policy are told all the same unless `covers_policy`.
    """

    deployment_id: UUID | None = None
    namespace: Slug | Literal["*"] | None = None
    cause: Annotated[str | None, Field(min_length=1, max_length=100)] = None
    reason: Text
    ends_at: AwareDatetime
    starts_at: AwareDatetime | None = None
    weekly: WeeklyIn | None = None
    covers_policy: bool = False


class SilenceOut(Schema):
    """A silence. `state`: ahead, acting, resting (between two of its weekly periods) or over."""

    id: UUID
    namespace: str
    deployment_id: UUID | None
    cause: str | None
    covers_policy: bool
    reason: str
    starts_at: datetime
    ends_at: datetime
    weekly: WeeklyOut | None
    created_by: UUID
    created_at: datetime
    ended_at: datetime | None
    ended_by: UUID | None
    state: str

    @classmethod
    def of(cls, silence: Silence, at: datetime) -> Self:
        """From its row, as it stands at a moment."""
        weekly = WeeklyOut(**silence.weekly) if silence.weekly else None
        return cls.of_row(silence, weekly=weekly, state=state_of(silence, at))


class SilencePage(Page):
    """Silences, newest first."""

    items: list[SilenceOut]


@router.get("", **acts("silence:list"))
def list_silences(
    caller: Governed,
    paging: Paging,
    deployment_id: UUID | None = None,
) -> SilencePage:
    """Silences of the namespaces and deployments that the caller may see, newest first."""
    query = select(Silence).outerjoin(Deployment, Deployment.id == Silence.deployment_id)
    query = query.where(visible_silences(caller))
    if deployment_id is not None:
        query = query.where(Silence.deployment_id == deployment_id)
    rows, following = paging.of(caller.session, query, Silence.id)
    items = [SilenceOut.of(row, caller.at) for row in rows]
    return SilencePage(items=items, next_cursor=following)


@router.post("", status_code=201, **acts("silence:create"))
def create_one(body: SilenceIn, caller: Governed, response: Response) -> SilenceOut:
    """Tell nobody of some alerts for a time. What still stands when it ends is told then."""
    deployment = None
    if body.deployment_id is not None:
        deployment = governed_deployment(caller, body.deployment_id, action="deployment:read")
    namespace = body.namespace or (deployment.namespace if deployment else None)
    if namespace is None:
        raise Invalid("say what is to be silent: a deployment_id, or a namespace (* for all)")
    caller.require(silence_resource(caller.session, new_id(), namespace, deployment))
    weekly = None
    if body.weekly is not None:
        hours = body.weekly
        weekly = Weekly(frozenset(hours.weekdays), hours.begins, hours.ends, hours.zone)
    silence = create_silence(
        caller.session,
        namespace,
        deployment=deployment,
        cause=body.cause,
        reason=body.reason,
        starts_at=body.starts_at,
        ends_at=body.ends_at,
        weekly=weekly,
        covers_policy=body.covers_policy,
        actor_id=caller.principal_id,
        at=caller.at,
    )
    tag(response, silence)
    return SilenceOut.of(silence, caller.at)


@router.get("/{silence_id}", **acts("silence:list"))
def read_silence(silence_id: UUID, caller: Governed, response: Response) -> SilenceOut:
    """One silence."""
    silence = governed_silence(caller, silence_id)
    tag(response, silence)
    return SilenceOut.of(silence, caller.at)


@router.post("/{silence_id}/end", **acts("silence:end"))
def end_one(silence_id: UUID, caller: Governed, response: Response) -> SilenceOut:
    """End a silence early; what it held back and still stands is told now."""
    silence = governed_silence(caller, silence_id)
    end_silence(caller.session, silence, actor_id=caller.principal_id, at=caller.at)
    tag(response, silence)
    return SilenceOut.of(silence, caller.at)
