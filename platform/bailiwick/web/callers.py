"""Who is calling, and what they may: the one object through which routes ask the policy."""

from collections.abc import Mapping
from datetime import datetime
from functools import cached_property
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Request
from sqlalchemy import ColumnElement
from sqlalchemy.orm import InstrumentedAttribute, Session

from bailiwick.access import Principal, authenticate, note_use
from bailiwick.core.errors import Unauthenticated
from bailiwick.lifecycle.platform import Platform
from bailiwick.policy import Actor, Resource, Rules, actor_of, ask, require, visible
from bailiwick.web.sessions import COOKIE, session_principal


class Caller:
    """One request's session, moment and actor.

    `answers_secret` is set by a route whose answer must not be stored for a retry.
    """

    def __init__(
        self, session: Session, platform: Platform, principal: Principal, action: str
    ) -> None:
        self.session = session
        self.platform = platform
        self.principal = principal
        self.action = action
        self.at: datetime = platform.clock.now()
        self.answers_secret = False
        self._decided = False

    @classmethod
    def identify(
        cls, request: Request, session: Session, platform: Platform, action: str
    ) -> "Caller":
        """From the bearer token, or from the console's cookie on a request of its own pages."""
        scheme, _, secret = request.headers.get("authorization", "").partition(" ")
        now = platform.clock.now()
        if scheme.lower() == "bearer" and secret:
            principal, token = authenticate(session, secret.strip(), at=now)
            if request.method not in ("GET", "HEAD"):
                note_use(token, at=now)
            return cls(session, platform, principal, action)
        cookie = request.cookies.get(COOKIE)
        if cookie:
            principal = session_principal(session, cookie, request, at=now)
            return cls(session, platform, principal, action)
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
    ) -> None:
        """Go on only if the policy allows the route's action (or another) on the resource."""
        require(
            self.session,
            self.rules,
            actor=self.actor,
            action=action or self.action,
            resource=resource,
            context=context,
            at=self.at,
        )
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
