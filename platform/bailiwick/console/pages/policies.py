"""Policies: what is in force, what was proposed instead, and putting it in force or undoing it."""

from dataclasses import fields
from itertools import groupby
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy import false, select, true

from bailiwick.access import names_of
from bailiwick.console.bundle_reports import approvers_of, differences, standings, turns
from bailiwick.console.rendering import page
from bailiwick.console.routing import GovernedPage
from bailiwick.lifecycle import bundles
from bailiwick.lifecycle.bundles import bundle_resource
from bailiwick.lifecycle.gates import Tier
from bailiwick.policy import (
    PLATFORM,
    ApprovalRequest,
    BundleActivation,
    PolicyBundle,
    Resource,
    standing_state,
)
from bailiwick.web import Caller, Cursor, Governed, acts, page_of

HOME = "/console/policies"
BUNDLES_PER_PAGE = 50

router = APIRouter(prefix=HOME, include_in_schema=False, route_class=GovernedPage)

Reason = Annotated[str, Form(min_length=1, max_length=2_000)]
Former = Annotated[str | None, Form(max_length=64)]


@router.get("", **acts("policy:read"))
def policies(request: Request, caller: Governed, cursor: Cursor = None) -> Response:
    """The bundle in force with its policies, and all bundles that were proposed."""
    caller.require(PLATFORM)
    session, rules = caller.session, caller.rules
    newest = session.scalar(
        select(BundleActivation).order_by(BundleActivation.number.desc()).limit(1)
    )
    may_list = caller.may(PLATFORM, "bundle:list")
    query = select(PolicyBundle).where(true() if may_list else false())
    known, following = page_of(
        session, query, PolicyBundle.id, limit=BUNDLES_PER_PAGE, cursor=cursor
    )
    people = [*(one.proposed_by for one in known), newest.actor_id if newest else None]
    return page(
        request,
        caller,
        "policies.html",
        title="Policies",
        section="policies",
        digest=rules.digest,
        newest=newest,
        approvers=approvers_of(caller, newest.bundle_id) if newest else [],
        files=[
            (file, list(some))
            for file, some in groupby(rules.engine.policies.values(), key=lambda one: one.file)
        ],
        tiers=list(caller.platform.tiers),
        gates=[
            (gate.name, [getattr(tier, gate.name) for tier in caller.platform.tiers.values()])
            for gate in fields(Tier)
            if gate.name != "name"
        ],
        may_list=may_list,
        bundles=known,
        states=standings(caller, known),
        following=following,
        may_roll_back=newest is not None
        and caller.may(
            Resource("PolicyBundle", newest.old_digest, None, None),
            "bundle:rollback",
            {"was_active": True},
        ),
        names=names_of(session, people),
    )


@router.get("/{digest}", **acts("bundle:read"))
def bundle(request: Request, caller: Governed, digest: str) -> Response:
    """One bundle: its checks, what would change, its approval, and what may be done with it."""
    caller.require(PLATFORM, action="bundle:list")
    session = caller.session
    found = bundles.find_bundle(session, digest)
    state = standings(caller, [found])[digest]
    asked = session.scalars(
        select(ApprovalRequest)
        .where(ApprovalRequest.subject_id == found.id)
        .order_by(ApprovalRequest.id.desc())
    ).first()
    voters = [who for vote in asked.votes for who in vote.people] if asked else []
    return page(
        request,
        caller,
        "bundle.html",
        title=f"Policies {digest[:12]}",
        section="policies",
        bundle=found,
        state=state,
        checks=found.checks,
        turns=turns(caller, (found.checks.get("dry_run") or {}).get("changes", ())),
        differences=[] if state == "in force" else differences(caller, digest),
        asked=asked,
        asked_state=standing_state(asked, caller.at) if asked else None,
        may=_possible(caller, found, state),
        names=names_of(session, [found.proposed_by, *voters]),
    )


@router.post("/rollback", **acts("bundle:rollback"))
def roll_back(caller: Governed, reason: Reason, to: Former = None) -> Response:
    """Bring back what was in force before, or another bundle that has been."""
    caller.decided_by_use_case()
    done = bundles.roll_back_bundle(
        caller.session, caller.platform, to=to, reason=reason, actor=caller.actor, at=caller.at
    )
    return RedirectResponse(f"{HOME}/{done.new_digest}", 303)


@router.post("/{digest}/approval", **acts("approval:request"))
def ask_for_approval(caller: Governed, digest: str) -> Response:
    """Ask another person to approve exactly this bundle."""
    caller.decided_by_use_case()
    bundles.ask_for_bundle_approval(
        caller.session,
        bundles.find_bundle(caller.session, digest),
        rules=caller.rules,
        actor=caller.actor,
        at=caller.at,
    )
    return RedirectResponse(f"{HOME}/{digest}", 303)


@router.post("/{digest}/activate", **acts("bundle:activate"))
def activate(caller: Governed, digest: str, reason: Reason) -> Response:
    """Put it in force, everywhere and at once."""
    caller.decided_by_use_case()
    bundles.activate_bundle(
        caller.session,
        caller.platform,
        bundles.find_bundle(caller.session, digest),
        reason=reason,
        actor=caller.actor,
        at=caller.at,
    )
    return RedirectResponse(f"{HOME}/{digest}", 303)


def _possible(caller: Caller, found: PolicyBundle, state: str) -> set[str]:
    """What the caller is offered to do; the use case decides when they do it."""
    resource = bundle_resource(found)
    context = {
        "checks_passed": found.passed,
        "approvals": bundles.APPROVALS_REQUIRED if state == "approved" else 0,
        "approvals_required": bundles.APPROVALS_REQUIRED,
    }
    offers = {
        "ask": state == "proposed" and caller.may(resource, "approval:request"),
        "activate": state == "approved" and caller.may(resource, "bundle:activate", context),
        "roll back": state == "was in force"
        and caller.may(resource, "bundle:rollback", {"was_active": True}),
    }
    return {name for name, offered in offers.items() if offered}
