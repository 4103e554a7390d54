"""Who is calling, and what they may: the one object through which routes ask the policy."""

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cached_property, partial
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Request
from sqlalchemy import ColumnElement, SQLColumnExpression
from sqlalchemy.orm import InstrumentedAttribute, Session

from bailiwick.access import Principal, Token, authenticate, is_use_unnoted, note_use
from bailiwick.core.errors import Unauthenticated
from bailiwick.lifecycle.platform import Platform
from bailiwick.policy import (
    Actor,
    Resource,
    Rules,
    Waivable,
    actor_of,
    ask,
    permit,
    require,
    visible,
)
from bailiwick.web.proofs import bearer_of, failures_counted
from bailiwick.web.sessions import (
    cookie_of,
    is_session_unnoted,
    note_session,
    require_own_origin,
    signed_in,
)


class Caller:
    """One request's session, moment and actor; `writes` says whether the session may write.

    `answers_secret` is set by a route whose answer must not be stored for a retry.
    """

    def __init__(
        self,
        session: Session,
        platform: Platform,
        principal: Principal,
        action: str,
        *,
        writes: bool,
        token: Token | None = None,
    ) -> None:
        self.session = session
        self.platform = platform
        self.principal = principal
        self.action = action
        self.writes = writes
        self.token = token  # what it was made for narrows what the caller may do
        self.session_id: UUID | None = None  # of the console, if that is how they came
        self.at: datetime = platform.clock.now()
        self.answers_secret = False
        # What is to be noted once the answer stands: that a token or a session was used.
        self.notes: list[Callable[[Session], None]] = []
        if token is not None and is_use_unnoted(token, at=self.at):
            self.notes.append(partial(note_use, token_id=token.id, at=self.at))
        self._decided = False

    @classmethod
    def identify(
        cls,
        request: Request,
        session: Session,
        platform: Platform,
        action: str,
        *,
        writes: bool,
        person_id: UUID | None = None,
    ) -> "Caller":
        """By a JWT, which has proven `person_id`, an API token, or the console's cookie."""
        known = partial(cls, session, platform, action=action, writes=writes)
        now = platform.clock.now()
        bearer, cookie = bearer_of(request), cookie_of(request)
        if person_id is not None:
            return known(session.get_one(Principal, person_id))
        if bearer is not None:
            with failures_counted(request):
                principal, token = authenticate(session, bearer, at=now)
            return known(principal, token=token)
        if cookie:
            require_own_origin(request)
            found = signed_in(session, cookie, at=now)
            caller = known(found.principal, token=found.token)
            caller.session_id = found.kept.id
            if is_session_unnoted(found.kept, at=now):
                caller.notes.append(partial(note_session, session_id=found.kept.id, at=now))
            return caller
        raise Unauthenticated(
            "send a token: `Authorization: Bearer bwk_…`; an admin makes one with "
            "`bailiwick token create NAME`, and `bailiwick login` signs you in where there is "
            "single sign-on"
        )

    @property
    def principal_id(self) -> UUID:
        """Who is calling."""
        return self.principal.id

    @cached_property
    def actor(self) -> Actor:
        """The caller as the policy sees them."""
        return actor_of(self.session, self.principal, self.token)

    @property
    def rules(self) -> Rules:
        """The policy bundle in force."""
        return self.platform.rules

    def require(
        self,
        resource: Resource,
        *,
        action: str | None = None,
        context: Mapping[str, Any] | None = None,
        within: Session | None = None,
    ) -> None:
        """Go on only if the policy allows the route's action (or another) on the resource.

        The answer is recorded with the change: in the caller's session if it writes, or
        `within` the transaction that a route opened itself.
        """
        question: dict[str, Any] = {
            "actor": self.actor,
            "action": action or self.action,
            "resource": resource,
            "context": context,
            "at": self.at,
        }
        recording = within or (self.session if self.writes else None)
        if recording is None:
            permit(self.rules, **question)
        else:
            require(recording, self.rules, **question)
        self._decided = True

    def may(
        self, resource: Resource, action: str, context: Mapping[str, Any] | None = None
    ) -> bool:
        """Whether the policy would allow it; for pages that offer only what works."""
        asked = ask(
            self.rules,
            actor=self.actor,
            action=action,
            resource=resource,
            at=self.at,
            context=context,
        )
        return asked.verdict.allowed

    def visible(
        self,
        resource_type: str,
        namespace: InstrumentedAttribute[str] | InstrumentedAttribute[str | None],
        label_id: InstrumentedAttribute[str] | InstrumentedAttribute[str | None],
        *,
        action: str,
        objects: tuple[str, SQLColumnExpression[str]] | None = None,
        waivable: Waivable | None = None,
    ) -> ColumnElement[bool]:
        """The WHERE clause of a list: only rows whose reading the policy would allow.

        `objects`: the kind of object whose roles reach the rows, and the column with its name.
        `waivable`: rows whose label counts as the lower one that acts for them.
        """
        self._decided = True
        return visible(
            self.session,
            self.rules,
            actor=self.actor,
            action=action,
            resource_type=resource_type,
            namespace=namespace,
            label_id=label_id,
            at=self.at,
            objects=objects,
            waivable=waivable,
        )

    def decided_by_use_case(self) -> None:
        """The use case that the route calls has asked the policy itself."""
        self._decided = True

    def check_decided(self) -> None:
        """A route that never asked is a defect, and its answer is withheld."""
        if not self._decided:
            message = f"the route of {self.action} answered without a policy decision"
            raise RuntimeError(message)


async def _caller(request: Request) -> Caller:  # async: no thread is needed to look
    caller: Caller = request.state.caller
    return caller


Governed = Annotated[Caller, Depends(_caller)]
