"""Which versions a deployment has answered with: its label must dominate theirs."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from bailiwick.registry.rollouts import versions_rolled_out
from bailiwick.registry.tables import CHAMPION, AliasMove, Deployment


@dataclass(frozen=True, slots=True)
class Reign:
    """A version was champion until then; None: it still is."""

    version_id: UUID
    until: datetime | None


def versions_served(session: Session, deployments: Sequence[Deployment]) -> dict[UUID, set[UUID]]:
    """The versions that each of these deployments serves or has served, by deployment id.

    A pinned one serves its version alone. The others have served every version that was champion
    at some time since they were made, the moment of their making included, and what was rolled
    out to them. Two queries.
    """
    following = {one.model_id for one in deployments if one.pinned_version_id is None}
    reigns = _reigns(session, following) if following else {}
    beside = versions_rolled_out(session, [one.id for one in deployments]) if following else {}
    return {
        one.id: {one.pinned_version_id}
        if one.pinned_version_id is not None
        else {
            reign.version_id
            for reign in reigns.get(one.model_id, ())
            if reign.until is None or reign.until >= one.created_at
        }
        | beside.get(one.id, set())
        for one in deployments
    }


def _reigns(session: Session, model_ids: set[UUID]) -> dict[UUID, list[Reign]]:
    """Every champion of these models, in order."""
    moves = defaultdict[UUID, list[AliasMove]](list)
    found = select(AliasMove).where(AliasMove.alias == CHAMPION).order_by(AliasMove.id)
    for move in session.scalars(found.where(AliasMove.model_id.in_(model_ids))):
        moves[move.model_id].append(move)
    return {
        model: [
            Reign(move.new_version_id, following.at if following else None)
            for move, following in pairwise([*those, None])
            if move is not None
        ]
        for model, those in moves.items()
    }
