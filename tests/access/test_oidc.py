"""Tokens of a real provider, and of those who would like to be one."""

import json
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc.jwk import OctKey, OKPKey, RSAKey

from bailiwick.access import InvalidToken, OpenIdProvider
from bailiwick.access.discovery import ProviderUnavailable, ask, discover
from bailiwick.access.keys import LIFETIME_SECONDS, MIN_INTERVAL_SECONDS
from bailiwick.core.clock import ReplayClock
from bailiwick.core.errors import Invalid
from bailiwick.core.settings import Settings
from support.oidc_provider import CLIENT, Provider, mac_with_public_key, new_key

SKEW_SECONDS = 60
BACK = "https://console.test/console/sign-in/callback"


@dataclass
class Stopwatch:
    """A monotonic clock that tests turn."""

    seconds: float = 1_000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def watch() -> Stopwatch:
    return Stopwatch()


@pytest.fixture
def ours(provider: Provider, watch: Stopwatch, tmp_path: Path) -> OpenIdProvider:
    return client_of(provider, tmp_path, watch)


def client_of(
    provider: Provider, home: Path, watch: Callable[[], float], **more: Any
) -> OpenIdProvider:
    settings = Settings(home=home, oidc_issuer=provider.issuer, oidc_client_id=CLIENT, **more)
    return OpenIdProvider(settings, monotonic=watch)


def refused(ours: OpenIdProvider, token: str, clock: ReplayClock) -> str:
    with pytest.raises(InvalidToken) as error:
        ours.read_access_token(token, at=clock.now())
    return error.value.message


def test_an_access_token_says_who_calls(
    provider: Provider, ours: OpenIdProvider, clock: ReplayClock
) -> None:
    provider.person.groups = ["ml-engineers", "staff"]
    claims = ours.read_access_token(provider.token(), at=clock.now())
    assert (claims.issuer, claims.subject, claims.name) == (provider.issuer, "8f14e45f", "ada")
    assert claims.groups == {"ml-engineers", "staff"}
    assert claims.issued_at == clock.now()


@pytest.mark.parametrize(
    ("groups", "read"),
    [(None, set()), ("one", {"one"}), (["a", 7, "", "x" * 300, "\x07"], {"a"}), ({"a": 1}, set())],
)
def test_group_claims_of_any_form_are_read_as_names(
    provider: Provider, ours: OpenIdProvider, clock: ReplayClock, groups: Any, read: set[str]
) -> None:
    assert ours.read_access_token(provider.token(groups=groups), at=clock.now()).groups == read


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        ({"iss": "https://elsewhere.test"}, "another issuer"),
        ({"iss": None}, "not one of"),
        ({"aud": "payroll"}, "another audience"),
        ({"aud": ["payroll", "crm"]}, "another audience"),
        ({"aud": None}, "not one of"),
        ({"exp": None}, "not one of"),
        ({"iat": None}, "not one of"),
        ({"sub": None}, "not one of"),
        ({"sub": 7}, "cannot be used"),
        ({"sub": "x" * 256}, "cannot be used"),
        ({"sub": "a\x00b"}, "cannot be used"),
        ({"exp": "tomorrow"}, "cannot be used"),
        ({"iat": -(10**30)}, "cannot be used"),
        ({"azp": "payroll"}, "another application"),
        ({"nonce": "n"}, "no access token"),
        ({"typ": "ID"}, "no access token"),
        ({"typ": "Refresh"}, "no access token"),
        ({"events": {}}, "no access token"),
        ({"sub": CLIENT}, "a program and not for a person"),
    ],
)
def test_claims_that_do_not_fit_are_refused_with_what_is_wrong(
    provider: Provider,
    ours: OpenIdProvider,
    clock: ReplayClock,
    claims: dict[str, Any],
    said: str,
) -> None:
    assert said in refused(ours, provider.token(**claims), clock)


