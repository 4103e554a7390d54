"""Has the database gone back in time? Its log is compared with a note kept beside the key.

Whoever restores an older backup undoes all that happened since: labels that rose are low again,
roles and tokens that were taken back work again. The log looks fine, only shorter. So the
sequencer leaves the newest signed checkpoint in a file that is not part of the database; a log
that is shorter than that, or another one, is not opened until somebody says so on record.

NOT noticed: what was lost in the last moments before it was sequenced, and a database restored
together with the file.
"""

import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import UUID, uuid4

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from bailiwick.audit.checkpoint import Checkpoint, Signer, Verifier, parse_and_verify
from bailiwick.audit.log import record
from bailiwick.audit.merkle import ProofError
from bailiwick.audit.sequencer import newest_checkpoint, sequence
from bailiwick.audit.tables import AuditCheckpoint, AuditLeaf
from bailiwick.core.errors import Conflict, Invalid, Unavailable


class WentBack(Conflict):
    """The database is not the one, or not as far, as it was when its log was last signed."""

    code = "database-went-back"


@dataclass(frozen=True, slots=True)
class Keepsake:
    """The newest checkpoint that this installation signed, in a file."""

    path: Path
    verifier: Verifier

    def read(self) -> Checkpoint | None:
        """What was last signed here; None before the first time. `Invalid` if it is not ours."""
        try:
            return parse_and_verify(self.path.read_text("utf-8"), self.verifier)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Unavailable(
                f"{self.path} cannot be read ({error.strerror}); check who owns it"
            ) from error
        except (ProofError, UnicodeDecodeError) as error:
            raise Invalid(
                f"{self.path} is not what the key beside it has signed: restore both from one "
                "backup, or accept what is there with `bailiwick db accept-restore`"
            ) from error

    def keep(self, note: str) -> None:
        """Replace the file at once and whole; an older note than the one kept changes nothing."""
        kept = self.read()
        if kept is None or Checkpoint.parse(note).size > kept.size:
            _write(self.path, note)

    def set_aside(self) -> None:
        """Keep the old note under a name of its own: it says what was there."""
        if self.path.exists():
            self.path.rename(self.path.with_name(f"{self.path.name}.before-restore-{uuid4().hex}"))


def check_continuity(session: Session, keepsake: Keepsake) -> None:
    """Go on only with the log that was last signed here, or one that has grown from it.

    Raises `WentBack`, which says what would be lost and how to accept that.
    """
    seen = keepsake.read()
    if seen is None:
        return
    newest = newest_checkpoint(session)
    has = newest.size if newest else 0
    if has < seen.size:
        raise WentBack(
            f"the database has gone back in time: its audit log ends after {has} events and had "
            f"{seen.size}. It was restored from an older backup, or lost rows: labels that rose, "
            "roles and tokens that were taken away, and deployments that were stopped since would "
            "be as before. Restore the newest backup; or do those changes again from "
            "`audit export` or your copies, after `bailiwick db accept-restore --by ADMIN "
            "--reason …`"
        )
    root = session.scalar(select(AuditCheckpoint.root).where(AuditCheckpoint.size == seen.size))
    leaves = select(func.count()).select_from(AuditLeaf).where(AuditLeaf.index < seen.size)
    if root != seen.root or session.scalar(leaves) != seen.size:
        raise WentBack(
            f"the audit log is not the one that was signed here: its first {seen.size} events "
            "were replaced or removed. `bailiwick audit verify` says where; restore a backup, or "
            "accept it with `bailiwick db accept-restore --by ADMIN --reason …`"
        )


def accept_restore(
    session: Session,
    keepsake: Keepsake,
    signer: Signer,
    *,
    reason: str,
    actor_id: UUID,
    at: datetime,
) -> str:
    """Go on with the log as it is: on record, with what was lost. The note to keep from now on.

    Set the old note aside and keep the new one once the transaction is committed.
    """
    try:
        seen = keepsake.read()
    except Invalid:
        seen = None
    newest = newest_checkpoint(session)
    record(
        session,
        "audit.restore-accepted",
        subject_type="audit-log",
        subject_id=signer.name,
        actor_id=actor_id,
        at=at,
        details={
            "reason": reason,
            "size": newest.size if newest else 0,
            "size_before": seen.size if seen else None,
            "root_before": seen.root.hex() if seen else None,
        },
    )
    session.flush()
    signed = sequence(session, signer, at=at)
    if signed is None:
        message = "an event waits, so there is a checkpoint"
        raise RuntimeError(message)
    return signed.note


def _write(path: Path, note: str) -> None:
    fresh = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        with fresh.open("w", encoding="utf-8") as file:
            file.write(note)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise Unavailable(
            f"the newest checkpoint cannot be kept in {path} ({error.strerror}); "
            "free some space or check who owns the folder"
        ) from error
