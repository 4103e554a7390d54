"""Channels: an admin says where messages go, which ones, and how much they may say.

The address and secret of a channel go in and never come out: they are sealed in the database, and
answers, audit events and logs show a hint (`slack://`, `https://hooks.example.com`).
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from bailiwick.access import checked_name
from bailiwick.audit.log import record
from bailiwick.core.errors import Conflict, Invalid, NotFound
from bailiwick.core.ids import new_id
from bailiwick.notifications import apprise_urls, webhooks
from bailiwick.notifications.outbox import add_trial, withdraw_all
from bailiwick.notifications.sealing import Vault
from bailiwick.notifications.severity import Severity
from bailiwick.notifications.tables import Channel, Delivery
from bailiwick.policy import Actor, Rules, Unseen
from bailiwick.policy.clearance import require_clearance

WEBHOOK = "webhook"
MAX_ESCALATION_MINUTES = 7 * 24 * 60


@dataclass(frozen=True, slots=True)
class Target:
    """Where messages go; all of it is secret. Webhooks have a signing secret besides."""

    kind: Literal["apprise", "webhook"]
    address: str
    secret: str | None = None

    def checked_hint(self) -> str:
        """What may be shown of it; `Invalid` if nothing can be sent there."""
        if self.kind != WEBHOOK:
            if self.secret is not None:
                raise Invalid("an Apprise URL holds its own credentials; leave the secret out")
            return apprise_urls.checked_url(self.address)
        if self.secret is None:
            raise Invalid("a webhook needs a secret, with which each message is signed")
        webhooks.checked_secret(self.secret)
        return webhooks.checked_address(self.address)


@dataclass(frozen=True, slots=True)
class Terms:
    """Which messages a channel gets, and how much they may say."""

    clearance_level: str
    clearance_compartments: tuple[str, ...] = ()
    severities: tuple[str, ...] = tuple(Severity)
    namespaces: tuple[str, ...] = ()
    deployments: tuple[str, ...] = ()
    is_default: bool = False
    escalate_to: str | None = None
    escalate_after_minutes: int | None = None
    enabled: bool = True


def create_channel(
    session: Session,
    name: str,
    target: Target,
    terms: Terms,
    *,
    vault: Vault,
    rules: Rules,
    actor: Actor,
    at: datetime,
) -> Channel:
    """Open a channel, cleared for no more than the actor is."""
    if session.scalar(select(Channel.id).where(Channel.name == checked_name(name, "channel"))):
        raise Conflict(f"there is a channel {name!r} already; change that one")
    channel = Channel(
        id=new_id(),
        name=name,
        created_by=UUID(actor.id),
        created_at=at,
    )
    _aim(channel, target, vault)
    _agree(session, channel, terms, rules, actor)
    session.add(channel)
    session.flush()
    _note(session, channel, "channel.created", actor, at, terms=_told(terms), hint=channel.hint)
    return channel


def update_channel(
    session: Session,
    channel: Channel,
    changes: Mapping[str, Any],
    *,
    target: Target | None = None,
    vault: Vault,
    rules: Rules,
    actor: Actor,
    at: datetime,
) -> Channel:
    """Change terms (by name) or aim it elsewhere; what waits in a disabled one is withdrawn.

    Whoever is cleared for less than the channel may not touch it: aimed elsewhere, it would tell
    them what they may not know.
    """
    require_clearance(rules.scheme, actor, channel.clearance_level, channel.clearance_compartments)
    before = terms_of(session, channel)
    after = Terms(**{**asdict(before), **changes})
    _agree(session, channel, after, rules, actor)
    if target is not None:
        _aim(channel, target, vault)
    if not channel.enabled:
        withdraw_all(session, channel, at=at)
    if after == before and target is None:
        return channel
    session.flush()
    _note(
        session,
        channel,
        "channel.updated",
        actor,
        at,
        old=_told(before),
        new=_told(after),
        aimed=target is not None,
    )
    return channel


def try_channel(session: Session, channel: Channel, *, actor: Actor, at: datetime) -> Delivery:
    """Queue a message that only says that the channel works."""
    if not channel.enabled:
        raise Conflict("this channel is switched off; enable it first")
    delivery = add_trial(session, channel, actor_id=UUID(actor.id), at=at)
    _note(session, channel, "channel.tried", actor, at, delivery=str(delivery.id))
    return delivery


def find_channel(session: Session, name: str) -> Channel:
    """The channel of that name, or `Unseen`."""
    channel = session.scalar(select(Channel).where(Channel.name == name))
    if channel is None:
        raise Unseen
    return channel


def channel_names(session: Session, ids: Collection[UUID]) -> dict[UUID, str]:
    """Their names, in one query."""
    rows = session.execute(select(Channel.id, Channel.name).where(Channel.id.in_(ids)))
    return {row.id: row.name for row in rows}


def terms_of(session: Session, channel: Channel) -> Terms:
    """What the channel's row says."""
    following = channel.escalate_to_id
    return Terms(
        clearance_level=channel.clearance_level,
        clearance_compartments=tuple(channel.clearance_compartments),
        severities=tuple(channel.severities),
        namespaces=tuple(channel.namespaces),
        deployments=tuple(channel.deployments),
        is_default=channel.is_default,
        escalate_to=channel_names(session, [following])[following] if following else None,
        escalate_after_minutes=channel.escalate_after_minutes,
        enabled=channel.enabled,
    )


