"""Proof of identity by an OpenID provider: its tokens read, a browser sent there and back.

OpenID Connect Core 1.0 for id tokens, RFC 9068 for access tokens, RFC 7636 (PKCE, S256) and
RFC 9207 for the way through the browser. joserfc checks signatures and claims; the rules here
say which. Whoever is proven is not yet known: see `identities`.
"""

import hashlib
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import httpx
from joserfc.errors import (
    ExpiredTokenError,
    InvalidClaimError,
    JoseError,
    UnsupportedAlgorithmError,
)
from joserfc.jwk import Key
from joserfc.jws import JWSRegistry
from joserfc.jwt import JWTClaimsRegistry, decode

from bailiwick.access.discovery import Metadata, ask, check_address, discover, submit
from bailiwick.access.keys import KeyRing
from bailiwick.core.errors import Invalid, Unauthenticated
from bailiwick.core.settings import Settings

# Signatures by a private key alone: never `none`, never a MAC, whose key would be public here.
ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA", "Ed25519")
ACCESS_TYPES = (None, "jwt", "at+jwt", "application/at+jwt")
ID_TYPES = (None, "jwt")
# What only other tokens of a provider carry (id tokens, logout tokens; Keycloak's `typ` claim).
NOT_OF_ACCESS_TOKENS = {"nonce", "at_hash", "c_hash", "events"}
MAX_SUBJECT_LENGTH, MAX_GROUP_LENGTH = 255, 200


class InvalidToken(Unauthenticated):
    """A token of the provider that is not accepted here."""

    code = "invalid-token"


@dataclass(frozen=True)
class Claims:
    """Who the provider says it is. `issued_at` is to the second, by the provider's clock."""

    issuer: str
    subject: str
    name: str
    groups: frozenset[str]
    issued_at: datetime


