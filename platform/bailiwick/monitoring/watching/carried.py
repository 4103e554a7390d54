"""What goes on when another version is served: the input is watched by the baseline that stands.

A new version has answered nothing yet that its answers could be held to, but what it is asked is
what the version before was asked. So until seven days of its own are there, the part of the
standing baseline that does not depend on the version judges its windows, with bins as they were.
Features that a standing incident is about are left out: what they look like now is not known.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from bailiwick.monitoring.baselines import Baseline
from bailiwick.monitoring.hours import (
    OF_THE_MODEL,
    WindowLayout,
    first_hour,
    layout_in,
)
from bailiwick.monitoring.shapes import Shape, feature_of
from bailiwick.monitoring.watching.planning import midnight, next_midnight
from bailiwick.monitoring.watching.stored import baseline_in, store_baseline
from bailiwick.monitoring.watching.tables import TrafficBaseline, Watch
from bailiwick.monitoring.watching.told import Turn, standing

CARRIED = "carried"


@dataclass(frozen=True, slots=True)
class Carried:
    """Features of a baseline that go on, and what that baseline is."""

    row: TrafficBaseline
    features: frozenset[str]

    @property
    def shapes(self) -> tuple[Shape, ...]:
        """What another layout must have room for."""
        return tuple(
            shape for shape in baseline_in(self.row).layout.features if shape.name in self.features
        )

    def under(self, layout: WindowLayout) -> Baseline:
        """The part of the baseline that goes on, under another layout."""
        return baseline_in(self.row).part(self.features, layout_in(layout))


def carried_over(
    session: Session, watch: Watch, version_id: UUID, declared: Collection[str]
) -> Carried | None:
    """What of the baseline that stands would go on; None if the layout does, or nothing does."""
    if watch.baseline_id is None or watch.layout_id is None:
        return None
    layout = session.get_one(WindowLayout, watch.layout_id)
    same = layout.version_id == version_id
    if same and set(layout.declared) == set(declared):
        return None
    row = session.get_one(TrafficBaseline, watch.baseline_id)
    incident = standing(session, watch)
    moved = {feature_of(move["feature"]) for move in incident.moves} if incident else set()
    left_out = moved if same else moved | OF_THE_MODEL
    features = frozenset(name for name in row.watched if feature_of(name) not in left_out)
    return Carried(row, features) if features else None


def carry(
    session: Session, watch: Watch, layout: WindowLayout, carried: Carried, turn: Turn
) -> None:
    """Watch on with the part that goes on, from the first window under the new layout."""
    begun = first_hour(session, layout.id)
    if begun is None:
        return
    row = store_baseline(
        session,
        layout,
        carried.under(layout),
        origin=CARRIED,
        reason="until there are seven days of what is served and watched now",
        carried_from=carried.row.id,
        actor_id=turn.actor_id,
        at=turn.at,
    )
    length = timedelta(hours=row.window_hours)
    day = midnight(begun)
    watch.baseline_id, watch.next_start = row.id, day + (begun - day) // length * length
    watch.from_start = next_midnight(begun)


def made_of(session: Session, row: TrafficBaseline) -> TrafficBaseline:
    """The baseline that one was carried over from; itself if it was not."""
    while row.carried_from is not None:
        row = session.get_one(TrafficBaseline, row.carried_from)
    return row


def since(session: Session, row: TrafficBaseline) -> datetime:
    """From when on windows under a baseline's layout can have rows."""
    begun = first_hour(session, row.layout_id) if row.carried_from is not None else None
    return max(row.first, begun) if begun is not None else row.first
