"""A small OpenID provider on a loopback port: real HTTP, real keys, consent without asking.

Authorization code with PKCE, device flow, rotating refresh tokens. Tests choose who signs in,
turn the keys, let it fail, and mint tokens that no honest provider would.
"""

import hashlib
import secrets
import socket
import threading
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Annotated, Any
from urllib.parse import urlencode

import uvicorn
from fastapi import FastAPI, Form, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse
from joserfc import jwt
from joserfc.jwk import ECKey, Key, OctKey
from joserfc.jws import JWSAlgModel, JWSRegistry

from bailiwick.core.clock import Clock, SystemClock

CLIENT = "bailiwick"
LIFETIME_SECONDS = 300
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"


class Forgiving(JWSRegistry):
    """Signs by any algorithm, as nobody should."""

    def get_alg(self, name: str) -> JWSAlgModel:
        """Whatever is asked for."""
        return self.algorithms[name]


FORGIVING = Forgiving()


@dataclass
class Person:
    """Somebody with an account at the provider."""

    subject: str = "8f14e45f"
    username: str = "ada"
    groups: list[str] | None = None


def new_key(kid: str) -> ECKey:
    """A P-256 key, which is quick to make."""
    return ECKey.generate_key("P-256", {"kid": kid, "use": "sig", "alg": "ES256"})


@dataclass
class Provider:
    """What the provider knows; tests change it as they like."""

    issuer: str
    clock: Clock = field(default_factory=SystemClock)
    person: Person = field(default_factory=Person)
    keys: list[Key] = field(default_factory=lambda: [new_key("first")])
    secret: str | None = None
    down: bool = False
    consents: bool = True
    nonce: str | None = None  # instead of the one that was sent
    metadata: dict[str, Any] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    devices: dict[str, dict[str, str]] = field(default_factory=dict)
    refresh_tokens: set[str] = field(default_factory=set)

    def begin_anew(self, clock: Clock) -> None:
        """As it was at first, by this clock."""
        vars(self).update(vars(Provider(self.issuer, clock)))

    def rotate(self, kid: str) -> None:
        """Sign with a new key; the old one is listed no more."""
        self.keys = [new_key(kid)]

    def token(self, *, header: dict[str, Any] | None = None, **claims: Any) -> str:
        """An access token of the person as they are now; None leaves a claim or header out."""
        return self.sign(self.claims(client_id=CLIENT, **claims), header)

    def id_token(self, **claims: Any) -> str:
        """An id token of the person as they are now."""
        return self.sign(self.claims(**claims), {"typ": "JWT"})

    def claims(self, **changes: Any) -> dict[str, Any]:
        """What the provider says of the person now."""
        now = int(self.clock.now().timestamp())
        told = {
            "iss": self.issuer,
            "sub": self.person.subject,
            "aud": CLIENT,
            "iat": now,
            "exp": now + LIFETIME_SECONDS,
            "preferred_username": self.person.username,
            "groups": self.person.groups,
        } | changes
        return {name: value for name, value in told.items() if value is not None}

    def sign(self, claims: dict[str, Any], header: dict[str, Any] | None = None) -> str:
        """A token with these claims, by the newest key unless the header says otherwise."""
        key = self.keys[0]
        full = {"alg": "ES256", "typ": "at+jwt", "kid": key.kid} | (header or {})
        given = {name: value for name, value in full.items() if value is not None}
        return jwt.encode(given, claims, key, registry=FORGIVING, default_type=None)

    def public(self) -> dict[str, Any]:
        """The JWK set."""
        return {"keys": [key.as_dict(private=False) for key in self.keys]}

    def discovery(self) -> dict[str, Any]:
        """The metadata, with what a test has changed about it."""
        paths = {
            "jwks_uri": "jwks",
            "authorization_endpoint": "authorize",
            "token_endpoint": "token",
            "device_authorization_endpoint": "device",
        }
        own = {name: f"{self.issuer}/{path}" for name, path in paths.items()}
        told = {"issuer": self.issuer, "scopes_supported": ["openid", "groups", "offline_access"]}
        return told | own | self.metadata

    def granted(self, nonce: str = "") -> dict[str, Any]:
        """A token response."""
        refresh = secrets.token_urlsafe(16)
        self.refresh_tokens.add(refresh)
        return {
            "access_token": self.token(jti=secrets.token_hex(4)),
            "id_token": self.id_token(nonce=self.nonce or nonce),
            "refresh_token": refresh,
            "token_type": "Bearer",
            "expires_in": LIFETIME_SECONDS,
        }

    def answer(self, form: dict[str, str]) -> dict[str, Any] | None:
        """What a token request gets; None: nothing."""
        match form["grant_type"]:
            case "authorization_code":
                return self._for_code(form)
            case "refresh_token" if form["refresh_token"] in self.refresh_tokens:
                self.refresh_tokens.remove(form["refresh_token"])
                return self.granted()
            case _:
                return None

    def _for_code(self, form: dict[str, str]) -> dict[str, Any] | None:
        asked = self.codes.pop(form["code"], None)
        if asked is None or asked["redirect_uri"] != form["redirect_uri"]:
            return None
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        challenge = urlsafe_b64encode(digest).rstrip(b"=").decode()
        return self.granted(asked["nonce"]) if challenge == asked["code_challenge"] else None


