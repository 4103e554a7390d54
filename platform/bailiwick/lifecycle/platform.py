"""What processes build once at their edge and hand to use cases that need more than a session."""

from dataclasses import dataclass
from pathlib import Path

from bailiwick.audit.checkpoint import Signer
from bailiwick.blobs import BlobStore
from bailiwick.core.clock import Clock
from bailiwick.core.resources import bundled
from bailiwick.core.settings import Settings
from bailiwick.db import Database, make_engine
from bailiwick.lifecycle.gates import Tier, load_tiers
from bailiwick.policy import Rules


@dataclass(frozen=True)
class Platform:
    """One installation as seen by one process."""

    settings: Settings
    database: Database
    blobs: BlobStore
    clock: Clock
    rules: Rules
    tiers: dict[str, Tier]

    @property
    def artifact_folder(self) -> Path:
        """Where versions are unpacked for training jobs and the model server."""
        return self.settings.work_folder / "artifacts"

    @property
    def beat_seconds(self) -> float:
        """How often a job's lease is renewed, and so how soon its cancellation is noticed."""
        return min(2.0, self.settings.lease_seconds / 4)

    def signer(self) -> Signer:
        """The audit log's key, made at first use."""
        return Signer.load_or_create(self.settings.key_file, self.settings.audit_origin)

    def close(self) -> None:
        """Return the database's connections."""
        self.database.close()


def open_platform(settings: Settings, clock: Clock) -> Platform:
    """Open an installation; `Invalid` says which setting or policy file is wrong."""
    folder = settings.policies or bundled("policies")
    if settings.database_url is None:
        settings.home.mkdir(parents=True, exist_ok=True)
    return Platform(
        settings=settings,
        database=Database(make_engine(settings.resolved_database_url)),
        blobs=BlobStore(settings.blob_folder),
        clock=clock,
        rules=Rules.load(folder),
        tiers=load_tiers(folder / "gates.yaml"),
    )
