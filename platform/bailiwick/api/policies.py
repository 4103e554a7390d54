"""`/policies`, `/classifications`: the rules in force, and how others come into force."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import Field
from sqlalchemy import select

from bailiwick.api.schemas import Body, Schema, Text
from bailiwick.lifecycle import bundles
from bailiwick.lifecycle.bundle_checks import check_bundle
from bailiwick.lifecycle.rulesets import Ruleset
from bailiwick.policy import PLATFORM, BundleActivation, PolicyBundle, Resource
from bailiwick.policy.bundle_diff import diff_bundles
from bailiwick.policy.dry_run import LAST_DECISIONS, dry_run
from bailiwick.policy.questions import last_questions
from bailiwick.web import Cursor, Governed, GovernedRoute, Limit, Page, acts, page_of

router = APIRouter(tags=["rules"], route_class=GovernedRoute)

Last = Annotated[int, Field(ge=1, le=10_000, description="How many decisions to ask again.")]
Files = Annotated[
    dict[str, str],
    Field(min_length=1, max_length=200, description="Path inside the bundle to text."),
]


class PolicyOut(Schema):
    """One Cedar policy."""

    id: str
    effect: str
    reason: str
    file: str
    text: str


class RulesInForceOut(Schema):
    """The policy bundle in force; `since` when it was activated, null for the one shipped."""

    digest: str
    since: datetime | None
    policies: list[PolicyOut]
    risk_tiers: list[dict[str, Any]]


class SchemeOut(Schema):
    """The words that labels are made of."""

    levels: list[str]
    compartments: dict[str, str]
    zones: dict[str, str | None]
    purposes: dict[str, str]


class BundleIn(Body):
    """The files of a policy bundle: policies, schema, words of labels, gates, and its tests."""

    files: Files
    note: Text = ""
    last: Last = LAST_DECISIONS


class DryRunIn(Body):
    """Policies to put the questions of recorded decisions to."""

    files: Files
    last: Last = LAST_DECISIONS


class ReasonIn(Body):
    """Why."""

    reason: Annotated[Text, Field(min_length=1)]


class RollbackIn(ReasonIn):
    """Why, and to which bundle; by default to the one that was in force before."""

    digest: str | None = None


class BundleOut(Schema):
    """A policy bundle that was proposed. Only one that passed its checks can be activated."""

    digest: str
    state: bundles.BundleState
    note: str
    passed: bool
    proposed_by: UUID
    at: datetime


class BundleDetailOut(BundleOut):
    """A bundle with its files, and the report of its checks."""

    checks: dict[str, Any]
    files: dict[str, str]


class BundlePage(Page):
    """Bundles, newest first."""

    items: list[BundleOut]


class BundleApprovalOut(Schema):
    """The request for approval that another person is to decide."""

    id: UUID
    state: str
    required: int
    expires_at: datetime


class ActivationOut(Schema):
    """A bundle came into force."""

    number: int
    old_digest: str
    new_digest: str
    reason: str
    actor_id: UUID
    at: datetime


class DryRunOut(Schema):
    """What would change: in the bundle itself, and in the answers to recorded questions."""

    diff: dict[str, Any]
    dry_run: dict[str, Any]


@router.get("/policies", **acts("policy:read"))
def read_policies(caller: Governed) -> RulesInForceOut:
    """The policy bundle in force, as it stands in its files."""
    caller.require(PLATFORM)
    rules = caller.rules
    since = caller.session.scalar(
        select(BundleActivation.at)
        .where(BundleActivation.new_digest == rules.digest)
        .order_by(BundleActivation.number.desc())
        .limit(1)
    )
    return RulesInForceOut(
        digest=rules.digest,
        since=since,
        policies=[PolicyOut.model_validate(policy) for policy in rules.engine.policies.values()],
        risk_tiers=[
            {field: getattr(tier, field) for field in tier.__dataclass_fields__}
            for tier in caller.platform.tiers.values()
        ],
    )


@router.get("/classifications", **acts("classification:read"))
def read_classifications(caller: Governed) -> SchemeOut:
    """The levels, compartments, zones and purposes that labels may name."""
    caller.require(PLATFORM)
    scheme = caller.rules.scheme
    return SchemeOut(
        levels=list(scheme.levels),
        compartments=dict(scheme.compartments),
        zones=dict(scheme.zones),
        purposes=dict(scheme.purposes),
    )


@router.get("/policies/bundles", **acts("bundle:list"))
def list_bundles(caller: Governed, limit: Limit = 50, cursor: Cursor = None) -> BundlePage:
    """All bundles that were proposed, newest first; they are no secret."""
    caller.require(PLATFORM)
    rows, following = page_of(
        caller.session, select(PolicyBundle), PolicyBundle.id, limit=limit, cursor=cursor
    )
    states = _states(caller, rows)
    items = [BundleOut(**_shown(row), state=states[row.digest]) for row in rows]
    return BundlePage(items=items, next_cursor=following)


@router.post("/policies/bundles", status_code=201, **acts("bundle:propose", own_transaction=True))
def propose(body: BundleIn, caller: Governed) -> BundleDetailOut:
    """Propose a bundle: it is checked, tested, put the last decisions' questions, and kept.

    One that fails is kept, too, with the report that says why. The same files again are the
    same bundle, with the report that it got first.
    """
    files = bundles.checked_files(body.files)
    caller.require(Resource("PolicyBundle", "proposed", None, None))
    checks = check_bundle(caller.session, files, now=caller.rules, last=body.last)
    with caller.platform.database.transaction() as session:
        bundle = bundles.propose_bundle(
            session,
            files,
            checks=checks,
            note=body.note,
            rules=caller.rules,
            actor=caller.actor,
            at=caller.at,
        )
        return _detail(caller, bundle)


@router.get("/policies/bundles/{digest}", **acts("bundle:read"))
def read_bundle(digest: str, caller: Governed) -> BundleDetailOut:
    """One bundle with its files and its report; who may list them may read it."""
    caller.require(PLATFORM, action="bundle:list")
    return _detail(caller, bundles.find_bundle(caller.session, digest))


@router.get("/policies/bundles/{digest}/diff", **acts("bundle:read"))
def diff(
    digest: str,
    caller: Governed,
    against: Annotated[str | None, Query(description="Another bundle's digest.")] = None,
) -> dict[str, Any]:
    """What differs from the bundle in force, or from another: policies, words, actions, tests."""
    caller.require(PLATFORM, action="bundle:list")
    old, new = (
        bundles.rules_of_bundle(caller.session, caller.platform, one)
        for one in (against or caller.rules.digest, digest)
    )
    return diff_bundles(old, new)


@router.post("/policies/bundles/{digest}/approval", status_code=201, **acts("approval:request"))
def ask_for_approval(digest: str, caller: Governed) -> BundleApprovalOut:
    """Ask another person to approve exactly this bundle."""
    bundle = bundles.find_bundle(caller.session, digest)
    caller.decided_by_use_case()
    asked = bundles.ask_for_bundle_approval(
        caller.session, bundle, rules=caller.rules, actor=caller.actor, at=caller.at
    )
    return BundleApprovalOut.model_validate(asked)


@router.post("/policies/bundles/{digest}/activate", **acts("bundle:activate"))
def activate(digest: str, body: ReasonIn, caller: Governed) -> ActivationOut:
    """Put a bundle in force that passed its checks and was approved by another person."""
    bundle = bundles.find_bundle(caller.session, digest)
    caller.decided_by_use_case()
    activation = bundles.activate_bundle(
        caller.session,
        caller.platform,
        bundle,
        reason=body.reason,
        actor=caller.actor,
        at=caller.at,
    )
    return ActivationOut.model_validate(activation)


@router.post("/policies/rollback", **acts("bundle:rollback"))
def roll_back(body: RollbackIn, caller: Governed) -> ActivationOut:
    """Bring back the bundle that was in force before, or another one that has been."""
    caller.decided_by_use_case()
    activation = bundles.roll_back_bundle(
        caller.session,
        caller.platform,
        to=body.digest,
        reason=body.reason,
        actor=caller.actor,
        at=caller.at,
    )
    return ActivationOut.model_validate(activation)


@router.post("/policies/dry-run", **acts("bundle:propose", own_transaction=True))
def rehearse(body: DryRunIn, caller: Governed) -> DryRunOut:
    """What differs from the rules in force, and which decisions would. Keeps nothing."""
    files = bundles.checked_files(body.files)
    caller.require(Resource("PolicyBundle", "proposed", None, None))
    proposed = Ruleset.of(files).rules
    run = dry_run(
        last_questions(caller.session, last=body.last), now=caller.rules, proposed=proposed
    )
    return DryRunOut(diff=diff_bundles(caller.rules, proposed), dry_run=run.to_dict())


def _detail(caller: Governed, bundle: PolicyBundle) -> BundleDetailOut:
    (state,) = _states(caller, [bundle]).values()
    return BundleDetailOut(**_shown(bundle), state=state, checks=bundle.checks, files=bundle.files)


def _shown(bundle: PolicyBundle) -> dict[str, Any]:
    own = [name for name in BundleOut.model_fields if name != "state"]
    return {name: getattr(bundle, name) for name in own}


def _states(caller: Governed, rows: Iterable[PolicyBundle]) -> dict[str, bundles.BundleState]:
    digests = [row.digest for row in rows]
    return bundles.bundle_states(caller.session, digests, in_force=caller.rules.digest)
