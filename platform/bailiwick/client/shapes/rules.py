"""Rules and their use, the audit log, and who may do what."""

from typing import Any, TypedDict


class Vote(TypedDict):
    """One person's answer to a request for approval."""

    approver_id: str
    approve: bool
    comment: str
    at: str


class Approval(TypedDict):
    """A request for approval of one exact subject (its digest)."""

    id: str
    namespace: str
    subject_type: str
    subject_id: str
    subject_digest: str
    purpose: str
    requested_by: str
    required: int
    state: str
    created_at: str
    expires_at: str
    votes: list[Vote]


class Decision(TypedDict):
    """One answer of the policy engine."""

    id: str
    at: str
    principal_id: str
    action: str
    resource_type: str
    resource_id: str
    namespace: str | None
    allowed: bool
    policy_ids: list[str]
    reason: str
    context: dict[str, Any]
    bundle_digest: str


class Policy(TypedDict):
    """One Cedar policy."""

    id: str
    effect: str
    reason: str
    file: str
    text: str


class Bundle(TypedDict):
    """The policy bundle in force."""

    digest: str
    policies: list[Policy]
    risk_tiers: list[dict[str, Any]]


class Scheme(TypedDict):
    """The words that labels are made of."""

    levels: list[str]
    compartments: dict[str, str]
    zones: dict[str, str | None]
    purposes: dict[str, str]


class AuditEvent(TypedDict):
    """One event; `index` is its place in the tree, None until it has one."""

    index: int | None
    event: dict[str, Any]


class Checkpoint(TypedDict):
    """The newest signed statement of the audit log's size and root."""

    size: int
    root: str
    note: str
    vkey: str
    at: str


class Verification(TypedDict):
    """The result of recomputing the whole audit log."""

    ok: bool
    size: int
    root: str | None
    signed_at: str | None
    checkpoints: int
    waiting: int
    problem: str | None


class Role(TypedDict):
    """A role, in one namespace or in every one (`*`)."""

    role: str
    namespace: str


class Principal(TypedDict):
    """A person or service with its roles."""

    id: str
    name: str
    kind: str
    clearance_level: str
    clearance_compartments: list[str]
    roles: list[Role]
    disabled_at: str | None
    created_at: str


class Token(TypedDict):
    """What is known of a token; never the token itself."""

    id: str
    principal_id: str
    name: str
    created_at: str
    expires_at: str | None
    revoked_at: str | None
    last_used_at: str | None


class NewToken(Token):
    """A token just made. It is shown this once."""

    token: str
