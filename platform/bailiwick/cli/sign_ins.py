"""Sign-ins of the command line: one file in the user's config folder that nobody else may read.

Each belongs to the address of one API, and its token is sent nowhere else.
"""

import fcntl
import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import typer

from bailiwick.access.discovery import ProviderUnavailable, discover, submit
from bailiwick.core.errors import Invalid, Unauthenticated

OWNER_ONLY = 0o600
EARLY = timedelta(seconds=30)  # a token that is about to expire is not sent any more
DEFAULT_LIFETIME_SECONDS = 300


@dataclass(frozen=True)
class SignIn:
    """Tokens of one person for the API at one address. `expires_at` is of the access token."""

    issuer: str
    client_id: str
    access_token: str
    refresh_token: str | None
    expires_at: str

    @classmethod
    def granted(
        cls, answer: dict[str, Any], *, issuer: str, client_id: str, refresh: str | None = None
    ) -> "SignIn":
        """From a token response (RFC 6749, 5.1); `refresh` goes on if there is no newer one."""
        lifetime = timedelta(seconds=int(answer.get("expires_in", DEFAULT_LIFETIME_SECONDS)))
        return cls(
            issuer=issuer,
            client_id=client_id,
            access_token=str(answer["access_token"]),
            refresh_token=answer.get("refresh_token") or refresh,
            expires_at=(datetime.now(UTC) + lifetime).isoformat(),
        )

    @property
    def is_fresh(self) -> bool:
        """Whether the access token can still be sent."""
        return datetime.fromisoformat(self.expires_at) - EARLY > datetime.now(UTC)


def current_token(url: str) -> str | None:
    """The access token for this API, refreshed if it has expired; None for whoever is signed out.

    Raises `Unauthenticated` when the sign-in has ended, and `ProviderUnavailable`.
    """
    kept = _read().get(_key(url))
    if kept is not None and not kept.is_fresh:
        kept = _refreshed(url)
    return None if kept is None else kept.access_token


def keep(url: str, sign_in: SignIn) -> Path:
    """Remember a sign-in; the file in which it is."""
    with _turn():
        _write(_read() | {_key(url): sign_in})
    return _file()


def forget(url: str) -> bool:
    """Sign out here, and tell the provider if it wants to know (RFC 7009). False: was not in."""
    with _turn():
        kept = _read()
        gone = kept.pop(_key(url), None)
        _write(kept)
    if gone is not None and gone.refresh_token is not None:
        with suppress(ProviderUnavailable, Invalid):
            endpoint = discover(gone.issuer).revocation_endpoint
            if endpoint is not None:
                submit(endpoint, {"token": gone.refresh_token, "client_id": gone.client_id})
    return gone is not None


def _refreshed(url: str) -> SignIn | None:
    with _turn():  # a refresh token works once: commands that run at the same time take turns
        held = _read()
        kept = held.get(_key(url))
        if kept is None or kept.is_fresh:
            return kept
        renewed = _renewed(kept)
        _write(held | {_key(url): renewed})
    return renewed


def _renewed(kept: SignIn) -> SignIn:
    ended = Unauthenticated("your sign-in has ended; sign in again: `bailiwick login`")
    if kept.refresh_token is None:
        raise ended
    form = {
        "grant_type": "refresh_token",
        "refresh_token": kept.refresh_token,
        "client_id": kept.client_id,
    }
    granted, answer = submit(discover(kept.issuer).token_endpoint, form)
    if not granted or "access_token" not in answer:
        raise ended
    return SignIn.granted(
        answer, issuer=kept.issuer, client_id=kept.client_id, refresh=kept.refresh_token
    )


def _file() -> Path:
    return Path(typer.get_app_dir("bailiwick")) / "sign-ins.json"


def _key(url: str) -> str:
    return url.rstrip("/")


def _read() -> dict[str, SignIn]:
    file = _file()
    try:
        if stat.S_IMODE(file.stat().st_mode) & ~OWNER_ONLY:
            raise Invalid(f"others may read {file}: allow its owner only, `chmod 600 {file}`")
        held = json.loads(file.read_text(encoding="utf-8"))
        return {url: SignIn(**fields) for url, fields in held.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise Invalid(
            f"{file} cannot be read as the sign-ins that it holds; delete it and run "
            "`bailiwick login`"
        ) from error


def _write(sign_ins: dict[str, SignIn]) -> None:
    """All at once, and never readable by others, not even for a moment."""
    file = _file()
    part = file.with_suffix(".part")
    part.unlink(missing_ok=True)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        json.dump({url: asdict(sign_in) for url, sign_in in sign_ins.items()}, stream)
    part.replace(file)


@contextmanager
def _turn() -> Iterator[None]:
    folder = _file().parent
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(folder / "sign-ins.lock", os.O_WRONLY | os.O_CREAT, OWNER_ONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
