"""Delegations: an approver lends their voice to another person for a time.

A voice is lent, never multiplied: it counts once, whoever uses it, and its lender must be able
to use it at that very moment. What was borrowed cannot be lent on, for it is not held.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session

from bailiwick.access import EVERY_NAMESPACE, Principal, checked_name
from bailiwick.audit.log import record
from bailiwick.core.errors import Conflict, Invalid, NotFound
from bailiwick.core.ids import new_id
from bailiwick.policy.bundles import Rules
from bailiwick.policy.decisions import Actor, Resource
from bailiwick.policy.enforcement import (
    Asked,
    DeniedByPolicy,
    actor_of,
    ask,
    load_actor,
    require,
)
from bailiwick.policy.tables import Delegation

MAX_LENT = timedelta(days=90)
ROLE = "approver"
DECIDE = "approval:decide"


def lend_voice(
    session: Session,
    to: str,
    *,
    namespace: str,
    reason: str,
    until: datetime,
    rules: Rules,
    actor: Actor,
    at: datetime,
    since: datetime | None = None,
) -> Delegation:
    """Let the person `to` decide in the actor's place, in a namespace (`*`: in all), for a time.

    Raises `Denied` for whoever is no approver there, `Invalid` for a time of over `MAX_LENT` or
    somebody who could not read what they would decide.
    """
    if namespace != EVERY_NAMESPACE:
        checked_name(namespace, "namespace")
    resource = _resource(new_id(), namespace, UUID(actor.id))
    require(session, rules, actor=actor, action="delegation:create", resource=resource, at=at)
    begins = max(since or at, at)
    if not begins < until <= begins + MAX_LENT:
        raise Invalid(
            f"a voice is lent for at most {MAX_LENT.days} days, and ends after it begins; "
            "choose another end"
        )
    if not reason.strip():
        raise Invalid("say why the voice is lent; whoever reads the votes will want to know")
    other = _person(session, to, actor)
    approval = Resource("Approval", "any", namespace, None)
    reads = ask(
        rules, actor=actor_of(session, other), action="approval:read", resource=approval, at=at
    )
    if not reads.verdict.allowed:
        raise Invalid(
            f"{to!r} could not read what they would decide there; "
            "ask an administrator to give them a role first"
        )
    lent = Delegation(
        id=UUID(resource.id),
        from_id=UUID(actor.id),
        to_id=other.id,
        namespace=namespace,
        reason=reason.strip(),
        since=begins,
        until=until,
    )
    session.add(lent)
    session.flush()
    _note(session, lent, "delegation.created", actor, at)
    return lent


def take_back_voice(
    session: Session, lent: Delegation, *, rules: Rules, actor: Actor, at: datetime
) -> Delegation:
    """End it early; ending it again changes nothing. Votes that were given stand."""
    require(
        session,
        rules,
        actor=actor,
        action="delegation:revoke",
        resource=delegation_resource(lent),
        at=at,
    )
    if lent.revoked_at is None:
        lent.revoked_at = at
        session.flush()
        _note(session, lent, "delegation.revoked", actor, at)
    return lent


def delegation_resource(lent: Delegation) -> Resource:
    """The delegation as the policy sees it."""
    return _resource(lent.id, lent.namespace, lent.from_id)


def stands_at(at: datetime) -> tuple[ColumnElement[bool], ...]:
    """The conditions under which a delegation stands at a moment."""
    return Delegation.since <= at, Delegation.until > at, Delegation.revoked_at.is_(None)


def standing_of(lent: Delegation, at: datetime) -> str:
    """`revoked`, `ahead` of its time, `over`, or `standing`."""
    if lent.revoked_at is not None:
        return "revoked"
    if at < lent.since:
        return "ahead"
    return "over" if at >= lent.until else "standing"


def involving(principal_id: UUID) -> ColumnElement[bool]:
    """Delegations that somebody lends or is lent."""
    return or_(Delegation.from_id == principal_id, Delegation.to_id == principal_id)


def lenders_to(session: Session, actor: Actor, *, at: datetime) -> list[tuple[str, Actor]]:
    """Who lends the actor a voice now, as (namespace, lender as the policy sees them)."""
    rows = session.execute(
        select(Delegation.namespace, Delegation.from_id)
        .where(Delegation.to_id == UUID(actor.id), *stands_at(at))
        .distinct()
        .order_by(Delegation.from_id)
    ).all()
    lenders = {lender: load_actor(session, lender) for _, lender in rows}
    return [(namespace, lenders[lender]) for namespace, lender in rows]


def usable_voices(
    resource: Resource,
    lenders: list[tuple[str, Actor]],
    *,
    rules: Rules,
    actor: Actor,
    at: datetime,
) -> list[Actor]:
    """Whose voices the actor could use on a request, their own first: all that the policy allows.

    `lenders`: what `lenders_to` answered. Nothing is raised and nothing recorded.
    """
    voices = {actor.id: actor} | {voice.id: voice for voice in lent_on(resource, lenders)}
    return [
        voice
        for voice in voices.values()
        if _allowed(rules, voice, resource, at)
        and _allowed(rules, speaking_for(actor, voice, resource), resource, at)
    ]


def lent_on(resource: Resource, lenders: list[tuple[str, Actor]]) -> list[Actor]:
    """Those lenders whose voice reaches the resource's namespace."""
    reaching = {
        lender.id: lender
        for namespace, lender in lenders
        if namespace in (EVERY_NAMESPACE, resource.namespace)
    }
    return list(reaching.values())


