"""What processes build once at their edge and hand to use cases that need more than a session."""

from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from sqlalchemy.orm import Session

from bailiwick.access import Hasher, OpenIdProvider
from bailiwick.audit import Keepsake, Signer, check_continuity, newest_checkpoint, sequence
from bailiwick.blobs import BlobStore
from bailiwick.core.clock import Clock
from bailiwick.core.errors import Invalid
from bailiwick.core.resources import bundled
from bailiwick.core.settings import Settings
from bailiwick.db import Database, make_engine
from bailiwick.lifecycle.executors import Executor, executor_of
from bailiwick.lifecycle.gates import Tier
from bailiwick.lifecycle.rulesets import Rulesets
from bailiwick.monitoring import Pseudonyms, TextVault, load_or_create_key
from bailiwick.notifications import Vault
from bailiwick.policy import Rules


@dataclass(frozen=True)
class Platform:
    """One installation as seen by one process.

    `rules` and `tiers` are those with which something began: at first the shipped ones.
    """

    settings: Settings
    database: Database
    blobs: BlobStore
    clock: Clock
    rulesets: Rulesets
    rules: Rules
    tiers: dict[str, Tier]
    provider: OpenIdProvider | None = None
    hasher: Hasher = field(default_factory=Hasher)

    def in_force(self, session: Session) -> "Platform":
        """The installation under the rules that are in force now, for one request or step."""
        now = self.rulesets.in_force(session)
        return self if now.rules is self.rules else replace(self, rules=now.rules, tiers=now.tiers)

    @cached_property
    def executor(self) -> Executor:
        """Where the processes of jobs work."""
        return executor_of(self.settings)

    @property
    def artifact_folder(self) -> Path:
        """Where versions are unpacked for training jobs and the model server."""
        return self.settings.work_folder / "artifacts"

    @property
    def beat_seconds(self) -> float:
        """How often a job's lease is renewed, and so how soon its cancellation is noticed."""
        return min(1.0, self.settings.lease_seconds / 4)

    @cached_property
    def pseudonyms(self) -> Pseudonyms:
        """What stands for subjects and join keys; the key is made at first use."""
        given = self.settings.pseudonym_key
        if given is not None:
            return Pseudonyms(given.get_secret_value().encode())
        return Pseudonyms(load_or_create_key(self.settings.pseudonym_key_file))

    @cached_property
    def texts(self) -> TextVault:
        """What wraps the keys of kept texts; its file is made at first use."""
        return TextVault(self.settings.resolved_text_key_file)

    def signer(self) -> Signer:
        """The audit log's key, made at first use."""
        return Signer.load_or_create(self.settings.key_file, self.settings.audit_origin)

    def vault(self) -> Vault:
        """The key that seals channels' secrets, made at first use."""
        return Vault.load_or_create(self.settings.channel_key_file)

    def keepsake(self) -> Keepsake:
        """The newest checkpoint that was signed here, kept outside the database."""
        return Keepsake(self.settings.last_checkpoint_file, self.signer().verifier)

    def check_continuity(self) -> None:
        """Refuse a database that has gone back in time (`WentBack`): call it before serving."""
        with self.database.reading() as session:
            check_continuity(session, self.keepsake())

    def note_is_behind(self, session: Session) -> bool:
        """Whether the newest checkpoint is not kept: a full disk or a death came in between."""
        newest = newest_checkpoint(session)
        if newest is None:
            return False
        kept = self.keepsake().read()
        return kept is None or kept.size < newest.size

    def sequence_audit(self) -> None:
        """Give new audit events their place, sign a checkpoint, and keep it.

        `WentBack`: nothing is signed over the gap that a restored backup leaves.
        """
        keepsake = self.keepsake()
        with self.database.transaction() as session:
            check_continuity(session, keepsake)
            checkpoint = sequence(session, self.signer(), at=self.clock.now())
        if checkpoint is not None:
            keepsake.keep(checkpoint.note)

    def close(self) -> None:
        """Write what has been counted, and return the database's connections."""
        self.rules.tallies.flush(self.database)
        self.database.close()


def open_platform(settings: Settings, clock: Clock) -> Platform:
    """Open an installation; `Invalid` says which setting or policy file is wrong."""
    executor_of(settings)  # a wrong choice is told of now, and not by the first job
    folder = settings.policies or bundled("policies")
    if settings.database_url is None:
        settings.home.mkdir(parents=True, exist_ok=True)
    provider = OpenIdProvider.of(settings)
    rulesets = Rulesets.load(folder, single_sign_on=provider is not None)
    levels = rulesets.shipped.rules.scheme.levels
    if settings.oidc_default_clearance not in levels:
        raise Invalid(
            "BAILIWICK_OIDC_DEFAULT_CLEARANCE is no level of classification.yaml; these are: "
            + ", ".join(levels)
        )
    return Platform(
        settings=settings,
        database=Database(make_engine(settings.resolved_database_url)),
        blobs=BlobStore(settings.blob_folder),
        clock=clock,
        rulesets=rulesets,
        rules=rulesets.shipped.rules,
        tiers=rulesets.shipped.tiers,
        provider=provider,
    )
