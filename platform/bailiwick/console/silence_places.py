"""What a silence can be of, as forms name it: everywhere (`*`), a namespace, or a deployment."""

from sqlalchemy import func, select

from bailiwick.access import EVERY_NAMESPACE, checked_name
from bailiwick.console.visibility import visible_deployments
from bailiwick.core.errors import Invalid
from bailiwick.notifications import Silence
from bailiwick.policy import Resource
from bailiwick.registry import Deployment
from bailiwick.web import Caller

OFFERED = 200


def place_named(caller: Caller, typed: str) -> tuple[str, Deployment | None]:
    """The namespace, and the deployment if one is meant; `Invalid` if nothing is called that."""
    if not typed:
        raise Invalid("say what is to be silent: a deployment, a namespace, or * for everything")
    namespace, slash, name = typed.partition("/")
    if not slash:
        if typed == EVERY_NAMESPACE:
            return typed, None
        return checked_name(typed, "namespace"), None
    deployment = caller.session.scalar(
        select(Deployment).where(
            Deployment.namespace == namespace,
            Deployment.name == name,
            visible_deployments(caller),
        )
    )
    if deployment is None:
        raise Invalid(f"there is no deployment {typed!r} that you may see; check its name")
    return namespace, deployment


def places_offered(caller: Caller) -> list[str]:
    """Names to choose from: of what the caller sees, namespaces first."""
    query = select(Deployment.namespace, Deployment.name).where(visible_deployments(caller))
    query = query.order_by(Deployment.namespace, Deployment.name).limit(OFFERED)
    rows = caller.session.execute(query).all()
    spaces = dict.fromkeys(row.namespace for row in rows)
    return [*spaces, *(f"{row.namespace}/{row.name}" for row in rows)]


def silenceable(caller: Caller) -> Resource:
    """Something that the caller may silence; if nothing is, everything, which is denied."""
    for place in sorted(caller.actor.roles):
        namespace, slash, _ = place.partition("/")
        space = None if namespace == EVERY_NAMESPACE else namespace
        some = Resource("Silence", "any", space, None, belongs_to=(place,) if slash else ())
        if caller.may(some, "silence:create"):
            return some
    return Resource("Silence", "any", None, None)


def covered(caller: Caller, silence: Silence) -> int:
    """How many deployments the caller sees that the silence is of."""
    query = select(func.count()).select_from(Deployment).where(visible_deployments(caller))
    if silence.deployment_id is not None:
        query = query.where(Deployment.id == silence.deployment_id)
    elif silence.namespace != EVERY_NAMESPACE:
        query = query.where(Deployment.namespace == silence.namespace)
    return caller.session.scalar(query) or 0