def speaking_for(actor: Actor, voice: Actor, resource: Resource) -> Actor:
    """The actor with the lender's role on the resource, and nothing else of the lender's."""
    if actor.id == voice.id:
        return actor
    place = resource.namespace or EVERY_NAMESPACE
    held = actor.roles.get(place, frozenset())
    return replace(actor, roles={**actor.roles, place: held | {ROLE}})


def require_lender(
    rules: Rules, voice: Actor, resource: Resource, *, actor: Actor, at: datetime
) -> None:
    """The lender must be allowed to decide this now; a denial is recorded as the actor's own."""
    asked = _ask(rules, voice, resource, at)
    if not asked.verdict.allowed:
        reason = f"The voice that was lent does not count here now. {asked.verdict.reason}"
        verdict = replace(asked.verdict, reason=reason)
        raise DeniedByPolicy(Asked(actor, DECIDE, asked.resource, asked.context, verdict, at))


def circumstances(rules: Rules) -> dict[str, bool]:
    """What the policy must know to say who may decide."""
    return {"single_sign_on": rules.single_sign_on}


def _ask(rules: Rules, voice: Actor, resource: Resource, at: datetime) -> Asked:
    context = circumstances(rules)
    return ask(rules, actor=voice, action=DECIDE, resource=resource, context=context, at=at)


def _allowed(rules: Rules, voice: Actor, resource: Resource, at: datetime) -> bool:
    return _ask(rules, voice, resource, at).verdict.allowed


def _person(session: Session, name: str, actor: Actor) -> Principal:
    other = session.scalar(
        select(Principal).where(
            Principal.name == name, Principal.kind == "person", Principal.disabled_at.is_(None)
        )
    )
    if other is None:
        raise NotFound(f"there is no person {name!r} who could be lent a voice; check the name")
    if str(other.id) == actor.id:
        raise Conflict("your voice is yours already; lend it to another person")
    return other


def _resource(identifier: UUID, namespace: str, from_id: UUID) -> Resource:
    return Resource(
        "Delegation", str(identifier), namespace, None, attributes={"from_id": str(from_id)}
    )


def _note(session: Session, lent: Delegation, action: str, actor: Actor, at: datetime) -> None:
    record(
        session,
        action,
        subject_type="delegation",
        subject_id=lent.id,
        actor_id=UUID(actor.id),
        at=at,
        details={
            "from": str(lent.from_id),
            "to": str(lent.to_id),
            "namespace": lent.namespace,
            "since": lent.since.isoformat(),
            "until": lent.until.isoformat(),
        },
    )