def test_ours_may_be_one_of_several_audiences(
    provider: Provider, ours: OpenIdProvider, clock: ReplayClock
) -> None:
    assert ours.read_access_token(provider.token(aud=["crm", CLIENT]), at=clock.now())


@pytest.mark.parametrize(
    ("claim", "inside", "outside", "said"),
    [
        ("exp", 1 - SKEW_SECONDS, -SKEW_SECONDS, "expired"),
        ("nbf", SKEW_SECONDS, SKEW_SECONDS + 1, "not valid yet"),
        ("iat", SKEW_SECONDS, SKEW_SECONDS + 1, "in the future"),
    ],
)
def test_clocks_may_differ_by_the_skew_and_no_more(
    provider: Provider,
    ours: OpenIdProvider,
    clock: ReplayClock,
    claim: str,
    inside: int,
    outside: int,
    said: str,
) -> None:
    now = int(clock.now().timestamp())
    assert ours.read_access_token(provider.token(**{claim: now + inside}), at=clock.now())
    assert said in refused(ours, provider.token(**{claim: now + outside}), clock)


@pytest.mark.parametrize(
    "header",
    [
        {"kid": None},
        {"kid": "unknown"},
        {"kid": 7},
        {"typ": "logout+jwt"},
        {"typ": "dpop+jwt"},
        {"alg": "none"},
        {"alg": "RS256"},
        {"crit": ["exp"], "exp": 1},
    ],
)
def test_headers_that_do_not_fit_are_refused(
    provider: Provider, ours: OpenIdProvider, clock: ReplayClock, header: dict[str, Any]
) -> None:
    full = {"alg": "ES256", "typ": "at+jwt", "kid": provider.keys[0].kid} | header
    given = {name: value for name, value in full.items() if value is not None}
    signature = provider.token().rpartition(".")[2] if header.get("alg") != "none" else ""
    assert refused(ours, f"{part(given)}.{part(provider.claims())}.{signature}", clock)


def test_a_token_without_key_id_is_refused_though_its_signature_is_right(
    provider: Provider, ours: OpenIdProvider, clock: ReplayClock
) -> None:
    assert "key" in refused(ours, provider.token(header={"kid": None}), clock)


def test_the_public_key_is_no_secret_to_sign_with(
    provider: Provider, ours: OpenIdProvider, clock: ReplayClock
) -> None:
    refused(ours, mac_with_public_key(provider), clock)
    secret = OctKey.generate_key(256, {"kid": "shared", "alg": "HS256"})
    provider.keys.insert(0, secret)  # a provider that lists a secret key is not believed either
    refused(ours, provider.token(header={"alg": "HS256"}), clock)


def test_another_key_of_the_same_name_does_not_sign_for_the_provider(
    provider: Provider, ours: OpenIdProvider, clock: ReplayClock
) -> None:
    ours.read_access_token(provider.token(), at=clock.now())
    provider.keys = [new_key("first")]
    refused(ours, provider.token(), clock)


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "EdDSA"])
def test_the_other_allowed_algorithms_work(
    provider: Provider, ours: OpenIdProvider, clock: ReplayClock, rsa: RSAKey, algorithm: str
) -> None:
    edwards = OKPKey.generate_key("Ed25519", {"kid": "edwards"})
    provider.keys = [edwards if algorithm == "EdDSA" else rsa]
    token = provider.sign(provider.claims(), {"alg": algorithm})
    assert ours.read_access_token(token, at=clock.now()).subject == "8f14e45f"


@pytest.fixture(scope="module")
def rsa() -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": "rsa"})


def test_a_key_signs_only_by_the_algorithm_that_it_is_listed_with(
    provider: Provider, ours: OpenIdProvider, clock: ReplayClock, rsa: RSAKey
) -> None:
    listed = RSAKey.import_key(rsa.as_dict(private=True), {"kid": "rsa", "alg": "RS256"})
    provider.keys = [RSAKey.import_key(rsa.as_dict(private=True), {"kid": "rsa"})]
    token = provider.sign(provider.claims(), {"alg": "PS256"})
    provider.keys = [listed]
    refused(ours, token, clock)


