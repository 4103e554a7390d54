"""The audit log: events beside every change, a Merkle tree over them, proofs for outsiders."""

from bailiwick.audit.checkpoint import Checkpoint, Signer, Verifier
from bailiwick.audit.continuity import Keepsake, WentBack, accept_restore, check_continuity
from bailiwick.audit.log import record, timestamp
from bailiwick.audit.merkle import ProofError
from bailiwick.audit.proofs import prove_consistency, prove_inclusion
from bailiwick.audit.sequencer import (
    checkpoints,
    has_waiting,
    leaves,
    newest_checkpoint,
    sequence,
)
from bailiwick.audit.tables import AuditCheckpoint, AuditEvent, AuditLeaf, AuditWaiting
from bailiwick.audit.verify import LogReport, verify_log

__all__ = [
    "AuditCheckpoint",
    "AuditEvent",
    "AuditLeaf",
    "AuditWaiting",
    "Checkpoint",
    "Keepsake",
    "LogReport",
    "ProofError",
    "Signer",
    "Verifier",
    "WentBack",
    "accept_restore",
    "check_continuity",
    "checkpoints",
    "has_waiting",
    "leaves",
    "newest_checkpoint",
    "prove_consistency",
    "prove_inclusion",
    "record",
    "sequence",
    "timestamp",
    "verify_log",
]
