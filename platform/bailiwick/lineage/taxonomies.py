"""Labels that were renamed, merged or given up: what the old names of a dataset mean now.

Rows are facts and keep the labels they came with; whoever learns from them or judges by them reads
the old names as the new ones. Each change is a row that stays; the newest is in force.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from bailiwick.audit.log import record
from bailiwick.core.errors import Invalid
from bailiwick.core.ids import new_id
from bailiwick.lineage.tables import Dataset, Taxonomy

MOST_RENAMES = 2_000
MOST_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class Renames:
    """Old names and what they are called now; None is a label that was given up.

    >>> Renames({"Petrol": "Fuel"}).name_of("Petrol"), Renames({"Petrol": None}).name_of("Food")
    ('Fuel', 'Food')
    """

    names: Mapping[str, str | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.names) > MOST_RENAMES:
            raise Invalid(f"at most {MOST_RENAMES:,} labels may be renamed")
        for old, new in self.names.items():
            if not old or new == "" or max(len(old), len(new or "")) > MOST_CHARACTERS:
                raise Invalid(f"names of labels have 1 to {MOST_CHARACTERS} characters")
            if new == old:
                raise Invalid(f"{old!r} is called that already; leave it out")
            if new is not None and new in self.names:
                raise Invalid(
                    f"{old!r} cannot become {new!r}, which is renamed itself; say what both are "
                    "called now"
                )

    def name_of(self, label: str) -> str | None:
        """What a label is called now; None if it was given up."""
        return self.names.get(label, label)


NO_RENAMES: Final = Renames()


def taxonomy_of(session: Session, dataset_id: UUID) -> Taxonomy | None:
    """The one in force, if labels of the dataset were ever renamed."""
    return session.scalar(
        select(Taxonomy)
        .where(Taxonomy.dataset_id == dataset_id)
        .order_by(Taxonomy.number.desc())
        .limit(1)
    )


def renames_of(session: Session, dataset_id: UUID) -> Renames:
    """What old names of the dataset's labels mean now."""
    taxonomy = taxonomy_of(session, dataset_id)
    return NO_RENAMES if taxonomy is None else Renames(taxonomy.renames)


def set_taxonomy(
    session: Session,
    dataset: Dataset,
    renames: Renames,
    *,
    reason: str,
    actor_id: UUID,
    at: datetime,
) -> Taxonomy:
    """Say what old names mean from now on; replaces what was said before, which stays on record.

    The same again changes nothing.
    """
    session.refresh(dataset, with_for_update=True)  # of two at once, each gets its number
    standing = taxonomy_of(session, dataset.id)
    if standing is not None and standing.renames == dict(renames.names):
        return standing
    row = Taxonomy(
        id=new_id(),
        dataset_id=dataset.id,
        number=standing.number + 1 if standing else 1,
        renames=dict(renames.names),
        reason=reason,
        made_by=actor_id,
        made_at=at,
    )
    session.add(row)
    session.flush()
    record(
        session,
        "taxonomy.set",
        subject_type="dataset",
        subject_id=dataset.id,
        actor_id=actor_id,
        at=at,
        details={"number": row.number, "renames": row.renames, "reason": reason},
    )
    return row
