"""The policies, how they come into force, and the decisions that they made."""

from typing import Any, TypedDict


class Policy(TypedDict):
    """One Cedar policy."""

    id: str
    effect: str
    reason: str
    file: str
    text: str


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
    context_digest: str
    waiver_id: str | None
    bundle_digest: str


class Way(TypedDict):
    """Changes that together would make it allowed, and who can bring them about."""

    changes: list[str]
    ask: list[str]


class Explanation(Decision):
    """A decision in words: who asked for what, what decided it, what would change the answer."""

    principal: str | None
    resource: str | None
    asked: str
    policies: list[Policy]
    policies_as_of: str
    today: str
    would_be_allowed_if: list[Way]


class RulesInForce(TypedDict):
    """The policy bundle in force; `since` is None for the one that came with Bailiwick."""

    digest: str
    since: str | None
    policies: list[Policy]
    risk_tiers: list[dict[str, Any]]


class Scheme(TypedDict):
    """The words that labels are made of."""

    levels: list[str]
    compartments: dict[str, str]
    zones: dict[str, str | None]
    purposes: dict[str, str]


class Bundle(TypedDict):
    """A policy bundle that was proposed: `proposed`, `in force` or `was in force`."""

    digest: str
    state: str
    note: str
    passed: bool
    proposed_by: str
    at: str


class BundleDetail(Bundle):
    """A bundle with its files, and the report of its checks."""

    checks: dict[str, Any]
    files: dict[str, str]


class BundleApproval(TypedDict):
    """The request for approval that another person is to decide."""

    id: str
    state: str
    required: int
    expires_at: str


class Activation(TypedDict):
    """A bundle came into force."""

    number: int
    old_digest: str
    new_digest: str
    reason: str
    actor_id: str
    at: str


class DryRun(TypedDict):
    """What would change: in the bundle itself, and in the answers to recorded questions."""

    diff: dict[str, Any]
    dry_run: dict[str, Any]
