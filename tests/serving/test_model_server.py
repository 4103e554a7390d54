"""The model server and its gateway, over a real socket."""

import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette

from bailiwick.core.errors import Invalid, NotFound, TooLarge, Unavailable
from bailiwick.serving.app import BODY_LIMIT_BYTES, create_app
from bailiwick.serving.engine import Engine
from bailiwick.serving.gateway import Gateway

pytestmark = pytest.mark.torch
SECRET = "between-processes"


@contextmanager
def _served(app: Starlette) -> Iterator[str]:
    """`app` on a free port until the block ends."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture(scope="module")
def fetched() -> list[str]:
    """The version ids that the server fetched, in order."""
    return []


@pytest.fixture(scope="module")
def url(artifact: Path, fetched: list[str]) -> Iterator[str]:
    def fetch(version_id: str) -> Path:
        fetched.append(version_id)
        if version_id == "unknown":
            raise NotFound("There is no such version.")
        return artifact if version_id.startswith("v") else artifact / "gone"

    app = create_app(fetch=fetch, secret=SECRET, threads=1, engines_in_memory=2)
    with _served(app) as url:
        yield url


@pytest.fixture
def gateway(url: str) -> Iterator[Gateway]:
    with Gateway(url, SECRET) as gateway:
        yield gateway


def test_the_answers_over_http_are_those_of_the_engine(artifact: Path, gateway: Gateway) -> None:
    texts = ["bp garage 12", "tesco stores", "Ünseen 🚌", ""]
    assert gateway.classify("v1", texts) == Engine.load(artifact).classify(texts)


def test_the_answer_has_the_documented_shape(url: str) -> None:
    response = httpx.post(
        f"{url}/classify",
        json={"version_id": "v1", "texts": ["bp garage"]},
        headers={"authorization": f"Bearer {SECRET}"},
    )
    body = response.json()
    assert body["version_id"] == "v1"
    assert body["predictions"][0].keys() == {
        "label",
        "confidence",
        "characters",
        "words",
        "unseen_words_ratio",
        "entropy",
        "tokens_per_word",
        "non_letter_ratio",
        "language",
        "text_key",
        "form_key",
        "embedding",
    }
    assert httpx.get(f"{url}/healthz").json() == {"status": "ok"}


def test_many_callers_at_once_get_their_own_answers_from_one_load(
    gateway: Gateway, fetched: list[str]
) -> None:
    texts = ["bp garage", "tesco stores", "waterstones"]
    expected = [gateway.classify("v1", [text])[0] for text in texts]
    fetched.clear()
    with ThreadPoolExecutor(8) as callers:
        asked = callers.map(lambda n: gateway.classify("v-many", [texts[n % 3]]), range(40))
    for number, answers in enumerate(asked):
        assert answers[0].label == expected[number % 3].label
        assert answers[0].confidence == pytest.approx(expected[number % 3].confidence, abs=1e-5)
    assert fetched == ["v-many"]


def test_the_least_recently_used_engine_makes_room(gateway: Gateway, fetched: list[str]) -> None:
    fetched.clear()
    for version_id in ("v-a", "v-b", "v-a", "v-c", "v-a", "v-b"):
        gateway.classify(version_id, ["bp"])
    assert fetched == ["v-a", "v-b", "v-c", "v-b"]


def test_whoever_can_ask_another_version_waits_no_longer_than_told() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as deaf,
        Gateway(f"http://127.0.0.1:{deaf.getsockname()[1]}", SECRET) as gateway,
        pytest.raises(Unavailable, match="in time"),
    ):
        gateway.classify("v1", ["bp"], timeout_seconds=0.05)


def test_versions_to_keep_are_loaded_ahead_and_stay(
    gateway: Gateway, url: str, fetched: list[str]
) -> None:
    fetched.clear()
    gateway.keep(["v-before", "unknown", "v-after"])
    gateway.classify("v-after", ["bp"])  # waits for the load that is under way, or makes it
    for version_id in ("v-d", "v-e", "v-f", "v-before", "v-after"):
        gateway.classify(version_id, ["bp"])
    assert fetched.count("v-before") == fetched.count("v-after") == 1
    gateway.keep([])
    assert httpx.post(f"{url}/keep", json={"version_ids": []}).status_code == 401
    with pytest.raises(Invalid, match="at most 64 strings"):
        gateway.keep(["v"] * 65)


@pytest.mark.parametrize("header", [None, "Bearer wrong", SECRET, "Bearer ünsecret"])
def test_a_wrong_secret_is_refused(url: str, header: str | None) -> None:
    headers = [(b"authorization", header.encode())] if header else []
    response = httpx.post(f"{url}/classify", content=b"{}", headers=headers)
    assert response.status_code == 401
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["code"] == "unauthenticated"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b'{"version_id": "v1", "texts": []}',
        b'{"version_id": "v1", "texts": "confidential"}',
        b'{"version_id": "v1", "texts": ["\\ud800 confidential"]}',
        b'{"version_id": "v1", "texts": ["a"], "more": "confidential"}',
    ],
)
def test_a_request_that_cannot_be_used_is_refused_without_quoting_it(url: str, body: bytes) -> None:
    response = httpx.post(
        f"{url}/classify", content=body, headers={"authorization": f"Bearer {SECRET}"}
    )
    assert response.status_code == 422
    assert response.json()["code"] == "invalid"
    assert "confidential" not in response.text


def test_the_gateway_raises_what_the_server_says(gateway: Gateway) -> None:
    with pytest.raises(NotFound, match="no such version"):
        gateway.classify("unknown", ["a"])
    with pytest.raises(Invalid, match="folder is not there"):
        gateway.classify("gone", ["a"])
    with pytest.raises(TooLarge, match="Send the texts in several"):
        gateway.classify("v1", ["x" * BODY_LIMIT_BYTES])
    assert gateway.classify("v1", []) == []


def test_a_failed_load_is_tried_again(gateway: Gateway, fetched: list[str]) -> None:
    fetched.clear()
    for _ in range(2):
        with pytest.raises(NotFound):
            gateway.classify("unknown", ["a"])
    assert fetched == ["unknown", "unknown"]


def test_a_wrong_secret_at_the_gateway_says_what_to_check(url: str) -> None:
    with Gateway(url, "other") as gateway, pytest.raises(Unavailable, match="the same secret"):
        gateway.classify("v1", ["a"])


def test_a_model_server_that_is_not_there_is_unavailable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with Gateway(url, SECRET) as gateway, pytest.raises(Unavailable, match="bailiwick serve"):
        gateway.classify("v1", ["a"])


def test_a_model_server_that_does_not_answer_is_unavailable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with (
            Gateway(url, SECRET, timeout_seconds=0.1) as gateway,
            pytest.raises(Unavailable, match="did not answer in time"),
        ):
            gateway.classify("v1", ["a"])


def test_a_server_without_a_secret_is_not_made() -> None:
    fetch: Callable[[str], Path] = Path
    with pytest.raises(Invalid, match="needs a secret"):
        create_app(fetch=fetch, secret="", threads=1)


def test_the_gateway_and_the_recipes_load_no_torch() -> None:
    code = (
        "import sys, bailiwick.serving, bailiwick.training; "
        "sys.exit(bool({'torch', 'transformers', 'tokenizers'} & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