def _aim(channel: Channel, target: Target, vault: Vault) -> None:
    hint = target.checked_hint()
    sealed = vault.seal(json.dumps([target.address, target.secret]), channel.id)
    channel.kind, channel.hint, channel.target = target.kind, hint, sealed


def _agree(session: Session, channel: Channel, terms: Terms, rules: Rules, actor: Actor) -> None:
    """Write the terms into the row, after they have been checked."""
    level, compartments = terms.clearance_level, sorted(set(terms.clearance_compartments))
    if unknown := set(compartments) - set(rules.scheme.compartments):
        raise Invalid(f"there is no compartment {min(unknown)!r}; see GET /api/v1/classifications")
    require_clearance(rules.scheme, actor, level, compartments)
    if unheard := set(terms.severities) - set(Severity):
        raise Invalid(f"{min(unheard)!r} is no severity; these are: {', '.join(Severity)}")
    if (terms.escalate_to is None) != (terms.escalate_after_minutes is None):
        raise Invalid("escalation takes both: a channel to hand over to, and after how long")
    minutes = terms.escalate_after_minutes
    if minutes is not None and not 1 <= minutes <= MAX_ESCALATION_MINUTES:
        raise Invalid(f"hand over after 1 to {MAX_ESCALATION_MINUTES} minutes")
    standing = select(Channel.name).where(Channel.is_default, Channel.id != channel.id)
    if terms.is_default and (other := session.scalar(standing)):
        raise Conflict(f"the default channel is {other!r}; take that away from it first")
    channel.clearance_level, channel.clearance_compartments = level, compartments
    channel.severities = [str(one) for one in Severity if one in terms.severities]
    channel.namespaces = sorted(set(terms.namespaces))
    channel.deployments = sorted(set(terms.deployments))
    channel.is_default, channel.enabled = terms.is_default, terms.enabled
    channel.escalate_to_id = _following(session, channel, terms.escalate_to)
    channel.escalate_after_minutes = minutes


def _following(session: Session, channel: Channel, name: str | None) -> UUID | None:
    if name is None:
        return None
    if name == channel.name:
        raise Invalid("a channel cannot hand over to itself; name another one")
    following = session.scalar(select(Channel.id).where(Channel.name == name))
    if following is None:
        raise NotFound(f"there is no channel {name!r} to hand over to; create it first")
    return following


def _told(terms: Terms) -> dict[str, Any]:
    """For the audit log: lists as JSON has them."""
    told: dict[str, Any] = json.loads(json.dumps(asdict(terms)))
    return told


def _note(
    session: Session, channel: Channel, action: str, actor: Actor, at: datetime, **details: Any
) -> None:
    record(
        session,
        action,
        subject_type="channel",
        subject_id=channel.id,
        actor_id=UUID(actor.id),
        at=at,
        details={"name": channel.name, "kind": channel.kind, **details},
    )
