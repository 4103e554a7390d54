"""`/me/password`, `/me/sign-out`, `/principals/{name}/…`: local passwords, and ending sessions."""

from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import Field, SecretStr

from bailiwick.access import (
    Principal,
    check_password,
    find_principal,
    forgive,
    forgive_name,
    keep_password,
    note_attempt,
    require_whole,
    stored_password,
)
from bailiwick.access.passwords import MAX_LENGTH
from bailiwick.api.schemas import Body
from bailiwick.core.errors import Conflict, Denied
from bailiwick.policy import PLATFORM, Resource, require_clearance_of
from bailiwick.web import Governed, GovernedRoute, acts, end_sessions
from bailiwick.web.proofs import address_of

router = APIRouter(tags=["access"], route_class=GovernedRoute)

Typed = Annotated[SecretStr, Field(max_length=4 * MAX_LENGTH)]


class PasswordIn(Body):
    """Somebody's new password."""

    new_password: Typed


class OwnPasswordIn(PasswordIn):
    """One's own new password; with the one that stands, if there is one."""

    current_password: Typed = SecretStr("")


class WrongPassword(Denied):
    """The current password was not the one that was given."""

    code = "wrong-password"


@router.post("/me/password", status_code=204, **acts("self:update", own_transaction=True))
def change_own_password(body: OwnPasswordIn, caller: Governed, request: Request) -> Response:
    """Change one's own password. Ends all other sessions."""
    caller.require(PLATFORM)
    require_whole(caller.token)
    _check_possible(caller)
    check_password(body.new_password.get_secret_value())
    found = stored_password(caller.session, caller.principal.name)
    caller.session.close()  # hashing takes long: nothing waits for it
    if found is not None:
        _confirm(caller, request, body.current_password.get_secret_value(), found[1])
    _change(caller, caller.principal, PLATFORM, body)
    return Response(status_code=204)


@router.post(
    "/principals/{name}/password",
    status_code=204,
    **acts("principal:update", own_transaction=True),
)
def set_password(name: str, body: PasswordIn, caller: Governed) -> Response:
    """Give a person a password, and end their sessions. Also lifts a lock-out of their name."""
    resource = Resource("Principal", name, None, None)
    caller.require(resource)
    require_whole(caller.token)
    principal = find_principal(caller.session, name)
    require_clearance_of(caller.rules.scheme, caller.actor, principal)
    _check_possible(caller)
    check_password(body.new_password.get_secret_value())
    caller.session.close()
    _change(caller, principal, resource, body)
    return Response(status_code=204)


@router.post("/me/sign-out", status_code=204, **acts("self:update"))
def sign_out_everywhere(caller: Governed) -> Response:
    """End all console sessions of one's own."""
    caller.require(PLATFORM)
    end_sessions(caller.session, caller.principal_id, actor_id=caller.principal_id, at=caller.at)
    return Response(status_code=204)


@router.post("/principals/{name}/sign-out", status_code=204, **acts("principal:update"))
def sign_out_somebody(name: str, caller: Governed) -> Response:
    """End all console sessions of a person. To keep them out, disable them."""
    caller.require(Resource("Principal", name, None, None))
    principal = find_principal(caller.session, name)
    end_sessions(caller.session, principal.id, actor_id=caller.principal_id, at=caller.at)
    return Response(status_code=204)


def _check_possible(caller: Governed) -> None:
    if not caller.platform.settings.local_passwords:
        raise Conflict(
            "this installation has no passwords, for it has an OpenID provider or a database of "
            "its own; sign in there, or with an API token"
        )


def _confirm(caller: Governed, request: Request, password: str, stored: str) -> None:
    """A session that somebody else got hold of is not enough to change the password."""
    database, name, address = caller.platform.database, caller.principal.name, address_of(request)
    with database.transaction() as session:
        note_attempt(session, address=address, name=name, at=caller.at)
    if not caller.platform.hasher.fits(password, stored):
        raise WrongPassword("the current password is wrong; nothing was changed, try again")
    with database.transaction() as session:
        forgive(session, address=address, name=name, at=caller.at)


def _change(caller: Governed, principal: Principal, resource: Resource, body: PasswordIn) -> None:
    hashed = caller.platform.hasher.hash(body.new_password.get_secret_value())
    with caller.platform.database.transaction() as session:
        caller.require(resource, within=session)
        keep_password(session, principal, hashed, actor_id=caller.principal_id, at=caller.at)
        forgive_name(session, principal.name)
        end_sessions(
            session,
            principal.id,
            actor_id=caller.principal_id,
            at=caller.at,
            keep=caller.session_id,
        )
