"""`/channels`: where people are told of alerts. Addresses and secrets go in and never come out."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import Field, SecretStr, StringConstraints
from sqlalchemy import select

from bailiwick.api.alerts import DeliveryOut, DeliveryPage, deliveries_shown
from bailiwick.api.schemas import Body, Schema, Slug
from bailiwick.core.errors import Invalid
from bailiwick.notifications import (
    Channel,
    Delivery,
    Target,
    Terms,
    create_channel,
    find_channel,
    try_channel,
    update_channel,
)
from bailiwick.notifications.channels import MAX_ESCALATION_MINUTES, WEBHOOK, channel_names
from bailiwick.policy import PLATFORM, Resource
from bailiwick.web import (
    Governed,
    GovernedRoute,
    Page,
    Paging,
    Precondition,
    acts,
    by_name,
    tag,
)

router = APIRouter(prefix="/channels", tags=["channels"], route_class=GovernedRoute)

Loudness = Literal["note", "warning", "page"]
EVERY: tuple[Loudness, ...] = ("note", "warning", "page")
Address = Annotated[
    SecretStr,
    Field(
        max_length=2_000,
        description="An Apprise URL, or a webhook's https address. Never shown again.",
    ),
]
SigningSecret = Annotated[
    SecretStr | None,
    Field(max_length=200, description="Of a webhook: `whsec_` and base64. Never shown again."),
]
Running = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9._-]{1,100}/[a-z0-9._-]{1,100}$", max_length=201)
]
Minutes = Annotated[int | None, Field(ge=1, le=MAX_ESCALATION_MINUTES)]


class ChannelIn(Body):
    """A new channel: where messages go, which ones, and how much they may say.

    It may be told names of what its clearance covers, and you can give no more than your own.
    Without `namespaces` and `deployments` it is for everywhere.
    """

    name: Slug
    kind: Literal["apprise", "webhook"]
    address: Address
    secret: SigningSecret = None
    clearance_level: str
    clearance_compartments: list[str] = Field(default_factory=list)
    severities: list[Loudness] = Field(default=list(EVERY))
    namespaces: list[Slug] = Field(default_factory=list)
    deployments: list[Running] = Field(default_factory=list)
    is_default: bool = False
    escalate_to: Slug | None = None
    escalate_after_minutes: Minutes = None


class ChannelPatch(Body):
    """What to change; what is left out stays. A new `address` of a webhook takes its `secret`."""

    address: Address | None = None
    secret: SigningSecret = None
    clearance_level: str | None = None
    clearance_compartments: list[str] | None = None
    severities: list[Loudness] | None = None
    namespaces: list[Slug] | None = None
    deployments: list[Running] | None = None
    is_default: bool | None = None
    escalate_to: Slug | None = None
    escalate_after_minutes: Minutes = None
    enabled: bool | None = None


class ChannelOut(Schema):
    """A channel; `hint` is all that is shown of its address."""

    id: UUID
    name: str
    kind: Literal["apprise", "webhook"]
    hint: str
    clearance_level: str
    clearance_compartments: list[str]
    severities: list[str]
    namespaces: list[str]
    deployments: list[str]
    is_default: bool
    escalate_to: str | None
    escalate_after_minutes: int | None
    enabled: bool
    created_by: UUID
    created_at: datetime


class ChannelPage(Page):
    """Channels, newest first."""

    items: list[ChannelOut]


@router.get("", **acts("channel:list"))
def list_channels(caller: Governed, paging: Paging) -> ChannelPage:
    """All channels, newest first."""
    caller.require(PLATFORM)
    query = select(Channel)
    rows, following = paging.of(caller.session, query, Channel.id)
    return ChannelPage(items=_shown(caller, rows), next_cursor=following)


@router.post("", status_code=201, **acts("channel:create"))
def create(body: ChannelIn, caller: Governed, response: Response) -> ChannelOut:
    """Open a channel."""
    caller.require(Resource("Channel", body.name, None, None))
    target = Target(
        body.kind,
        body.address.get_secret_value(),
        body.secret.get_secret_value() if body.secret else None,
    )
    terms = body.model_dump(exclude={"name", "kind", "address", "secret"})
    channel = create_channel(
        caller.session,
        body.name,
        target,
        Terms(**{name: _frozen(value) for name, value in terms.items()}),
        vault=caller.platform.vault(),
        rules=caller.rules,
        actor=caller.actor,
        at=caller.at,
    )
    return _answer(caller, channel, response)


@router.get("/{name}", **acts("channel:read"))
def read(name: str, caller: Governed, response: Response) -> ChannelOut:
    """One channel."""
    return _answer(caller, _channel(caller, name), response)


@router.patch("/{name}", **acts("channel:update"))
def update(
    name: str, body: ChannelPatch, caller: Governed, response: Response, seen: Precondition
) -> ChannelOut:
    """Change a channel; one that is switched off forgets what it has not sent yet."""
    channel = _channel(caller, name)
    seen.check(channel)
    given = body.model_dump(exclude_unset=True, exclude={"address", "secret"})
    nullable = {"escalate_to", "escalate_after_minutes"}
    if empty := {key for key, value in given.items() if value is None} - nullable:
        raise Invalid(f"{min(empty)} cannot be null; leave it out to keep it")
    update_channel(
        caller.session,
        channel,
        {key: _frozen(value) for key, value in given.items()},
        target=_target(channel, body),
        vault=caller.platform.vault(),
        rules=caller.rules,
        actor=caller.actor,
        at=caller.at,
    )
    return _answer(caller, channel, response)


@router.post("/{name}/trials", status_code=202, **acts("channel:update"))
def try_it(name: str, caller: Governed) -> DeliveryOut:
    """Send a message that only says that the channel works; see its deliveries for the outcome."""
    channel = _channel(caller, name)
    delivery = try_channel(caller.session, channel, actor=caller.actor, at=caller.at)
    return deliveries_shown(caller, [delivery])[0]


@router.get("/{name}/trials", **acts("channel:read"))
def list_trials(name: str, caller: Governed, paging: Paging) -> DeliveryPage:
    """What became of the trial messages of a channel, newest first."""
    channel = _channel(caller, name)
    query = select(Delivery).where(Delivery.channel_id == channel.id, Delivery.event_id.is_(None))
    rows, following = paging.of(caller.session, query, Delivery.id)
    return DeliveryPage(items=deliveries_shown(caller, rows), next_cursor=following)


def _channel(caller: Governed, name: str) -> Channel:
    return by_name(caller, "Channel", name, find_channel)


def _target(channel: Channel, body: ChannelPatch) -> Target | None:
    if body.address is None:
        if body.secret is not None:
            raise Invalid("a new secret is set together with the address, which is not kept open")
        return None
    secret = body.secret.get_secret_value() if body.secret else None
    kind: Literal["apprise", "webhook"] = "webhook" if channel.kind == WEBHOOK else "apprise"
    return Target(kind, body.address.get_secret_value(), secret)


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _answer(caller: Governed, channel: Channel, response: Response) -> ChannelOut:
    tag(response, channel)
    return _shown(caller, [channel])[0]


def _shown(caller: Governed, rows: Sequence[Channel]) -> list[ChannelOut]:
    following = {row.escalate_to_id for row in rows} - {None}
    names = channel_names(caller.session, [one for one in following if one])
    return [
        ChannelOut.of_row(
            row, escalate_to=names[row.escalate_to_id] if row.escalate_to_id else None
        )
        for row in rows
    ]
