"""People, services and groups, the tokens that prove who they are, and who holds what."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, cast
from urllib.parse import urlencode

from bailiwick.client.capability import Capability, given
from bailiwick.client.references import path
from bailiwick.client.shapes import (
    AccessReview,
    Group,
    Holding,
    Member,
    NewToken,
    Page,
    Principal,
    Token,
)

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

    def names(self, ids: Iterable[str]) -> dict[str, str]:
        """The names behind ids that other answers mention, 500 at most."""
        wanted = sorted(set(ids))
        known = self._http.get("/principal-names", id=wanted)["names"] if wanted else {}
        return cast("dict[str, str]", known)

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

    def update(
        self,
        name: str,
        *,
        clearance_level: str | None = None,
        clearance_compartments: Sequence[str] | None = None,
        disabled: bool | None = None,
    ) -> Principal:
        """Change a clearance (nobody their own), disable a principal, or accept it again."""
        compartments = None if clearance_compartments is None else list(clearance_compartments)
        body = given(
            clearance_level=clearance_level,
            clearance_compartments=compartments,
            disabled=disabled,
        )
        return cast("Principal", self._http.write("PATCH", path("principals", name), body))

    def grant(
        self, name: str, role: str, *, namespace: str = EVERY_NAMESPACE, on: str | None = None
    ) -> Principal:
        """Grant a role in a namespace, or `on` one object of it (`models/NAME`)."""
        answer = self._http.write(
            "POST", path("principals", name, "roles"), _role(role, namespace, on)
        )
        return cast("Principal", answer)

    def revoke(
        self, name: str, role: str, *, namespace: str = EVERY_NAMESPACE, on: str | None = None
    ) -> None:
        """Take a role away that the principal holds itself."""
        address = path("principals", name, "roles", namespace, role)
        self._http.write("DELETE", address + _query(object=on))

    def disable(self, name: str) -> Principal:
        """Accept none of this principal's tokens any more."""
        return cast("Principal", self._http.write("POST", path("principals", name, "disable")))

    def set_password(self, name: str, password: str) -> None:
        """Give a person a password for the console, and end their sessions."""
        body = {"new_password": password}
        self._http.write("POST", path("principals", name, "password"), body)

    def sign_out(self, name: str) -> None:
        """End a person's console sessions."""
        self._http.write("POST", path("principals", name, "sign-out"))


class Groups(Capability):
    """Principals that hold the same roles."""

    def page(self, *, limit: int | None = None, cursor: str | None = None) -> Page[Group]:
        """One page of groups."""
        return cast("Page[Group]", self._http.get("/groups", limit=limit, cursor=cursor))

    def list(self) -> Iterator[Group]:
        """All groups."""
        return self._http.items("/groups")

    def get(self, name: str) -> Group:
        """One group."""
        return cast("Group", self._http.get(path("groups", name)))

    def create(self, name: str, *, description: str = "", claim: str | None = None) -> Group:
        """Create a group; `claim`: the identity provider's word for it."""
        body = given(name=name, description=description, claim=claim)
        return cast("Group", self._http.write("POST", "/groups", body))

    def update(self, name: str, **changes: str | None) -> Group:
        """Change `description` or `claim` (None: members come by hand only)."""
        return cast("Group", self._http.write("PATCH", path("groups", name), changes))

    def members(self, name: str) -> Iterator[Member]:
        """Who is in a group, newest members first."""
        return self._http.items(path("groups", name, "members"))

    def add(self, name: str, principal: str) -> Member:
        """Add a member by hand; no sign-in ends that."""
        body = {"principal": principal}
        return cast("Member", self._http.write("POST", path("groups", name, "members"), body))

    def remove(self, name: str, principal: str) -> None:
        """End a membership; one that the identity provider still claims returns at sign-in."""
        self._http.write("DELETE", path("groups", name, "members", principal))

    def grant(
        self, name: str, role: str, *, namespace: str = EVERY_NAMESPACE, on: str | None = None
    ) -> Group:
        """Grant a role to all members."""
        answer = self._http.write("POST", path("groups", name, "roles"), _role(role, namespace, on))
        return cast("Group", answer)

    def revoke(
        self, name: str, role: str, *, namespace: str = EVERY_NAMESPACE, on: str | None = None
    ) -> None:
        """Take a role away from all members."""
        address = path("groups", name, "roles", namespace, role)
        self._http.write("DELETE", address + _query(object=on))


class Tokens(Capability):
    """API tokens."""

    def page(
        self, *, limit: int | None = None, cursor: str | None = None, **only: str | None
    ) -> Page[Token]:
        """One page of what is known of tokens; `only`: `principal`, `state`, `unused_since`."""
        answer = self._http.get("/tokens", limit=limit, cursor=cursor, **only)
        return cast("Page[Token]", answer)

    def list(self, **only: str | None) -> Iterator[Token]:
        """What is known of tokens; `only`: `principal`, `state`, `unused_since`."""
        return self._http.items("/tokens", **only)

    def create(
        self,
        principal: str,
        *,
        name: str,
        expires_at: datetime | Literal["never"] | None = None,
        scopes: Sequence[str] | None = None,
        namespaces: Sequence[str] | None = None,
    ) -> NewToken:
        """Make a token, for everything or for some scopes and namespaces.

        It ends after the installation's usual time unless `expires_at` says otherwise. The answer
        holds it, this once; the API keeps nothing to repeat. If that answer is lost on the way,
        the error's code is `answer-not-kept`: revoke the token (`list` shows it) and make another.
        """
        body = given(
            principal=principal,
            name=name,
            scopes=None if scopes is None else list(scopes),
            namespaces=None if namespaces is None else list(namespaces),
        )
        if expires_at is not None:
            body["expires_at"] = None if expires_at == "never" else expires_at.isoformat()
        return cast("NewToken", self._http.write("POST", "/tokens", body))

    def revoke(self, token_id: str) -> None:
        """Refuse a token from now on."""
        self._http.write("DELETE", path("tokens", token_id))


class AccessReviews(Capability):
    """Who could do what on what, as of any moment, and who used it."""

    def page(
        self,
        *,
        at: datetime | None = None,
        namespace: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> AccessReview:
        """One page of the report, principal by principal; all pages are about the same moment."""
        about = _about(at, namespace)
        answer = self._http.get("/access-review", **about, limit=limit, cursor=cursor)
        return cast("AccessReview", answer)

    def list(
        self, *, at: datetime | None = None, namespace: str | None = None
    ) -> Iterator[Holding]:
        """The whole report."""
        return self._http.items("/access-review", **_about(at, namespace))

    def export(
        self, file: str | Path, *, at: datetime | None = None, namespace: str | None = None
    ) -> Path:
        """Write the whole report to a CSV file."""
        target = Path(file)
        self._http.download(
            "/access-review" + _query(format="csv", **_about(at, namespace)), target
        )
        return target


def _role(role: str, namespace: str, on: str | None) -> dict[str, Any]:
    return given(role=role, namespace=namespace, object=on)


def _about(at: datetime | None, namespace: str | None) -> dict[str, str | None]:
    return {"at": at.isoformat() if at else None, "namespace": namespace}


def _query(**fields: str | None) -> str:
    stated = given(**fields)
    return f"?{urlencode(stated)}" if stated else ""
