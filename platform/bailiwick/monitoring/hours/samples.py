"""A bounded uniform sample of each hour's records, by id: what a person looks at, or labels.

The `SAMPLED` records with the smallest hashes of their ids (Cohen, "Bottom-k sketches", PODC
2007): uniform over the hour's records whatever batches they came in, the same for the same
records, and merged by taking the smallest of both. Ids alone are kept: what retention drops from
the log is gone from the sample.

NOT guaranteed: whoever chooses record ids could choose who is in it.
"""

from collections.abc import Collection, Iterable, Sequence
from hashlib import blake2b
from heapq import nsmallest
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from bailiwick.monitoring.hours.tables import Window

SAMPLED: Final = 64


def smallest(record_ids: Iterable[str]) -> list[str]:
    """Those of the sample, in the order of their hashes; each id once.

    >>> both = smallest([*map(str, range(500)), "7"])
    >>> both == smallest(smallest(map(str, range(250))) + smallest(map(str, range(250, 500))))
    True
    >>> len(both)
    64
    """
    hashed = {(blake2b(one.encode(), digest_size=8).digest(), one) for one in record_ids}
    return [one for _, one in nsmallest(SAMPLED, hashed)]


def sampled(
    session: Session, layout_id: UUID, *when: ColumnElement[bool], most: int
) -> Sequence[str]:
    """Ids of the sampled records of hours that fulfil conditions, of the newest hours `most`.

    Each hour gives its `SAMPLED` at most, so that a busy one does not stand for all.
    """
    hours = session.scalars(
        select(Window.sample)
        .where(Window.layout_id == layout_id, *when)
        .order_by(Window.start.desc())
        .limit(most)
    )
    found: list[str] = []
    for ids in hours:
        found += ids
        if len(found) >= most:
            break
    return found[:most]


def spread(
    session: Session, layout_ids: Collection[UUID], *when: ColumnElement[bool], most: int
) -> list[str]:
    """Ids of at most so many sampled records, as many of each hour as of the others."""
    hours = session.scalars(select(Window.sample).where(Window.layout_id.in_(layout_ids), *when))
    samples = hours.all()
    quota = max(most // max(len(samples), 1), 1)
    return [one for ids in samples[:most] for one in ids[:quota]]
