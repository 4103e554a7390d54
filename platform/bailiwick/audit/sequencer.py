"""The one sequencer: gives committed events their gapless place and signs the tree's state."""

from collections.abc import Iterator
from contextlib import closing
from datetime import datetime

from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from bailiwick.audit.checkpoint import Checkpoint, Signer
from bailiwick.audit.merkle import Frontier, leaf_hash
from bailiwick.audit.tables import AuditCheckpoint, AuditEvent, AuditLeaf, AuditWaiting
from bailiwick.db.session import lock_sequencer

BATCH_LEAVES = 1_000


def newest_checkpoint(session: Session) -> AuditCheckpoint | None:
    """The checkpoint over the whole sequenced log, None while it is empty."""
    return session.scalar(select(AuditCheckpoint).order_by(AuditCheckpoint.size.desc()).limit(1))


def sequence(session: Session, signer: Signer, *, at: datetime) -> AuditCheckpoint | None:
    """Append the events that have no place yet and sign a checkpoint over all of them.

    Call it in a writing transaction of its own. A lock makes it the only sequencer; an event
    is seen only after its transaction committed, so the tree never holds what was rolled back.
    Returns the newest checkpoint, which is the standing one if there was nothing to append.
    """
    lock_sequencer(session)
    newest = newest_checkpoint(session)
    frontier = Frontier.from_bytes(newest.frontier) if newest else Frontier()
    before = frontier.size
    while events := _waiting(session):
        rows = []
        for event in events:
            hashed = leaf_hash(event.body)
            rows.append({"index": frontier.size, "event_id": event.id, "leaf_hash": hashed})
            frontier.append(hashed)
        session.execute(insert(AuditLeaf), rows)
        placed = [row["event_id"] for row in rows]
        session.execute(delete(AuditWaiting).where(AuditWaiting.event_id.in_(placed)))
    if frontier.size == before:
        return newest
    root = frontier.root()
    checkpoint = AuditCheckpoint(
        size=frontier.size,
        root=root,
        note=signer.sign(Checkpoint(signer.name, frontier.size, root)),
        frontier=frontier.to_bytes(),
        at=at,
    )
    session.add(checkpoint)
    session.flush()
    return checkpoint


def leaves(session: Session) -> Iterator[bytes]:
    """The events' exact bytes in the order of the tree, streamed."""
    query = (
        select(AuditEvent.body)
        .join(AuditLeaf, AuditLeaf.event_id == AuditEvent.id)
        .order_by(AuditLeaf.index)
        .execution_options(yield_per=1_000)
    )
    with closing(session.scalars(query)) as bodies:
        yield from bodies


def checkpoints(session: Session) -> Iterator[str]:
    """The signed notes by rising size, streamed."""
    query = select(AuditCheckpoint.note).order_by(AuditCheckpoint.size)
    with closing(session.scalars(query.execution_options(yield_per=1_000))) as notes:
        yield from notes


def has_waiting(session: Session) -> bool:
    """Whether there is anything to sequence."""
    return session.scalar(select(AuditWaiting.event_id).limit(1)) is not None


def _waiting(session: Session) -> list[AuditEvent]:
    return list(
        session.scalars(
            select(AuditEvent)
            .join(AuditWaiting, AuditWaiting.event_id == AuditEvent.id)
            .order_by(AuditEvent.id)
            .limit(BATCH_LEAVES)
        )
    )
