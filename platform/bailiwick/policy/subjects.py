"""What approvals and waivers are about: one thing in exactly the state it is in."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Subject:
    """A thing, the digest of the state it is in, and its own label (never a waived one).

    `trained_by` made it, and decides nothing about it; None: whoever asks did.
    """

    type: str
    id: UUID
    digest: str
    namespace: str
    label_id: str
    trained_by: UUID | None = None