@pytest.mark.parametrize(
    "token", ["", "..", "a.b.c", "e30.e30.e30", "é.é.é", "." * 9, "x" * 300_000]
)
def test_garbage_is_refused_in_the_same_words(
    ours: OpenIdProvider, clock: ReplayClock, token: str
) -> None:
    assert "not one of the OpenID provider's" in refused(ours, token, clock)


def test_after_a_rotation_the_new_key_is_fetched_and_the_old_one_forgotten(
    provider: Provider, ours: OpenIdProvider, clock: ReplayClock, watch: Stopwatch
) -> None:
    old = provider.token()
    ours.read_access_token(old, at=clock.now())
    httpx.post(f"{provider.issuer}/rotate", params={"kid": "second"}).raise_for_status()
    watch.seconds += MIN_INTERVAL_SECONDS
    assert ours.read_access_token(provider.token(), at=clock.now())
    refused(ours, old, clock)


def test_a_withdrawn_key_is_trusted_for_its_lifetime_and_not_longer(
    provider: Provider, ours: OpenIdProvider, clock: ReplayClock, watch: Stopwatch
) -> None:
    old = provider.token()
    ours.read_access_token(old, at=clock.now())
    provider.rotate("second")
    watch.seconds += LIFETIME_SECONDS - 1
    assert ours.read_access_token(old, at=clock.now())
    watch.seconds += 1
    refused(ours, old, clock)


def test_garbage_does_not_make_us_hammer_the_provider(
    provider: Provider, ours: OpenIdProvider, clock: ReplayClock, watch: Stopwatch
) -> None:
    ours.read_access_token(provider.token(), at=clock.now())
    for number in range(50):
        refused(ours, provider.token(header={"kid": f"made-up-{number}"}), clock)
    assert provider.asked["/jwks"] == 1
    watch.seconds += MIN_INTERVAL_SECONDS
    for number in range(50):
        refused(ours, provider.token(header={"kid": f"made-up-{number}"}), clock)
    assert provider.asked["/jwks"] == 2


def test_while_the_provider_is_down_known_keys_go_on_working(
    provider: Provider, ours: OpenIdProvider, clock: ReplayClock, watch: Stopwatch
) -> None:
    token = provider.token()
    ours.read_access_token(token, at=clock.now())
    provider.down = True
    watch.seconds += 10 * LIFETIME_SECONDS
    assert ours.read_access_token(token, at=clock.now())
    provider.rotate("second")
    watch.seconds += MIN_INTERVAL_SECONDS
    for _ in range(2):  # the second time without having asked again
        with pytest.raises(ProviderUnavailable):
            ours.read_access_token(provider.token(), at=clock.now())
    provider.down = False
    watch.seconds += MIN_INTERVAL_SECONDS
    assert ours.read_access_token(provider.token(), at=clock.now())


def test_nobody_there_is_unavailable_and_not_a_wrong_token(
    clock: ReplayClock, tmp_path: Path, provider: Provider, watch: Stopwatch
) -> None:
    nowhere = Provider("http://127.0.0.1:9", clock, keys=provider.keys)
    with pytest.raises(ProviderUnavailable, match="not reachable"):
        client_of(nowhere, tmp_path, watch).read_access_token(nowhere.token(), at=clock.now())


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "https://elsewhere.test"},
        {"jwks_uri": None},
        {"jwks_uri": "http://elsewhere.test/jwks"},
        {"token_endpoint": "file:///etc/passwd"},
        {"jwks_uri": ["x"]},
    ],
)
def test_metadata_that_lead_elsewhere_are_not_followed(
    provider: Provider, metadata: dict[str, Any]
) -> None:
    provider.metadata = metadata
    with pytest.raises(ProviderUnavailable):
        discover(provider.issuer)


