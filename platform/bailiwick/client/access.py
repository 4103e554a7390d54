"""People, services, and the tokens that prove who they are."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Literal, cast

from bailiwick.client.capability import Capability, given
from bailiwick.client.references import path
from bailiwick.client.shapes import NewToken, Page, Principal, Token

EVERY_NAMESPACE = "*"


class Principals(Capability):
    """People, services and the roles they hold."""

    def page(self, *, limit: int | None = None, cursor: str | None = None) -> Page[Principal]:
        """One page of principals."""
        return cast("Page[Principal]", self._http.get("/principals", limit=limit, cursor=cursor))

    def list(self) -> Iterator[Principal]:
        """All principals."""
        return self._http.items("/principals")

    def get(self, name: str) -> Principal:
        """One principal."""
        return cast("Principal", self._http.get(path("principals", name)))

    def create(
        self,
        name: str,
        *,
        kind: Literal["person", "service"],
        clearance_level: str | None = None,
        clearance_compartments: Sequence[str] = (),
        roles: Sequence[tuple[str, str]] = (),
    ) -> Principal:
        """Create a person or service; `roles` are pairs of role and namespace (`*`: every one)."""
        body = given(
            name=name,
            kind=kind,
            clearance_level=clearance_level,
            clearance_compartments=list(clearance_compartments),
            roles=[{"role": role, "namespace": namespace} for role, namespace in roles],
        )
        return cast("Principal", self._http.write("POST", "/principals", body))

    def grant(self, name: str, role: str, *, namespace: str = EVERY_NAMESPACE) -> Principal:
        """Grant a role."""
        body = {"role": role, "namespace": namespace}
        return cast("Principal", self._http.write("POST", path("principals", name, "roles"), body))

    def revoke(self, name: str, role: str, *, namespace: str = EVERY_NAMESPACE) -> None:
        """Take a role away."""
        self._http.write("DELETE", path("principals", name, "roles", namespace, role))

    def disable(self, name: str) -> Principal:
        """Accept none of this principal's tokens any more."""
        return cast("Principal", self._http.write("POST", path("principals", name, "disable")))


class Tokens(Capability):
    """API tokens."""

    def page(self, *, limit: int | None = None, cursor: str | None = None) -> Page[Token]:
        """One page of what is known of tokens."""
        return cast("Page[Token]", self._http.get("/tokens", limit=limit, cursor=cursor))

    def list(self) -> Iterator[Token]:
        """What is known of all tokens."""
        return self._http.items("/tokens")

    def create(self, principal: str, *, name: str, expires_at: datetime | None = None) -> NewToken:
        """Make a token. The answer holds it, this once; the API keeps nothing to repeat.

        If that answer is lost on the way, the error's code is `answer-not-kept`: revoke the token
        (`list` shows it) and make another.
        """
        expiry = expires_at and expires_at.isoformat()
        body = given(principal=principal, name=name, expires_at=expiry)
        return cast("NewToken", self._http.write("POST", "/tokens", body))

    def revoke(self, token_id: str) -> None:
        """Refuse a token from now on."""
        self._http.write("DELETE", path("tokens", token_id))
