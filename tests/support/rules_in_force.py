"""Other rules put in force, as an activation leaves them, without the way that leads there."""

from collections.abc import Mapping
from uuid import UUID

from sqlalchemy import select

from bailiwick.access import Principal
from bailiwick.core.ids import new_id
from bailiwick.lifecycle import Platform
from bailiwick.policy import BundleActivation, PolicyBundle, bundle_digest, standing


def with_policy(files: Mapping[str, bytes], policy: str) -> dict[str, bytes]:
    """A bundle with one policy more."""
    return {**files, "duties.cedar": files["duties.cedar"] + policy.encode()}


def forbidding(platform: Platform, action: str) -> dict[str, bytes]:
    """The shipped bundle, except that nobody may do `action`; the policy is called `closed`."""
    policy = f'@id("closed") @reason("Closed: come back later.") forbid (principal, {action});'
    scope = f'action == Action::"{action}", resource'
    return with_policy(platform.rules.files, policy.replace(action, scope))


def put_in_force(platform: Platform, files: Mapping[str, bytes]) -> str:
    """Activate a bundle; its digest."""
    at, digest = platform.clock.now(), bundle_digest(files)
    with platform.database.transaction() as session:
        somebody: UUID = session.scalars(select(Principal.id)).first() or new_id()
        newest = standing(session)
        bundle = PolicyBundle(
            id=new_id(),
            digest=digest,
            files={name: content.decode() for name, content in files.items()},
            note="",
            checks={},
            passed=True,
            proposed_by=somebody,
            at=at,
        )
        session.add(bundle)
        session.flush()
        session.add(
            BundleActivation(
                number=newest.number + 1 if newest else 1,
                bundle_id=bundle.id,
                old_digest=newest.digest if newest else platform.rules.digest,
                new_digest=digest,
                reason="for a test",
                actor_id=somebody,
                at=at,
            )
        )
    return digest
