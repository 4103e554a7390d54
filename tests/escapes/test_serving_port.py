"""Ways to have the model server answer, which knows no users, past the API that asks the policy."""

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from bailiwick.core.errors import Invalid
from bailiwick.serving.app import create_app

SECRET = "made-for-this-test"
ASKED = {"version_id": "1", "texts": ["x"]}


def fetch(version_id: str) -> Path:
    """Whoever comes this far has got past the secret."""
    message = f"{version_id} was fetched"
    raise AssertionError(message)


@pytest.fixture(scope="module")
def server() -> TestClient:
    """The model server as whoever reaches its port meets it."""
    return TestClient(create_app(fetch=fetch, secret=SECRET, threads=1))


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"authorization": ""},
        {"authorization": "Bearer"},
        {"authorization": "Bearer "},
        {"authorization": f"Bearer {SECRET[:-1]}"},
        {"authorization": f"Bearer {SECRET}x"},
        {"authorization": f"Basic {SECRET}"},
        {"authorization": SECRET},
        {"x-authorization": f"Bearer {SECRET}"},
        {"cookie": f"authorization=Bearer {SECRET}"},
        {"x-forwarded-for": "127.0.0.1", "host": "localhost"},
    ],
)
def test_asking_it_directly(server: TestClient, given: dict[str, str]) -> None:
    """Nothing is looked up, and a body that is wrong is refused no otherwise."""
    answers = [
        server.post("/classify", json=body, headers=given, params={"secret": SECRET})
        for body in (ASKED, {}, "x" * 1_000)
    ]
    assert [answer.status_code for answer in answers] == [401, 401, 401]
    assert len({answer.text for answer in answers}) == 1
    assert SECRET not in answers[0].text


def test_what_it_tells_without_the_secret(server: TestClient) -> None:
    """That it is there, and no more: no page of documents, no metrics, no versions."""
    assert server.get("/healthz").json() == {"status": "ok"}
    for path in ("/", "/docs", "/openapi.json", "/metrics", "/versions", "/classify/", "/readyz"):
        assert server.get(path).status_code in {404, 405}, path
    assert server.get("/classify").status_code == 405


def test_starting_it_without_a_secret() -> None:
    with pytest.raises(Invalid, match="needs a secret"):
        create_app(fetch=fetch, secret="", threads=1)
