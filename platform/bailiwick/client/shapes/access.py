"""People, services, groups, tokens, and who holds what."""

from typing import NotRequired, TypedDict


class Role(TypedDict):
    """A role: in every namespace (`*`), in one, or on one object of one."""

    role: str
    namespace: str
    object: str | None


class HeldRole(Role):
    """A role that is held: the principal's own, or through the group named."""

    group: str | None


class Principal(TypedDict):
    """A person or service with all roles that it holds."""

    id: str
    name: str
    kind: str
    clearance_level: str
    clearance_compartments: list[str]
    roles: list[HeldRole]
    disabled_at: str | None
    created_at: str


class TokenInUse(TypedDict):
    """What the caller's token narrows: None does not."""

    id: str
    scopes: list[str] | None
    namespaces: list[str] | None
    expires_at: str | None


class Me(Principal):
    """The caller, and what the token in use is for."""

    token: TokenInUse | None


class Group(TypedDict):
    """A group with the roles that it gives, and how many hold them."""

    id: str
    name: str
    description: str
    claim: str | None
    roles: list[Role]
    members: int
    created_at: str


class Member(TypedDict):
    """A member: added by hand (`manual`), or by what the identity provider claims (`claim`)."""

    principal_id: str
    principal: str
    source: str
    since: str
    added_by: str


class Token(TypedDict):
    """What is known of a token; never the token itself."""

    id: str
    principal_id: str
    name: str
    scopes: list[str] | None
    namespaces: list[str] | None
    vouched_by: list[str]
    created_at: str
    created_by: str
    expires_at: str | None
    revoked_at: str | None
    last_used_at: str | None


class NewToken(Token):
    """A token just made. It is shown this once."""

    token: str


class Holding(TypedDict):
    """A role that a principal held, how it came by it, and what it did with it."""

    principal_id: str
    principal: str
    kind: str
    disabled: bool
    clearance_level: str
    clearance_compartments: list[str]
    role: str
    namespace: str
    object: str | None
    group: str | None
    member_since: str | None
    granted_by: str
    granted_at: str
    uses: int
    last_used_at: str | None
    token_last_used_at: str | None


class AccessReview(TypedDict):
    """One page of what was held at a moment, principal by principal."""

    at: str
    items: list[Holding]
    next_cursor: str | None


class ProtectedResource(TypedDict):
    """How one signs in (RFC 9728); what is left out is not there."""

    resource: str
    resource_name: str
    bearer_methods_supported: list[str]
    authorization_servers: NotRequired[list[str]]
    audience: NotRequired[str]
    client_id: NotRequired[str]