def test_a_redirect_is_not_followed(provider: Provider) -> None:
    with pytest.raises(ProviderUnavailable):
        ask(f"{provider.issuer}/elsewhere")
    assert provider.asked["/jwks"] == 0


@pytest.mark.parametrize(
    "issuer", ["http://login.example", "ftp://x", "login.example", "http://[", "https://"]
)
def test_an_issuer_that_is_not_safe_stops_the_process_at_its_start(
    tmp_path: Path, issuer: str
) -> None:
    settings = Settings(home=tmp_path, oidc_issuer=issuer, oidc_client_id=CLIENT)
    with pytest.raises(Invalid, match="https"):
        OpenIdProvider.of(settings)


def test_issuer_and_client_belong_together(tmp_path: Path) -> None:
    assert OpenIdProvider.of(Settings(home=tmp_path)) is None
    for half in ({"oidc_issuer": "https://login.example"}, {"oidc_client_id": "x"}):
        with pytest.raises(Invalid, match="belong together"):
            OpenIdProvider.of(Settings(home=tmp_path, **half))  # type: ignore[arg-type]


def test_with_an_audience_of_its_own_the_api_takes_no_id_tokens_and_other_clients(
    provider: Provider, clock: ReplayClock, watch: Stopwatch, tmp_path: Path
) -> None:
    ours = client_of(provider, tmp_path, watch, oidc_audience="https://api.test")
    at = clock.now()
    assert ours.read_access_token(provider.token(aud="https://api.test", azp="other"), at=at)
    assert "audience" in refused(ours, provider.token(), clock)
    assert "audience" in refused(ours, provider.id_token(), clock)


def test_an_id_token_has_to_answer_this_sign_in_of_this_client(
    provider: Provider, ours: OpenIdProvider, clock: ReplayClock
) -> None:
    at = clock.now()
    assert ours.read_id_token(provider.id_token(nonce="n"), nonce="n", at=at).name == "ada"
    wrong: list[dict[str, Any]] = [
        {"nonce": "other"},
        {"nonce": None},
        {"nonce": "n", "aud": "payroll"},
        {"nonce": "n", "azp": "payroll"},
        {"nonce": "n", "aud": [CLIENT, "payroll"]},
        {"nonce": "n", "exp": int(at.timestamp()) - 61},
    ]
    for claims in wrong:
        with pytest.raises(InvalidToken):
            ours.read_id_token(provider.id_token(**claims), nonce="n", at=at)
    with pytest.raises(InvalidToken):
        ours.read_id_token(provider.token(nonce="n"), nonce="n", at=at)


@pytest.mark.parametrize("secret", [None, "s3cret"])
def test_a_code_is_redeemed_by_whoever_holds_the_verifier(
    provider: Provider,
    clock: ReplayClock,
    watch: Stopwatch,
    tmp_path: Path,
    secret: str | None,
) -> None:
    provider.secret = secret
    ours = client_of(provider, tmp_path, watch, oidc_client_secret=secret)
    verifier = "v" * 43
    for used, works in ((verifier, True), ("w" * 43, False)):
        code = code_from(ours, verifier)
        given: dict[str, Any] = {"nonce": "n", "code_verifier": used, "at": clock.now()}
        if works:
            assert ours.redeem(code, BACK, **given).name == "ada"
        for _ in range(2):  # a code works once
            with pytest.raises(InvalidToken, match="did not confirm"):
                ours.redeem(code, BACK, **given)


def code_from(ours: OpenIdProvider, verifier: str) -> str:
    address = ours.address_to_sign_in(BACK, state="s", nonce="n", code_verifier=verifier)
    assert parse_qs(urlsplit(address).query)["scope"] == ["openid profile groups"]
    back = httpx.get(address).headers["location"]
    return parse_qs(urlsplit(back).query)["code"][0]


def part(content: dict[str, Any]) -> str:
    return urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()
