"""Silences: times in which nobody is told of some alerts; maintenance windows among them."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy import select

from bailiwick.access import names_of
from bailiwick.console.deliveries import names_of_deployments, seen_messages
from bailiwick.console.forms import Attempt, text_of
from bailiwick.console.rendering import page
from bailiwick.console.routing import GovernedPage
from bailiwick.console.silence_forms import SilenceForm, about, offered
from bailiwick.console.silence_places import (
    covered,
    place_named,
    places_offered,
    silenceable,
)
from bailiwick.core.ids import new_id
from bailiwick.notifications import (
    Delivery,
    Silence,
    create_silence,
    end_silence,
    silence_resource,
)
from bailiwick.notifications.channels import channel_names
from bailiwick.notifications.recurrence import WEEKDAYS
from bailiwick.notifications.silences import (
    MAX_AHEAD,
    MAX_SILENCE,
    MAX_WEEKLY,
    acts_until,
    state_of,
)
from bailiwick.registry import Deployment
from bailiwick.web import (
    Caller,
    Cursor,
    Governed,
    acts,
    governed_alert,
    governed_silence,
    page_of,
    resource_of_silence,
    visible_silences,
)

HOME = "/console/silences"
PER_PAGE, MAX_CAUSE = 50, 100

router = APIRouter(prefix="/console", include_in_schema=False, route_class=GovernedPage)


@router.get("/silences", **acts("silence:list"))
def silences(request: Request, caller: Governed, cursor: Cursor = None, over: str = "") -> Response:
    """Those that stand or are ahead, newest first; on request those that are over as well."""
    query = select(Silence).outerjoin(Deployment, Deployment.id == Silence.deployment_id)
    query = query.where(visible_silences(caller))
    if not over:
        query = query.where(Silence.ended_at.is_(None), Silence.ends_at > caller.at)
    rows, following = page_of(caller.session, query, Silence.id, limit=PER_PAGE, cursor=cursor)
    return page(
        request,
        caller,
        "silences.html",
        title="Silences",
        section="silences",
        rows=rows,
        following=following,
        over=bool(over),
        states={row.id: state_of(row, caller.at) for row in rows},
        deployments=names_of_deployments(caller.session, {row.deployment_id for row in rows}),
        names=names_of(caller.session, [row.created_by for row in rows]),
        may_create=caller.may(silenceable(caller), "silence:create"),
    )


@router.get("/new-silence", **acts("silence:create"))
def form(
    request: Request,
    caller: Governed,
    alert: UUID | None = None,
    place: Annotated[str, Query(max_length=210)] = "",
) -> Response:
    """What one fills in to silence something: that of an alert, or what one names."""
    typed = offered(caller.at, place)
    if alert is not None:
        found = governed_alert(caller, alert, action="alert:read")
        typed = about(found, caller.session.get_one(Deployment, found.deployment_id), caller.at)
    return _form(request, caller, typed)


@router.post("/new-silence", **acts("silence:create"))
def create(request: Request, caller: Governed, typed: Annotated[SilenceForm, Form()]) -> Response:
    """Tell nobody of some alerts for a time. What still stands when it ends is told then."""
    with Attempt(caller) as attempt:
        namespace, deployment = place_named(caller, typed.place.strip())
        caller.require(silence_resource(caller.session, new_id(), namespace, deployment))
        silence = create_silence(
            caller.session,
            namespace,
            deployment=deployment,
            cause=text_of("cause", typed.cause, longest=MAX_CAUSE) or None,
            reason=text_of("reason", typed.reason),
            starts_at=typed.starts(),
            ends_at=typed.end(),
            weekly=typed.weekly(),
            covers_policy=typed.covers_policy,
            actor_id=caller.principal_id,
            at=caller.at,
        )
        return RedirectResponse(f"{HOME}/{silence.id}", 303)
    return _form(request, caller, typed, problem=attempt.problem, status=attempt.status)


@router.get("/silences/{silence_id}", **acts("silence:list"))
def one_silence(
    request: Request, caller: Governed, silence_id: UUID, cursor: Cursor = None
) -> Response:
    """One silence: of what, until when, why, and what it has held back."""
    session = caller.session
    silence = governed_silence(caller, silence_id)
    query = seen_messages(caller).where(Delivery.silence_id == silence.id)
    held, following = page_of(session, query, Delivery.id, limit=PER_PAGE, cursor=cursor)
    state = state_of(silence, caller.at)
    ids = {silence.deployment_id, *(message.deployment_id for message in held)}
    resource = resource_of_silence(caller, silence)
    return page(
        request,
        caller,
        "silence.html",
        title="Silence",
        section="silences",
        silence=silence,
        state=state,
        until=acts_until(silence, caller.at),
        covered=covered(caller, silence),
        messages=held,
        following=following,
        channels=channel_names(session, {message.channel_id for message in held}),
        deployments=names_of_deployments(session, ids),
        names=names_of(session, [silence.created_by, silence.ended_by]),
        may_end=state != "over" and caller.may(resource, "silence:end"),
    )


@router.post("/silences/{silence_id}/end", **acts("silence:end"))
def end(caller: Governed, silence_id: UUID) -> Response:
    """End it early; what it held back and still stands is told now."""
    silence = governed_silence(caller, silence_id)
    end_silence(caller.session, silence, actor_id=caller.principal_id, at=caller.at)
    return RedirectResponse(f"{HOME}/{silence_id}", 303)


def _form(
    request: Request,
    caller: Caller,
    typed: SilenceForm,
    *,
    problem: str | None = None,
    status: int = 200,
) -> Response:
    caller.require(silenceable(caller), action="silence:create")
    return page(
        request,
        caller,
        "silence_new.html",
        title="New silence",
        section="silences",
        status=status,
        problem=problem,
        typed=typed,
        weekdays=WEEKDAYS,
        places=places_offered(caller),
        now=caller.at,
        longest=MAX_SILENCE.days,
        longest_weekly=MAX_WEEKLY.days,
        furthest=MAX_AHEAD.days,
    )
