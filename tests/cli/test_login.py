"""Signing in from the command line, against a real provider and a real API."""

import json
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from bailiwick.cli import login
from bailiwick.cli.application import listen, serving_in_background
from bailiwick.cli.sign_ins import current_token
from bailiwick.core.clock import SystemClock
from bailiwick.core.settings import Settings
from bailiwick.lifecycle import Platform
from cli.conftest import Shell
from client.installation import FakeModels
from client.scripted import Said, scripted
from factories import Factory
from support.applications import api_of
from support.oidc_provider import CLIENT, Provider


@pytest.fixture
def clock() -> SystemClock:
    """The command line goes by the machine's clock."""
    return SystemClock()


@pytest.fixture
def settings(settings: Settings, provider: Provider) -> Settings:
    """An installation with single sign-on."""
    told = {"oidc_issuer": provider.issuer, "oidc_client_id": CLIENT}
    return settings.model_copy(update=told)


@pytest.fixture
def url(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Where the API answers."""
    with platform.database.transaction() as session:
        assert Factory(session, platform).root
    listener = listen("127.0.0.1", 0)
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    monkeypatch.setenv("BAILIWICK_URL", address)
    app = api_of(platform, FakeModels())
    with serving_in_background(app, listener):
        yield address


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long it waited, without waiting."""
    waited: list[float] = []
    monkeypatch.setattr(login, "sleep", waited.append)
    return waited


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "config" / "bailiwick" / "sign-ins.json"


def expire(file: Path, **changes: Any) -> None:
    held = json.loads(file.read_text())
    for fields in held.values():
        fields.update({"expires_at": "2020-01-01T00:00:00+00:00"} | changes)
    file.write_text(json.dumps(held))


@pytest.mark.usefixtures("url")
def test_login_waits_for_the_browser_and_then_knows_who_one_is(
    run: Shell, pauses: list[float], file: Path, provider: Provider
) -> None:
    run("whoami", expect=4)
    said = run("login")
    assert "WDJB-MJHT" in said.err
    assert f"{provider.issuer}/activate" in said.err
    assert "as ada" in said.out.replace("\n", " ")
    assert pauses == [1, 1, 6]  # pending, then slow down, then granted
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert run("whoami", "--json").json["name"] == "ada"
    assert "bwk_" not in said.out + said.err


@pytest.mark.usefixtures("url", "pauses")
def test_an_expired_token_is_refreshed_without_a_word(
    run: Shell, file: Path, provider: Provider
) -> None:
    run("login")
    before = json.loads(file.read_text())
    expire(file)
    said = run("whoami", "--json")
    assert said.err == ""
    after = json.loads(file.read_text())
    ((old, new),) = zip(before.values(), after.values(), strict=True)
    assert old["access_token"] != new["access_token"]
    assert old["refresh_token"] != new["refresh_token"]
    assert provider.refresh_tokens == {new["refresh_token"]}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.usefixtures("pauses")
def test_commands_at_the_same_time_use_a_refresh_token_once(
    run: Shell, file: Path, url: str
) -> None:
    run("login")
    expire(file)
    with ThreadPoolExecutor(6) as pool:
        tokens = set(pool.map(current_token, [url] * 6))
    assert len(tokens) == 1


@pytest.mark.usefixtures("url", "pauses")
def test_a_sign_in_that_the_provider_ended_is_said_to_have_ended(
    run: Shell, file: Path, provider: Provider
) -> None:
    run("login")
    provider.refresh_tokens.clear()
    expire(file)
    assert "bailiwick login" in run("whoami", expect=4).err
    expire(file, refresh_token=None)
    assert "bailiwick login" in run("whoami", expect=4).err


@pytest.mark.usefixtures("url", "pauses")
def test_a_provider_that_is_down_is_no_end(run: Shell, file: Path, provider: Provider) -> None:
    run("login")
    expire(file)
    provider.down = True
    assert "try again" in run("whoami", expect=3).err
    provider.down = False
    assert run("whoami", "--json").json["name"] == "ada"


@pytest.mark.usefixtures("url", "pauses")
def test_a_token_of_the_environment_wins(run: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    run("login")
    monkeypatch.setenv("BAILIWICK_TOKEN", "bwk_wrong")
    assert "not valid here" in run("whoami", expect=4).err


@pytest.mark.usefixtures("pauses")
def test_the_tokens_are_for_one_address(run: Shell, url: str) -> None:
    run("login")
    with scripted(Said(401, {"code": "unauthenticated", "detail": "who?"})) as elsewhere:
        run("whoami", "--url", elsewhere.url, expect=4)
        assert "authorization" not in {name.lower() for name in elsewhere.asked[0][2]}
    assert current_token(f"{url}/") == current_token(url)


@pytest.mark.usefixtures("url", "pauses")
def test_logout_forgets_the_tokens_and_tells_the_provider(
    run: Shell, file: Path, provider: Provider
) -> None:
    provider.metadata = {"revocation_endpoint": f"{provider.issuer}/revoke"}
    run("login")
    assert "signed out" in run("logout", "--everywhere").out
    assert json.loads(file.read_text()) == {}
    assert provider.refresh_tokens == set()
    assert "not signed in" in run("logout").out
    run("whoami", expect=4)


@pytest.mark.usefixtures("url", "pauses")
def test_a_refusal_in_the_browser_ends_the_waiting(
    run: Shell, file: Path, provider: Provider
) -> None:
    provider.consents = False
    assert "refused in the browser" in run("login", expect=1).err
    assert not file.exists()


@pytest.mark.parametrize("mode", ["644", "660", "604"])
def test_a_file_that_others_may_read_is_not_used(run: Shell, file: Path, mode: str) -> None:
    file.parent.mkdir(parents=True)
    file.write_text("{}")
    file.chmod(int(mode, 8))
    assert "chmod 600" in run("whoami", expect=2).err


@pytest.mark.parametrize("content", ["", "[]", '{"x": 1}', '{"x": {"y": 1}}', "nothing"])
def test_a_file_that_is_broken_says_what_to_do(run: Shell, file: Path, content: str) -> None:
    file.parent.mkdir(parents=True)
    file.touch(mode=0o600)
    file.write_text(content)
    assert "delete it" in run("whoami", expect=2).err


def test_an_api_without_single_sign_on_says_so(run: Shell) -> None:
    with scripted(told := Said(200, {})) as server:
        told.body["resource"] = server.url
        assert "no single sign-on" in run("login", "--url", server.url, expect=1).err


def test_an_api_that_calls_itself_otherwise_is_not_believed(run: Shell) -> None:
    elsewhere = {"resource": "https://other.test", "authorization_servers": ["https://evil.test"]}
    with scripted(Said(200, elsewhere)) as server:
        assert "calls itself" in run("login", "--url", server.url, expect=1).err


@pytest.mark.usefixtures("url", "pauses")
def test_a_provider_without_device_flow_is_named(run: Shell, provider: Provider) -> None:
    provider.metadata = {"device_authorization_endpoint": None}
    assert "no device flow" in run("login", expect=1).err
