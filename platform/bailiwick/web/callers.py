"""Who is calling, and what they may: the one object through which routes ask the policy."""

from collections.abc import Mapping
from datetime import datetime
from functools import cached_property
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Request
from sqlalchemy import ColumnElement
from sqlalchemy.orm import InstrumentedAttribute, Session

from bailiwick.access import Principal, authenticate, is_use_unnoted
from bailiwick.core.errors import Unauthenticated
from bailiwick.lifecycle.platform import Platform
from bailiwick.policy import Actor, Resource, Rules, actor_of, ask, permit, require, visible
from bailiwick.web.sessions import COOKIE, session_principal


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
    ) -> None:
        self.session = session
        self.platform = platform
        self.principal = principal
        self.action = action
        self.writes = writes
        self.at: datetime = platform.clock.now()
        self.answers_secret = False
        # Set when it is time to note that the caller's token was used.
        self.unnoted_token_id: UUID | None = None
        self._decided = False

    @classmethod
    def identify(
        cls, request: Request, session: Session, platform: Platform, action: str, *, writes: bool
    ) -> "Caller":
        """From the bearer token, or from the console's cookie on a request of its own pages."""
        scheme, _, secret = request.headers.get("authorization", "").partition(" ")
        now = platform.clock.now()
        if scheme.lower() == "bearer" and secret:
            principal, token = authenticate(session, secret.strip(), at=now)
            caller = cls(session, platform, principal, action, writes=writes)
            caller.unnoted_token_id = token.id if is_use_unnoted(token, at=now) else None
            return caller
        cookie = request.cookies.get(COOKIE)
        if cookie:
            principal = session_principal(session, cookie, request, at=now)
            return cls(session, platform, principal, action, writes=writes)
        raise Unauthenticated(
            "send a token: `Authorization: Bearer bwk_…`; an admin makes one with "
            "`bailiwick token create NAME`"
        )

    @property
    def principal_id(self) -> UUID:
        """Who is calling."""
        return self.principal.id

    @cached_property
    def actor(self) -> Actor:
        """The caller as the policy sees them."""
        return actor_of(self.session, self.principal)

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

    def may(self, resource: Resource, action: str) -> bool:
        """Whether the policy would allow it; for pages that offer only what works."""
        asked = ask(self.rules, actor=self.actor, action=action, resource=resource, at=self.at)
        return asked.verdict.allowed

    def visible(
        self,
        resource_type: str,
        namespace: InstrumentedAttribute[str] | InstrumentedAttribute[str | None],
        label_id: InstrumentedAttribute[str] | InstrumentedAttribute[str | None],
        *,
        action: str,
    ) -> ColumnElement[bool]:
        """The WHERE clause of a list: only rows whose reading the policy would allow."""
        self._decided = True
        return visible(
            self.session,
            self.rules,
            actor=self.actor,
            action=action,
            resource_type=resource_type,
            namespace=namespace,
            label_id=label_id,
        )

    def decided_by_use_case(self) -> None:
        """The use case that the route calls has asked the policy itself."""
        self._decided = True

    def check_decided(self) -> None:
        """A route that never asked is a defect, and its answer is withheld."""
        if not self._decided:
            message = f"the route of {self.action} answered without a policy decision"
            raise RuntimeError(message)


def _caller(request: Request) -> Caller:
    caller: Caller = request.state.caller
    return caller


Governed = Annotated[Caller, Depends(_caller)]
