"""Settings: frozen, read once at the edge from `BAILIWICK_*`, passed in."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, PositiveInt, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from bailiwick.core.errors import Invalid

_GIB, _HOUR = 1024**3, 3_600
PerKind = dict[str, PositiveInt]
_JOB_MEMORY_BYTES: PerKind = {
    "train": 16 * _GIB,
    "retrain": 16 * _GIB,
    "check": 4 * _GIB,
    "compare": 4 * _GIB,
    "backtest": 16 * _GIB,
    "trial": 8 * _GIB,
}
_JOB_TIME_SECONDS: PerKind = {
    "train": 24 * _HOUR,
    "retrain": 24 * _HOUR,
    "check": _HOUR,
    "compare": _HOUR,
    "backtest": 24 * _HOUR,
    "trial": 6 * _HOUR,
}


def _with_every_kind(defaults: PerKind) -> AfterValidator:
    """A value for every kind of job: the default where none is given."""

    def completed(given: PerKind) -> PerKind:
        if unknown := given.keys() - defaults:
            raise ValueError(f"{min(unknown)} is no kind of job; there are {', '.join(defaults)}")
        return defaults | given

    return AfterValidator(completed)


class Settings(BaseSettings):
    """Everything that an installation can set, each with its environment variable."""

    model_config = SettingsConfigDict(env_prefix="BAILIWICK_", frozen=True, extra="ignore")

    home: Path = Field(
        Path("bailiwick-data"),
        description="Folder of the embedded default: database, blobs, keys, work files.",
    )
    database_url: str | None = Field(
        None, description="SQLAlchemy address; default: SQLite in the home folder."
    )
    blob_url: str | None = Field(
        None, description="file:///PATH of the blob store; default: `blobs` in the home folder."
    )
    policies: Path | None = Field(
        None, description="Folder of the policy bundle; default: the one shipped."
    )
    host: str = Field("127.0.0.1", description="Address on which the API and console listen.")
    port: int = Field(8321, ge=0, le=65535, description="Port of the API and console.")
    trusted_proxies: str | None = Field(
        None,
        description="Addresses of reverse proxies, comma-separated, that say who calls and by "
        "which scheme (X-Forwarded-For and -Proto); default: nobody is believed.",
    )
    serving_url: str | None = Field(
        None, description="Address of the model server; default: one started by `bailiwick up`."
    )
    serving_secret: SecretStr | None = Field(
        None, description="Secret shared by API and model server; default: made at each start."
    )
    url: str = Field("http://127.0.0.1:8321", description="Where the command line finds the API.")
    token: SecretStr | None = Field(None, description="The command line's API token.")
    public_url: str = Field(
        "http://127.0.0.1:8321",
        description="Address under which people reach the console; messages link to it.",
    )
    threads: int = Field(
        2, ge=1, description="CPU threads of one training job and of the model server."
    )
    workers: int = Field(1, ge=1, description="Jobs that one worker carries out at a time.")
    namespace_jobs: int | None = Field(
        None,
        ge=1,
        description="Jobs of one namespace that run at a time, over all workers; default: no limit "
        "but that namespaces take turns.",
    )
    job_memory_bytes: Annotated[PerKind, _with_every_kind(_JOB_MEMORY_BYTES)] = Field(
        _JOB_MEMORY_BYTES,
        description="Memory that a job's processes may hold together, by the kind of job, as JSON; "
        "kinds that are not named keep their default.",
    )
    job_time_seconds: Annotated[PerKind, _with_every_kind(_JOB_TIME_SECONDS)] = Field(
        _JOB_TIME_SECONDS,
        description="Time that one attempt of a job may take, by the kind of job, as JSON; kinds "
        "that are not named keep their default.",
    )
    executor: Literal["local", "ray"] = Field(
        "local", description="Where the processes of jobs work: beside the worker, or on Ray."
    )
    executor_environment: str | None = Field(
        None,
        description="Environment in whose zone the executor's machines are, and whose clearance "
        "they have; a job whose data may not be processed there is refused. Ray needs one.",
    )
    ray_address: str | None = Field(
        None,
        pattern=r"^[^/]+:\d+$",
        description="Address of the Ray cluster (HOST:PORT), of which the worker's machine is a "
        "node.",
    )
    ray_processes: int = Field(
        1, ge=1, description="Processes on the Ray cluster that share one training."
    )
    lease_seconds: int = Field(
        60, ge=2, description="A job whose worker is silent for so long is taken over."
    )
    max_upload_bytes: int = Field(
        2 * 1024**3, ge=1024, description="Largest dataset file accepted, decompressed."
    )
    max_body_bytes: int = Field(32 * 1024**2, ge=1024, description="Largest JSON body accepted.")
    audit_origin: str = Field(
        "bailiwick.local/audit",
        description="Name of this audit log in its checkpoints; never change it afterwards.",
    )

    pseudonym_key: SecretStr | None = Field(
        None,
        min_length=32,
        description="Secret under which subjects and join keys are hashed, the same for all "
        "processes; default: made at first use in the home folder. Never change it afterwards.",
    )

    text_key_file: Path | None = Field(
        None,
        description="File with the key that wraps the keys of kept texts, the same for all "
        "processes; default: made at first use in the home folder. Without it no text can be read.",
    )

    oidc_issuer: str | None = Field(
        None, description="Issuer of the OpenID provider; without one people use tokens."
    )
    oidc_client_id: str | None = Field(
        None, description="This installation's client at the provider (console, command line)."
    )
    oidc_client_secret: SecretStr | None = Field(
        None, description="The client's secret; none for a public client, which uses PKCE alone."
    )
    oidc_audience: str | None = Field(
        None, description="`aud` that API access tokens must carry; default: the client's id."
    )
    oidc_groups_claim: str = Field(
        "groups", description="Claim that lists the groups; each may be mapped to one of ours."
    )
    oidc_name_claim: str = Field(
        "preferred_username", description="Claim that a new principal is named after."
    )
    oidc_clock_skew_seconds: int = Field(
        60, ge=0, le=600, description="How far the provider's clock may be off."
    )
    oidc_default_clearance: str = Field(
        "public", description="Clearance of people who sign in for the first time."
    )
    token_max_days: int | None = Field(
        None, ge=1, description="Longest life of a new API token; default: no limit."
    )

    @property
    def local_passwords(self) -> bool:
        """Whether people may sign in with a password: on the embedded default only."""
        return self.database_url is None and self.oidc_issuer is None

    @property
    def resolved_database_url(self) -> str:
        """The database's address, embedded default included."""
        return self.database_url or f"sqlite:///{self.home.resolve() / 'bailiwick.db'}"

    @property
    def blob_folder(self) -> Path:
        """The local folder of the blob store."""
        if self.blob_url is None:
            return self.home / "blobs"
        if not self.blob_url.startswith("file:///"):
            raise Invalid("BAILIWICK_BLOB_URL must read file:///PATH")
        return Path(self.blob_url.removeprefix("file://"))

    @property
    def key_file(self) -> Path:
        """The audit log's Ed25519 private key."""
        return self.home / "keys" / "audit-ed25519.pem"

    @property
    def channel_key_file(self) -> Path:
        """The key that seals the secrets of notification channels; API and workers share it."""
        return self.key_file.with_name("channels-aes256gcm.key")

    @property
    def pseudonym_key_file(self) -> Path:
        """The key that subjects and join keys are hashed under, if no setting names it."""
        return self.key_file.with_name("pseudonyms.key")

    @property
    def resolved_text_key_file(self) -> Path:
        """The key-encryption key of texts, embedded default included."""
        return self.text_key_file or self.key_file.with_name("texts-aes256gcm.key")

    @property
    def last_checkpoint_file(self) -> Path:
        """The newest checkpoint that this installation signed, beside the key."""
        return self.key_file.with_name("last-checkpoint")

    @property
    def work_folder(self) -> Path:
        """Where jobs keep files that may be deleted at any time."""
        return self.home / "work"


def read_settings(**overrides: object) -> Settings:
    """Settings from the environment; a wrong value is `Invalid` and names its variable."""
    given = {name: value for name, value in overrides.items() if value is not None}
    try:
        return Settings.model_validate(Settings(**given))  # type: ignore[arg-type]
    except ValidationError as error:
        first = error.errors()[0]
        variable = f"BAILIWICK_{first['loc'][0]}".upper()
        raise Invalid(f"{variable} cannot be used: {first['msg']}") from error
    except SettingsError as error:  # of a setting that is written as JSON
        name = next((name for name in Settings.model_fields if f'"{name}"' in str(error)), "...")
        raise Invalid(f"BAILIWICK_{name.upper()} cannot be used: it is no JSON object") from error
