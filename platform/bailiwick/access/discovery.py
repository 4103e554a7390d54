"""How an OpenID provider is found and asked (OpenID Connect Discovery 1.0). The only HTTP here.

Nothing is followed elsewhere: a redirect is an error, and addresses are `https`, or on this
machine itself if the issuer is.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from bailiwick.core.errors import Invalid, Unavailable

WELL_KNOWN = "/.well-known/openid-configuration"
LOOPBACK = ("localhost", "127.0.0.1", "::1")
PATIENCE = httpx.Timeout(5.0, connect=3.0)
REFUSED = 400


class ProviderUnavailable(Unavailable):
    """The OpenID provider does not answer as it should."""

    code = "identity-provider-unavailable"

    def __init__(self, what: str) -> None:
        super().__init__(
            f"the OpenID provider {what}; try again in a moment, and tell an administrator if it "
            "stays so"
        )


@dataclass(frozen=True)
class Metadata:
    """Where the provider answers what."""

    issuer: str
    jwks_uri: str
    authorization_endpoint: str
    token_endpoint: str
    device_authorization_endpoint: str | None
    revocation_endpoint: str | None
    scopes: frozenset[str]
    secret_goes_in_body: bool

    def scope(self, *wanted: str) -> str:
        """`openid profile`, and what else is wanted and known to this provider."""
        known = [scope for scope in wanted if scope in self.scopes]
        return " ".join(["openid", "profile", *known])


def discover(issuer: str) -> Metadata:
    """What the issuer says about itself. Raises `ProviderUnavailable`."""
    check_address(issuer)
    found = ask(issuer.rstrip("/") + WELL_KNOWN)
    if found.get("issuer") != issuer:
        raise ProviderUnavailable(f"at {issuer} says that it is another issuer")
    methods = found.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
    return Metadata(
        issuer=issuer,
        jwks_uri=_endpoint(found, "jwks_uri", issuer),
        authorization_endpoint=_endpoint(found, "authorization_endpoint", issuer),
        token_endpoint=_endpoint(found, "token_endpoint", issuer),
        device_authorization_endpoint=_optional(found, "device_authorization_endpoint", issuer),
        revocation_endpoint=_optional(found, "revocation_endpoint", issuer),
        scopes=frozenset(map(str, found.get("scopes_supported", ()))),
        secret_goes_in_body="client_secret_basic" not in methods,
    )


def ask(url: str) -> dict[str, Any]:
    """GET a JSON object."""
    status, answer = _request("GET", url)
    if status != httpx.codes.OK:
        raise ProviderUnavailable(f"answered {status} at {url}")
    return answer


def submit(
    url: str, form: Mapping[str, str], *, credentials: tuple[str, str] | None = None
) -> tuple[bool, dict[str, Any]]:
    """POST a form: whether it was granted, and the answer or the OAuth error (RFC 6749, 5.2)."""
    status, answer = _request("POST", url, data=dict(form), auth=credentials)
    if status not in (httpx.codes.OK, REFUSED, httpx.codes.UNAUTHORIZED):
        raise ProviderUnavailable(f"answered {status} at {url}")
    return status == httpx.codes.OK, answer


def check_address(issuer: str) -> None:
    """`Invalid` unless it is `https`, or an address of this machine."""
    if not _is_safe(issuer, local=True):
        raise Invalid(
            f"{issuer} is no safe address of an OpenID provider: it has to begin with https:// "
            "(http:// only on this machine)"
        )


def _is_safe(url: str, *, local: bool) -> bool:
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        return False
    return bool(parsed.host) and (
        parsed.scheme == "https" or (local and parsed.scheme == "http" and parsed.host in LOOPBACK)
    )


def _endpoint(found: Mapping[str, Any], name: str, issuer: str) -> str:
    url = found.get(name)
    if not isinstance(url, str):
        raise ProviderUnavailable(f"at {issuer} names no {name}")
    if not _is_safe(url, local=httpx.URL(issuer).host in LOOPBACK):
        raise ProviderUnavailable(f"at {issuer} names an unsafe {name}")
    return url


def _optional(found: Mapping[str, Any], name: str, issuer: str) -> str | None:
    return _endpoint(found, name, issuer) if found.get(name) else None


def _request(method: str, url: str, **content: Any) -> tuple[int, dict[str, Any]]:
    # A proxy of the environment does not lead to this machine itself.
    with httpx.Client(timeout=PATIENCE, trust_env=httpx.URL(url).host not in LOOPBACK) as client:
        try:
            response = client.request(method, url, **content)
            answer = response.json()
        except httpx.HTTPError as error:
            raise ProviderUnavailable(f"is not reachable at {url}") from error
        except ValueError as error:
            raise ProviderUnavailable(
                f"answered {response.status_code} without JSON at {url}"
            ) from error
    if not isinstance(answer, dict):
        raise ProviderUnavailable(f"answered something that is no object at {url}")
    return response.status_code, answer
