"""The provider's public keys (RFC 7517): kept while they serve, fetched again when they turn."""

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any

from joserfc.errors import JoseError
from joserfc.jwk import Key, import_key

from bailiwick.access.discovery import ProviderUnavailable

LIFETIME_SECONDS = 600.0  # a key that was withdrawn is trusted for so long at most
MIN_INTERVAL_SECONDS = 5.0  # garbage that names unknown keys makes us ask no oftener
MAX_WAITING = 4  # threads that may wait while one of them asks
MIN_RSA_CHARACTERS = 342  # 2,048 bits in base64url

Fetch = Callable[[], Iterable[Mapping[str, Any]]]


class KeyRing:
    """The provider's signing keys by id. Thread-safe.

    While the provider is down, the keys that are known go on working.
    """

    def __init__(self, fetch: Fetch, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._fetch = fetch
        self._monotonic = monotonic
        self._keys: dict[str, Key] = {}
        self._asked_at = -LIFETIME_SECONDS
        self._failed = False
        self._asking = threading.Lock()
        self._places = threading.BoundedSemaphore(MAX_WAITING)

    def find(self, kid: str) -> Key | None:
        """The key with this id; None if the provider has none.

        Raises `ProviderUnavailable` for an unknown key while the provider cannot be asked.
        """
        if kid in self._keys:
            with suppress(ProviderUnavailable):
                self._refresh(LIFETIME_SECONDS)
        else:
            self._refresh(MIN_INTERVAL_SECONDS)
        key = self._keys.get(kid)
        if key is None and self._failed:
            raise ProviderUnavailable("cannot be asked for its newest keys")
        return key

    def _refresh(self, after_seconds: float) -> None:
        """Ask again, unless that was done less than so long ago."""
        if not self._is_due(after_seconds):
            return
        if not self._places.acquire(blocking=False):
            raise ProviderUnavailable("is slow to give its keys")
        try:
            with self._asking:
                if self._is_due(after_seconds):  # nobody else has just done it
                    self._ask()
        finally:
            self._places.release()

    def _is_due(self, after_seconds: float) -> bool:
        return self._monotonic() - self._asked_at >= after_seconds

    def _ask(self) -> None:
        self._failed = True
        try:
            self._keys = dict(filter(None, map(_usable, self._fetch())))
            self._failed = False
        finally:
            self._asked_at = self._monotonic()


def _usable(jwk: Mapping[str, Any]) -> tuple[str, Key] | None:
    """The id and key, if it is a public key for signatures that is strong enough."""
    kid, use = jwk.get("kid"), jwk.get("use", "sig")
    if not isinstance(kid, str) or use != "sig" or jwk.get("kty") not in ("RSA", "EC", "OKP"):
        return None
    if jwk["kty"] == "RSA" and len(str(jwk.get("n"))) < MIN_RSA_CHARACTERS:
        return None
    try:
        return kid, import_key(dict(jwk))
    except (JoseError, LookupError, ValueError, TypeError):
        return None  # of a kind that we do not know, or broken: the others still serve
