"""Policy bundles: proposed with their checks, approved by another person, put in force, undone.

One approval is asked for, whatever the change. Whether a text loosens the rules cannot be told
from the text, and a dry run only knows what has been asked before: a number of approvals that
depended on such a guess would invite changes that are made to look harmless. What the dry run
finds is in the report that the approver reads.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Literal
from uuid import UUID

from sqlalchemy import exists, or_, select
from sqlalchemy.orm import Session

from bailiwick.access import EVERY_NAMESPACE
from bailiwick.audit.log import record
from bailiwick.core.canonical import sha256_hex
from bailiwick.core.errors import Conflict, Invalid, TooLarge
from bailiwick.core.ids import new_id
from bailiwick.lifecycle.bundle_checks import Checks, lost_names
from bailiwick.lifecycle.compliance import review_deployments
from bailiwick.lifecycle.platform import Platform
from bailiwick.lifecycle.rulesets import Ruleset
from bailiwick.policy import (
    Actor,
    ApprovalRequest,
    BundleActivation,
    PolicyBundle,
    Resource,
    Rules,
    Subject,
    Unseen,
    bundle_digest,
    count_approvals,
    intern_label,
    is_bundle_file,
    least_label,
    request_approval,
    require,
    standing,
)

PURPOSE = "activate"
APPROVALS_REQUIRED = 1
MAX_BYTES = 2_000_000
DIGEST_LENGTH = 64

BundleState = Literal["proposed", "in force", "was in force"]


def propose_bundle(
    session: Session,
    files: Mapping[str, bytes],
    *,
    checks: Checks,
    note: str,
    rules: Rules,
    actor: Actor,
    at: datetime,
) -> PolicyBundle:
    """Keep a bundle with what its checks found; one that is kept already is returned as it is."""
    digest = bundle_digest(files)
    proposal = Resource("PolicyBundle", digest, None, None, {"requested_by": actor.id})
    require(session, rules, actor=actor, action="bundle:propose", resource=proposal, at=at)
    known = session.scalar(select(PolicyBundle).where(PolicyBundle.digest == digest))
    if known is not None:
        return known
    bundle = _kept(session, files, digest, checks=checks, note=note, actor=actor, at=at)
    record(
        session,
        "bundle.proposed",
        subject_type="policy-bundle",
        subject_id=bundle.id,
        actor_id=UUID(actor.id),
        at=at,
        details={"digest": digest, "passed": checks.passed, "files": _digests(files)},
    )
    return bundle


def ask_for_bundle_approval(
    session: Session, bundle: PolicyBundle, *, rules: Rules, actor: Actor, at: datetime
) -> ApprovalRequest:
    """Ask another person to approve that exactly these files come into force."""
    resource = bundle_resource(bundle)
    require(session, rules, actor=actor, action="approval:request", resource=resource, at=at)
    if not bundle.passed:
        raise Conflict(
            "these policies did not pass their checks, so there is nothing to approve; "
            "the bundle's report says why: propose a mended one"
        )
    return request_approval(
        session,
        bundle_subject(session, bundle, rules),
        purpose=PURPOSE,
        required=APPROVALS_REQUIRED,
        actor=actor,
        at=at,
    )


def activate_bundle(
    session: Session,
    platform: Platform,
    bundle: PolicyBundle,
    *,
    reason: str,
    actor: Actor,
    at: datetime,
) -> BundleActivation:
    """Put a bundle in force, everywhere and at once, if the policy in force allows it.

    It needs checks that passed, also today's look at the words in use, and the approval of
    somebody who did not propose it.
    """
    rules = platform.rules
    loaded = platform.rulesets.of(bundle) if bundle.passed else None
    lost = [] if loaded is None else lost_names(session, loaded)
    subject = bundle_subject(session, bundle, rules)
    require(
        session,
        rules,
        actor=actor,
        action="bundle:activate",
        resource=bundle_resource(bundle),
        context={
            "checks_passed": loaded is not None and not lost,
            "approvals": count_approvals(session, subject, purpose=PURPOSE, at=at),
            "approvals_required": APPROVALS_REQUIRED,
        },
        at=at,
    )
    return _put_in_force(session, platform, bundle, reason=reason, actor=actor, at=at)


def roll_back_bundle(
    session: Session,
    platform: Platform,
    *,
    to: str | None = None,
    reason: str,
    actor: Actor,
    at: datetime,
) -> BundleActivation:
    """Bring back what was in force before the present bundle, or another that has been (`to`).

    Needs no approval. Whatever the older bundle has no words for is denied under it.
    """
    newest = standing(session)
    target = to or (newest.former_digest if newest else platform.rules.digest)
    require(
        session,
        platform.rules,
        actor=actor,
        action="bundle:rollback",
        resource=Resource("PolicyBundle", target[:DIGEST_LENGTH], None, None),
        context={"was_active": to is None or was_in_force(session, to)},
        at=at,
    )
    if newest is None:
        raise Conflict("no policies have been activated yet, so there is nothing to go back to")
    bundle = find_bundle(session, target)
    return _put_in_force(session, platform, bundle, reason=reason, actor=actor, at=at)


def find_bundle(session: Session, digest: str) -> PolicyBundle:
    """The bundle with that digest, or `Unseen`."""
    bundle = session.scalar(select(PolicyBundle).where(PolicyBundle.digest == digest))
    if bundle is None:
        raise Unseen
    return bundle


def bundle_states(
    session: Session, digests: Iterable[str], *, in_force: str
) -> dict[str, BundleState]:
    """Where bundles stand, in one query. `in_force`: the digest of the one that is."""
    wanted = list(digests)
    moves = session.execute(
        select(BundleActivation.old_digest, BundleActivation.new_digest).where(
            BundleActivation.old_digest.in_(wanted) | BundleActivation.new_digest.in_(wanted)
        )
    )
    former = {digest for move in moves for digest in move}
    states: dict[str, BundleState] = {
        digest: "was in force" if digest in former else "proposed" for digest in wanted
    }
    return states | {digest: "in force" for digest in wanted if digest == in_force}


def rules_of_bundle(session: Session, platform: Platform, digest: str) -> Rules:
    """A bundle by its digest, loaded; `Invalid` names the fault of one that did not pass."""
    loaded = (platform.rules, platform.rulesets.shipped.rules)
    if digest in (known := {rules.digest: rules for rules in loaded}):
        return known[digest]
    bundle = find_bundle(session, digest)
    texts = {str(name): str(text) for name, text in bundle.files.items()}
    return platform.rulesets.of(bundle).rules if bundle.passed else Rules.of(checked_files(texts))


def was_in_force(session: Session, digest: str) -> bool:
    """Whether a bundle has ever been in force, the first one included."""
    known = or_(BundleActivation.new_digest == digest, BundleActivation.old_digest == digest)
    return bool(session.scalar(select(exists().where(known))))


def bundle_resource(bundle: PolicyBundle) -> Resource:
    """A bundle as the policy sees it: a thing of the whole installation."""
    facts = {"requested_by": str(bundle.proposed_by)}
    return Resource("PolicyBundle", bundle.digest, None, None, facts)


def bundle_subject(session: Session, bundle: PolicyBundle, rules: Rules) -> Subject:
    """What is approved: exactly these files, by people who may decide for every namespace."""
    return Subject(
        type="policy-bundle",
        id=bundle.id,
        digest=bundle.digest,
        namespace=EVERY_NAMESPACE,
        label_id=intern_label(session, least_label(rules.scheme)),
        trained_by=bundle.proposed_by,
    )


def checked_files(texts: Mapping[str, str]) -> dict[str, bytes]:
    """The files of a bundle as they arrive; `Invalid` names one that belongs to none."""
    files = {name: text.encode() for name, text in texts.items()}
    foreign = sorted(name for name in files if not is_bundle_file(name))
    if foreign:
        raise Invalid(
            f"a bundle has files like roles.cedar, gates.yaml and tests/cast.yaml, not {foreign[0]}"
        )
    if sum(map(len, files.values())) > MAX_BYTES:
        raise TooLarge(f"a bundle may have {MAX_BYTES:,} bytes; take out what is no policy or test")
    return files


def _put_in_force(
    session: Session,
    platform: Platform,
    bundle: PolicyBundle,
    *,
    reason: str,
    actor: Actor,
    at: datetime,
) -> BundleActivation:
    newest, shipped = standing(session), platform.rulesets.shipped
    old = newest.digest if newest else shipped.rules.digest
    if old == bundle.digest:
        raise Conflict("these policies are in force already")
    ruleset = platform.rulesets.of(bundle)
    if newest is None:
        _keep_shipped(session, shipped, actor=actor, at=at)
    activation = BundleActivation(
        id=new_id(),
        number=newest.number + 1 if newest else 1,
        bundle_id=bundle.id,
        old_digest=old,
        new_digest=bundle.digest,
        reason=reason,
        actor_id=UUID(actor.id),
        at=at,
    )
    session.add(activation)
    record(
        session,
        "bundle.activated",
        subject_type="policy-bundle",
        subject_id=bundle.id,
        actor_id=UUID(actor.id),
        at=at,
        details={
            "old": old,
            "new": bundle.digest,
            "number": activation.number,
            "lost": lost_names(session, ruleset),
        },
    )
    session.flush()
    review_deployments(
        session,
        rules=ruleset.rules,
        cause=f"policies {bundle.digest[:12]} came into force",
        actor=actor,
        at=at,
    )
    return activation


def _keep_shipped(session: Session, shipped: Ruleset, *, actor: Actor, at: datetime) -> None:
    """So that it can be read and brought back when it is no longer what is shipped."""
    rules = shipped.rules
    if session.scalar(select(PolicyBundle.id).where(PolicyBundle.digest == rules.digest)) is None:
        passed = Checks((), (), None)
        note = "Came with Bailiwick, and was in force before any other."
        _kept(session, rules.files, rules.digest, checks=passed, note=note, actor=actor, at=at)


def _kept(
    session: Session,
    files: Mapping[str, bytes],
    digest: str,
    *,
    checks: Checks,
    note: str,
    actor: Actor,
    at: datetime,
) -> PolicyBundle:
    bundle = PolicyBundle(
        id=new_id(),
        digest=digest,
        files={name: content.decode() for name, content in files.items()},
        note=note,
        checks=checks.to_dict(),
        passed=checks.passed,
        proposed_by=UUID(actor.id),
        at=at,
    )
    session.add(bundle)
    session.flush()
    return bundle


def _digests(files: Mapping[str, bytes]) -> dict[str, str]:
    return {name: sha256_hex(content) for name, content in files.items()}
