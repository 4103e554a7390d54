"""Channels: where people are told of alerts, whether that works, and changing it."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy import select

from bailiwick.access import checked_name, names_of
from bailiwick.console.channel_forms import (
    KINDS,
    ChangesForm,
    ChannelForm,
    TargetForm,
    filled,
    offered,
)
from bailiwick.console.deliveries import names_of_deployments, seen_messages, standings
from bailiwick.console.forms import Attempt
from bailiwick.console.rendering import page
from bailiwick.console.routing import GovernedPage
from bailiwick.core.errors import PreconditionFailed
from bailiwick.notifications import (
    Channel,
    Delivery,
    Severity,
    create_channel,
    find_channel,
    try_channel,
    update_channel,
)
from bailiwick.notifications.channels import MAX_ESCALATION_MINUTES, channel_names
from bailiwick.policy import PLATFORM, Resource
from bailiwick.policy.clearance import BeyondClearance, require_clearance
from bailiwick.web import Caller, Cursor, Governed, acts, by_name, page_of

HOME = "/console/channels"
PER_PAGE = 50
MEANINGS = {
    Severity.NOTE: "something moved, and nothing shows that it hurts",
    Severity.WARNING: "for working hours",
    Severity.PAGE: "wakes somebody",
}

router = APIRouter(prefix="/console", include_in_schema=False, route_class=GovernedPage)


@router.get("/channels", **acts("channel:list"))
def channels(request: Request, caller: Governed, cursor: Cursor = None) -> Response:
    """All channels, newest first."""
    caller.require(PLATFORM)
    rows, following = page_of(
        caller.session, select(Channel), Channel.id, limit=PER_PAGE, cursor=cursor
    )
    return page(
        request,
        caller,
        "channels.html",
        title="Channels",
        section="channels",
        rows=rows,
        following=following,
        standings=standings(caller.session, [row.id for row in rows], at=caller.at),
        handed_to=_handed_to(caller, rows),
        may_create=caller.may(_resource("any"), "channel:create"),
    )


@router.get("/new-channel", **acts("channel:create"))
def form(request: Request, caller: Governed) -> Response:
    """What one fills in to open a channel."""
    return _form(request, caller, offered(caller.rules.scheme.levels[0]))


@router.post("/new-channel", **acts("channel:create"))
def create(request: Request, caller: Governed, typed: Annotated[ChannelForm, Form()]) -> Response:
    """Open a channel."""
    with Attempt(caller) as attempt:
        name = checked_name(typed.name.strip(), "name")
        caller.require(_resource(name))
        create_channel(
            caller.session,
            name,
            typed.target(),
            typed.terms(enabled=True),
            vault=caller.platform.vault(),
            rules=caller.rules,
            actor=caller.actor,
            at=caller.at,
        )
        return RedirectResponse(f"{HOME}/{name}", 303)
    return _form(request, caller, typed, problem=attempt.problem, status=attempt.status)


@router.get("/channels/{name}", **acts("channel:read"))
def one_channel(request: Request, caller: Governed, name: str, cursor: Cursor = None) -> Response:
    """One channel: what it takes, whether it works, and what became of its messages."""
    return _page(request, caller, _found(caller, name), cursor=cursor)


@router.get("/channels/{name}/change", **acts("channel:update"))
def change_form(request: Request, caller: Governed, name: str) -> Response:
    """What one fills in to change a channel."""
    channel = _found(caller, name)
    return _change_form(request, caller, channel, filled(caller.session, channel))


@router.post("/channels/{name}/change", **acts("channel:update"))
def change(
    request: Request, caller: Governed, name: str, typed: Annotated[ChangesForm, Form()]
) -> Response:
    """Change which messages it gets and how much they may say."""
    channel = _found(caller, name)
    with Attempt(caller) as attempt:
        if typed.revision != str(channel.revision):
            raise PreconditionFailed(
                "somebody has changed this channel since you opened this form; look at it on its "
                "page, then make your change again"
            )
        _update(caller, channel, asdict(typed.terms(enabled=channel.enabled)))
        return RedirectResponse(f"{HOME}/{name}", 303)
    return _change_form(
        request, caller, channel, typed, problem=attempt.problem, status=attempt.status
    )


@router.post("/channels/{name}/target", **acts("channel:update"))
def aim(
    request: Request, caller: Governed, name: str, typed: Annotated[TargetForm, Form()]
) -> Response:
    """Aim it elsewhere. A channel stays of its kind."""
    channel = _found(caller, name)
    with Attempt(caller) as attempt:
        target = typed.model_copy(update={"kind": channel.kind}).target()
        _update(caller, channel, {}, target=target)
        return RedirectResponse(f"{HOME}/{name}", 303)
    return _change_form(
        request,
        caller,
        channel,
        filled(caller.session, channel),
        misaimed=attempt.problem,
        status=attempt.status,
    )


@router.post("/channels/{name}/switch", **acts("channel:update"))
def switch(request: Request, caller: Governed, name: str, to: Annotated[bool, Form()]) -> Response:
    """Switch it on or off; off, it forgets what it has not sent yet."""
    channel = _found(caller, name)
    with Attempt(caller) as attempt:
        _update(caller, channel, {"enabled": to})
        return RedirectResponse(f"{HOME}/{name}", 303)
    return _page(request, caller, channel, problem=attempt.problem, status=attempt.status)


@router.post("/channels/{name}/trials", **acts("channel:update"))
def try_it(request: Request, caller: Governed, name: str) -> Response:
    """Send a message that only says that the channel works."""
    channel = _found(caller, name)
    with Attempt(caller) as attempt:
        try_channel(caller.session, channel, actor=caller.actor, at=caller.at)
        return RedirectResponse(f"{HOME}/{name}#messages", 303)
    return _page(request, caller, channel, problem=attempt.problem, status=attempt.status)


def _resource(name: str) -> Resource:
    return Resource("Channel", name, None, None)


def _found(caller: Caller, name: str) -> Channel:
    return by_name(caller, "Channel", name, find_channel)


def _update(caller: Caller, channel: Channel, changes: dict[str, Any], **given: Any) -> None:
    update_channel(
        caller.session,
        channel,
        changes,
        vault=caller.platform.vault(),
        rules=caller.rules,
        actor=caller.actor,
        at=caller.at,
        **given,
    )


def _page(
    request: Request,
    caller: Caller,
    channel: Channel,
    *,
    cursor: str | None = None,
    problem: str | None = None,
    status: int = 200,
) -> Response:
    session = caller.session
    query = seen_messages(caller).where(Delivery.channel_id == channel.id)
    messages, following = page_of(session, query, Delivery.id, limit=PER_PAGE, cursor=cursor)
    may_update = caller.may(_resource(channel.name), "channel:update")
    return page(
        request,
        caller,
        "channel.html",
        title=f"Channel {channel.name}",
        section="channels",
        status=status,
        problem=problem,
        channel=channel,
        kinds=KINDS,
        standing=standings(session, [channel.id], at=caller.at)[channel.id],
        handed_to=_handed_to(caller, [channel]),
        handed_from=session.scalars(
            select(Channel.name).where(Channel.escalate_to_id == channel.id).order_by(Channel.name)
        ).all(),
        messages=messages,
        following=following,
        deployments=names_of_deployments(session, {one.deployment_id for one in messages}),
        names=names_of(session, [channel.created_by]),
        may_change=may_update and _is_cleared(caller, channel),
        may_try=may_update,
    )


def _form(
    request: Request,
    caller: Caller,
    typed: ChannelForm,
    *,
    problem: str | None = None,
    status: int = 200,
) -> Response:
    caller.require(_resource("any"))
    return page(
        request,
        caller,
        "channel_new.html",
        title="New channel",
        section="channels",
        status=status,
        problem=problem,
        typed=typed,
        kinds=KINDS,
        **_choices(caller, None),
    )


def _change_form(
    request: Request,
    caller: Caller,
    channel: Channel,
    typed: ChangesForm,
    *,
    problem: str | None = None,
    misaimed: str | None = None,
    status: int = 200,
) -> Response:
    require_clearance(
        caller.rules.scheme, caller.actor, channel.clearance_level, channel.clearance_compartments
    )
    return page(
        request,
        caller,
        "channel_change.html",
        title=f"Change {channel.name}",
        section="channels",
        status=status,
        problem=problem,
        misaimed=misaimed,
        channel=channel,
        typed=typed,
        **_choices(caller, channel),
    )


def _choices(caller: Caller, channel: Channel | None) -> dict[str, Any]:
    """What forms offer: no more clearance than the caller holds, and the other channels."""
    scheme, actor = caller.rules.scheme, caller.actor
    others = select(Channel.name).order_by(Channel.name)
    if channel is not None:
        others = others.where(Channel.id != channel.id)
    return {
        "levels": scheme.levels[: scheme.level_number(actor.clearance_level) + 1],
        "compartments": sorted(actor.clearance_compartments & set(scheme.compartments)),
        "meanings": scheme.compartments,
        "severities": MEANINGS,
        "others": caller.session.scalars(others).all(),
        "longest": MAX_ESCALATION_MINUTES,
    }


def _handed_to(caller: Caller, rows: Sequence[Channel]) -> dict[Any, str]:
    """The names of the channels that these hand over to, by id."""
    following = {row.escalate_to_id for row in rows if row.escalate_to_id is not None}
    return channel_names(caller.session, following)


def _is_cleared(caller: Caller, channel: Channel) -> bool:
    """Whether the caller holds the channel's clearance, so that they may touch it."""
    level, compartments = channel.clearance_level, channel.clearance_compartments
    try:
        require_clearance(caller.rules.scheme, caller.actor, level, compartments)
    except BeyondClearance:
        return False
    return True
