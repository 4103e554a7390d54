"""Nobody hands out more clearance than they hold, whether as such or as a way to be somebody."""

from collections.abc import Collection

from bailiwick.access import Principal
from bailiwick.core.errors import Denied
from bailiwick.policy.classification import Scheme
from bailiwick.policy.decisions import Actor


class BeyondClearance(Denied):
    """What was to be given is cleared for more than its giver."""

    code = "beyond-clearance"


def require_clearance(
    scheme: Scheme, actor: Actor, level: str, compartments: Collection[str]
) -> None:
    """Go on only if the actor holds this clearance, or more; else `BeyondClearance`."""
    enough = scheme.level_number(actor.clearance_level) >= scheme.level_number(level)
    if not enough or not actor.clearance_compartments >= set(compartments):
        raise BeyondClearance(
            "this is cleared for more than you are, so you cannot give it or act for it; ask an "
            "administrator who holds that clearance"
        )


def require_clearance_of(scheme: Scheme, actor: Actor, principal: Principal) -> None:
    """The same for whoever is about to be given a proof of being `principal`; one's own is fine."""
    if actor.id != str(principal.id):
        level, compartments = principal.clearance_level, principal.clearance_compartments
        require_clearance(scheme, actor, level, compartments)