def make_app(provider: Provider) -> FastAPI:
    """The provider over HTTP."""
    app = FastAPI(openapi_url=None)
    _tell_about(app, provider)
    _sign_in(app, provider)
    return app


def _tell_about(app: FastAPI, provider: Provider) -> None:

    @app.middleware("http")
    async def counted(request: Request, call_next: Any) -> Response:
        provider.asked[request.url.path] += 1
        if provider.down:
            return JSONResponse({"error": "temporarily_unavailable"}, 503)
        answer: Response = await call_next(request)
        return answer

    @app.get("/.well-known/openid-configuration")
    def discovery() -> dict[str, Any]:
        return provider.discovery()

    @app.get("/elsewhere")
    def elsewhere() -> Response:
        return RedirectResponse(f"{provider.issuer}/jwks", 302)

    @app.get("/jwks")
    def jwks() -> dict[str, Any]:
        return provider.public()

    @app.post("/rotate")
    def rotate(kid: str) -> dict[str, Any]:
        provider.rotate(kid)
        return provider.public()


def _sign_in(app: FastAPI, provider: Provider) -> None:
    @app.get("/authorize")
    def authorize(request: Request) -> Response:
        asked = dict(request.query_params)
        fits = asked["client_id"] == CLIENT and asked["response_type"] == "code"
        if not fits or asked["code_challenge_method"] != "S256" or "openid" not in asked["scope"]:
            return JSONResponse({"error": "invalid_request"}, 400)
        back = {"state": asked["state"], "iss": provider.issuer}
        if not provider.consents:
            return RedirectResponse(
                f"{asked['redirect_uri']}?{urlencode(back | {'error': 'access_denied'})}", 302
            )
        code = secrets.token_urlsafe(16)
        provider.codes[code] = asked
        return RedirectResponse(f"{asked['redirect_uri']}?{urlencode(back | {'code': code})}", 302)

    @app.post("/device")
    def device(client_id: Annotated[str, Form()], scope: Annotated[str, Form()]) -> dict[str, Any]:
        code = secrets.token_urlsafe(16)
        provider.devices[code] = {"client_id": client_id, "scope": scope, "state": "waiting"}
        return {
            "device_code": code,
            "user_code": "WDJB-MJHT",
            "verification_uri": f"{provider.issuer}/activate",
            "expires_in": 600,
            "interval": 1,
        }

    @app.post("/revoke")
    def revoke(token: Annotated[str, Form()]) -> dict[str, Any]:
        provider.refresh_tokens.discard(token)
        return {}

    @app.post("/token")
    async def token(request: Request) -> Response:
        form = {name: str(value) for name, value in (await request.form()).items()}
        if provider.secret is not None and not _knows(request, provider.secret):
            return JSONResponse({"error": "invalid_client"}, 401)
        if form["grant_type"] == DEVICE_GRANT:
            return _for_device(provider, form)
        answer = provider.answer(form)
        if answer is None:
            return JSONResponse({"error": "invalid_grant"}, 400)
        return JSONResponse(answer)


def _for_device(provider: Provider, form: dict[str, str]) -> Response:
    """Waits twice, the second time asking for patience; then grants or refuses."""
    asked = provider.devices[form["device_code"]]
    steps = {"waiting": "authorization_pending", "asked": "slow_down"}
    if asked["state"] in steps:
        error = steps[asked["state"]]
        asked["state"] = "asked" if asked["state"] == "waiting" else "decided"
        return JSONResponse({"error": error}, 400)
    if not provider.consents:
        return JSONResponse({"error": "access_denied"}, 400)
    return JSONResponse(provider.granted())


def _knows(request: Request, secret: str) -> bool:
    kind, _, given = request.headers.get("authorization", "").partition(" ")
    return kind == "Basic" and urlsafe_b64decode(given).decode() == f"{CLIENT}:{secret}"


@contextmanager
def running_provider() -> Iterator[Provider]:
    """A provider that answers while the block runs."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        provider = Provider(f"http://127.0.0.1:{listener.getsockname()[1]}")
        settings = uvicorn.Config(make_app(provider), log_config=None, lifespan="off")
        server = uvicorn.Server(settings)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()  # what is sent before it accepts waits in the listener's queue
        yield provider
        server.should_exit = True
        thread.join(10)


def mac_with_public_key(provider: Provider) -> str:
    """HS256 with the public key as secret: accepted where the algorithm is taken on trust."""
    key = provider.keys[0]
    pem = key.as_pem(private=False) if not isinstance(key, OctKey) else b""
    header = {"alg": "HS256", "typ": "at+jwt", "kid": key.kid}
    return jwt.encode(
        header,
        provider.claims(),
        OctKey.import_key(pem.hex()),
        registry=FORGIVING,
        default_type=None,
    )
