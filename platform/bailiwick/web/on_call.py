"""Alerts and silences, as far as the caller may see them and do something about them."""

from uuid import UUID

from sqlalchemy import ColumnElement, and_, false, or_, true

from bailiwick.access import EVERY_NAMESPACE
from bailiwick.monitoring import Alert, alert_resource
from bailiwick.notifications import Silence, silence_resource
from bailiwick.policy import PLATFORM, Resource
from bailiwick.registry import Deployment
from bailiwick.web.callers import Caller
from bailiwick.web.lookups import by_id

OF_DEPLOYMENTS = ("deployments", Deployment.name)


def visible_alerts(caller: Caller) -> ColumnElement[bool]:
    """The WHERE clause of a query about alerts joined with their deployment."""
    return caller.visible(
        "Alert",
        Deployment.namespace,
        Deployment.label_id,
        action="alert:read",
        objects=OF_DEPLOYMENTS,
    )


def visible_silences(caller: Caller) -> ColumnElement[bool]:
    """The same of silences joined with their deployment, if they are of one.

    Those of deployments one may see, and those of whole namespaces where one holds a role.
    """
    of_deployments = caller.visible(
        "Silence",
        Deployment.namespace,
        Deployment.label_id,
        action="silence:list",
        objects=OF_DEPLOYMENTS,
    )
    if not caller.may(PLATFORM, "silence:list"):
        return false()
    spaces = [place for place in caller.actor.roles if "/" not in place]
    seen = [space for space in spaces if caller.may(_whole(space), "silence:list")]
    reached: ColumnElement[bool] = true()
    if EVERY_NAMESPACE not in seen:
        reached = Silence.namespace.in_(seen)
    return or_(of_deployments, and_(Silence.deployment_id.is_(None), reached))


def governed_alert(caller: Caller, alert_id: UUID, *, action: str | None = None) -> Alert:
    """The alert, after the policy has let the caller do what the route (or `action`) says."""
    alert = by_id(caller, Alert, alert_id)
    caller.require(alert_resource(caller.session, alert), action=action)
    return alert


def governed_silence(caller: Caller, silence_id: UUID) -> Silence:
    """The silence, after the policy has let the caller do what the route says."""
    silence = by_id(caller, Silence, silence_id)
    caller.require(resource_of_silence(caller, silence))
    return silence


def resource_of_silence(caller: Caller, silence: Silence) -> Resource:
    """The silence as the policy sees it."""
    deployment = (
        caller.session.get(Deployment, silence.deployment_id) if silence.deployment_id else None
    )
    return silence_resource(caller.session, silence.id, silence.namespace, deployment)


def _whole(space: str) -> Resource:
    return Resource("Silence", "any", None if space == EVERY_NAMESPACE else space, None)
