"""Inclusion and consistency proofs from the stored leaves."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from bailiwick.audit.merkle import consistency_proof, in_memory, inclusion_proof
from bailiwick.audit.tables import AuditLeaf
from bailiwick.core.errors import Invalid, NotFound


def prove_inclusion(session: Session, index: int, size: int) -> tuple[bytes, list[bytes]]:
    """The leaf's hash and its audit path in the tree of the first `size` leaves."""
    if not 0 <= index < size:
        raise Invalid("index must be at least 0 and below size")
    hashes = _hashes(session, size)
    return hashes[index], inclusion_proof(index, size, in_memory(hashes))


def prove_consistency(session: Session, old_size: int, size: int) -> list[bytes]:
    """The proof that the tree of `size` leaves only appended to that of `old_size`."""
    if not 0 < old_size <= size:
        raise Invalid("old_size must be at least 1 and not above size")
    return consistency_proof(old_size, size, in_memory(_hashes(session, size)))


def _hashes(session: Session, size: int) -> list[bytes]:
    hashes = list(
        session.scalars(
            select(AuditLeaf.leaf_hash).where(AuditLeaf.index < size).order_by(AuditLeaf.index)
        )
    )
    if len(hashes) < size:
        raise NotFound(f"the log has {len(hashes)} leaves, not {size}")
    return hashes