class OpenIdProvider:
    """The one provider of an installation, as one process knows it. Thread-safe."""

    def __init__(
        self, settings: Settings, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        if settings.oidc_issuer is None or settings.oidc_client_id is None:
            raise Invalid(
                "BAILIWICK_OIDC_ISSUER and BAILIWICK_OIDC_CLIENT_ID belong together: "
                "set both, or neither"
            )
        check_address(settings.oidc_issuer)
        self.issuer = settings.oidc_issuer
        self.client_id = settings.oidc_client_id
        self.audience = settings.oidc_audience or settings.oidc_client_id
        self._settings = settings
        self._metadata: Metadata | None = None
        self._keys = KeyRing(self._fetch_keys, monotonic=monotonic)

    @classmethod
    def of(cls, settings: Settings) -> "OpenIdProvider | None":
        """The provider that the settings name, if they name one."""
        if settings.oidc_issuer is None and settings.oidc_client_id is None:
            return None
        return cls(settings)

    @property
    def host(self) -> str:
        """Where people sign in, as a browser's address bar will show it."""
        return httpx.URL(self.issuer).host

    def read_access_token(self, token: str, *, at: datetime) -> Claims:
        """Who calls the API. Raises `InvalidToken`, and `ProviderUnavailable` for a new key."""
        claims = self._verified(token, ACCESS_TYPES, self.audience, at)
        if self.audience == self.client_id and not _is(claims, "azp", self):
            raise InvalidToken("this token was made for another application; sign in to this one")
        if claims.get("typ", "Bearer") != "Bearer" or NOT_OF_ACCESS_TOKENS & claims.keys():
            raise InvalidToken("this is no access token; send that one instead of the id token")
        if claims["sub"] in (claims.get("client_id"), claims.get("azp")):
            raise InvalidToken(
                "this token stands for a program and not for a person (client credentials); "
                "give the program an API token: `bailiwick token create SERVICE`"
            )
        return self._claims(claims)

    def read_id_token(self, token: str, *, nonce: str, at: datetime) -> Claims:
        """Who came back from the provider (OpenID Connect Core 1.0, 3.1.3.7)."""
        claims = self._verified(token, ID_TYPES, self.client_id, at)
        several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
        if not _is(claims, "azp", self) or (several and "azp" not in claims):
            raise InvalidToken("the provider signed you in to another application; try again")
        if claims.get("nonce") != nonce:
            raise InvalidToken("the provider answered another sign-in; start again")
        return self._claims(claims)

    def address_to_sign_in(
        self, redirect_uri: str, *, state: str, nonce: str, code_verifier: str
    ) -> str:
        """Where the browser is sent to (authorization code flow)."""
        metadata = self._metadata or self._discover()
        challenge = hashlib.sha256(code_verifier.encode()).digest()
        query = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": redirect_uri,
            "scope": metadata.scope("email", "groups"),
            "state": state,
            "nonce": nonce,
            "code_challenge": urlsafe_b64encode(challenge).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }
        joint = "&" if "?" in metadata.authorization_endpoint else "?"
        return f"{metadata.authorization_endpoint}{joint}{urlencode(query)}"

    def redeem(
        self, code: str, redirect_uri: str, *, nonce: str, code_verifier: str, at: datetime
    ) -> Claims:
        """Who the code stands for; it works once."""
        metadata = self._metadata or self._discover()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": code_verifier,
            "client_id": self.client_id,
        }
        secret = self._settings.oidc_client_secret
        credentials = None
        if secret is not None and metadata.secret_goes_in_body:
            form["client_secret"] = secret.get_secret_value()
        elif secret is not None:
            credentials = (self.client_id, secret.get_secret_value())
        granted, answer = submit(metadata.token_endpoint, form, credentials=credentials)
        token = answer.get("id_token")
        if not granted or not isinstance(token, str):
            raise InvalidToken("the provider did not confirm this sign-in; start again")
        return self.read_id_token(token, nonce=nonce, at=at)

    def _verified(
        self, token: str, types: tuple[str | None, ...], audience: str, at: datetime
    ) -> dict[str, Any]:
        try:
            read = decode(token, lambda signed: self._key(signed.headers()), registry=_REGISTRY)
            kind = read.header.get("typ")
            if (kind and kind.lower()) not in types:
                raise InvalidToken("this is a token of another kind; send an access token")
            self._rules(audience, at).validate(read.claims)
        except ExpiredTokenError as error:
            raise InvalidToken("this token has expired; sign in again") from error
        except InvalidClaimError as error:
            raise InvalidToken(_CLAIMS.get(error.claim, _UNFIT)) from error
        except (JoseError, ValueError, TypeError, RecursionError) as error:
            raise InvalidToken(
                "this token is not one of the OpenID provider's (its signature, key or form is "
                "wrong); sign in again"
            ) from error
        return read.claims

    def _key(self, header: Mapping[str, Any]) -> Key:
        kid = header.get("kid")
        key = self._keys.find(kid) if isinstance(kid, str) else None
        if key is None or key.get("alg", header["alg"]) != header["alg"]:
            raise UnsupportedAlgorithmError("no key of the provider's signs like this")
        return key

    def _rules(self, audience: str, at: datetime) -> JWTClaimsRegistry:
        return JWTClaimsRegistry(
            now=int(at.timestamp()),
            leeway=self._settings.oidc_clock_skew_seconds,
            iss={"essential": True, "value": self.issuer},
            aud={"essential": True, "value": audience},
            sub={"essential": True},
            exp={"essential": True},
            iat={"essential": True},
        )

    def _claims(self, claims: Mapping[str, Any]) -> Claims:
        subject = claims["sub"]
        if not subject.isprintable() or len(subject) > MAX_SUBJECT_LENGTH:
            raise InvalidToken(_UNFIT)
        groups = claims.get(self._settings.oidc_groups_claim, ())
        listed: Iterable[Any] = [groups] if isinstance(groups, str) else groups
        named = listed if isinstance(listed, list | tuple) else ()
        try:
            issued_at = datetime.fromtimestamp(int(claims["iat"]), UTC)
        except (OverflowError, OSError, ValueError) as error:
            raise InvalidToken(_UNFIT) from error
        return Claims(
            issuer=self.issuer,
            subject=subject,
            name=str(claims.get(self._settings.oidc_name_claim) or subject),
            groups=frozenset(
                group
                for group in named
                if isinstance(group, str)
                and group.isprintable()
                and 0 < len(group) <= MAX_GROUP_LENGTH
            ),
            issued_at=issued_at,
        )

    def _discover(self) -> Metadata:
        self._metadata = discover(self.issuer)
        return self._metadata

    def _fetch_keys(self) -> list[Mapping[str, Any]]:
        listed = ask(self._discover().jwks_uri).get("keys")
        return [key for key in listed if isinstance(key, dict)] if isinstance(listed, list) else []


class _Signatures(JWSRegistry):
    """The allowed algorithms, each by its name alone."""

    def get_alg(self, name: str) -> Any:
        if name not in ALGORITHMS:
            raise UnsupportedAlgorithmError(f"signatures by {name!r} are not accepted")
        return self.algorithms[name]


def _is(claims: Mapping[str, Any], name: str, provider: OpenIdProvider) -> bool:
    """Whether a claim that may be left out names our own client."""
    return bool(claims.get(name, provider.client_id) == provider.client_id)


_REGISTRY = _Signatures(strict_check_header=False)
_UNFIT = "this token's claims cannot be used here; sign in again"
_CLAIMS = {
    "iss": "this token is of another issuer than the OpenID provider of this installation",
    "aud": "this token was made for another audience; sign in to this installation",
    "nbf": "this token is not valid yet; check the clocks",
    "iat": "this token was issued in the future; check the clocks",
}
