"""Patience, idempotency keys, and how failures are told."""

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol

import pytest

from bailiwick.client import BailiwickAPIError, MisusedClient, NotReachable
from bailiwick.client.references import path
from bailiwick.client.transport import ATTEMPTS, Transport
from bailiwick.web.tables import IdempotentResponse
from client.installation import LABEL, Installation
from client.scripted import DROP, Said, problem, scripted

OK = Said(200, {"fine": True})
BUSY = problem(503, "unavailable", "the database is busy; try again", Retry_After="2")


class Connect(Protocol):
    def __call__(
        self, url: str, pauses: list[float] | None = None, timeout_seconds: float = 5
    ) -> Transport: ...


@pytest.fixture
def transport() -> Iterator[Connect]:
    """Makes connections whose pauses are noted instead of waited for."""
    with ExitStack() as opened:

        def connect(
            url: str, pauses: list[float] | None = None, timeout_seconds: float = 5
        ) -> Transport:
            sleep = ([] if pauses is None else pauses).append
            made = Transport(url, "bwk_test", timeout_seconds=timeout_seconds, sleep=sleep)
            opened.callback(made.close)
            return made

        yield connect


def test_what_passes_is_tried_again_after_the_pause_that_was_asked_for(transport: Connect) -> None:
    pauses: list[float] = []
    with scripted(BUSY, BUSY, OK) as server:
        assert transport(server.url, pauses).get("/models") == {"fine": True}
    assert pauses == [2.0, 2.0]


def test_a_dropped_connection_is_tried_again_after_growing_pauses(transport: Connect) -> None:
    pauses: list[float] = []
    with scripted(DROP, DROP, DROP, OK) as server:
        assert transport(server.url, pauses).get("/models") == {"fine": True}
    assert len(pauses) == 3
    assert pauses[0] < pauses[1] < pauses[2] < 2


def test_a_write_keeps_its_key_over_all_attempts_and_the_next_has_another(
    transport: Connect,
) -> None:
    with scripted(DROP, BUSY, OK) as server:
        client = transport(server.url)
        client.write("POST", "/models", {"name": "a"})
        client.write("POST", "/models", {"name": "a"})
    keys = [headers["Idempotency-Key"] for _, _, headers in server.asked]
    assert len(keys) == 4
    assert len(set(keys[:3])) == 1
    assert keys[3] != keys[0]


def test_patience_ends(transport: Connect) -> None:
    with scripted(BUSY) as server:
        with pytest.raises(BailiwickAPIError, match="database is busy") as caught:
            transport(server.url).get("/models")
        assert caught.value.status == 503
        assert len(server.asked) == ATTEMPTS


def test_a_pause_of_minutes_is_left_to_the_caller(transport: Connect) -> None:
    pauses: list[float] = []
    away = problem(503, "unavailable", "closed for an hour", Retry_After="3600")
    with scripted(away) as server:
        with pytest.raises(BailiwickAPIError) as caught:
            transport(server.url, pauses).get("/models")
        assert caught.value.retry_after_seconds == 3600
        assert (len(server.asked), pauses) == (1, [])


@pytest.mark.parametrize("status", [401, 403, 404, 409, 412, 413, 422, 500])
def test_what_will_not_pass_is_asked_once(transport: Connect, status: int) -> None:
    with scripted(problem(status, "some-code", "some detail")) as server:
        with pytest.raises(BailiwickAPIError) as caught:
            transport(server.url).write("POST", "/models", {})
        assert (caught.value.status, caught.value.code) == (status, "some-code")
        assert str(caught.value) == "some detail"
        assert caught.value.problem["title"] == "x"
        assert len(server.asked) == 1


@pytest.mark.parametrize(
    "answer",
    [
        Said(200, b"<html>hello</html>"),
        Said(502, b"<html>bad gateway</html>"),
        Said(404, {"detail": "no code"}),
        Said(404, ["a list"]),
        Said(302, b"", {"Location": "http://elsewhere.invalid/"}),
    ],
)
def test_something_else_at_the_address_is_told_as_such(transport: Connect, answer: Said) -> None:
    with scripted(answer) as server:
        with pytest.raises(BailiwickAPIError, match="is no Bailiwick API") as caught:
            transport(server.url).get("/models")
        assert caught.value.code == "not-bailiwick"
        assert len(server.asked) == 1


def test_nothing_at_the_address_is_not_reachable(transport: Connect) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        pauses: list[float] = []
        with pytest.raises(NotReachable, match=url) as caught:
            transport(url, pauses).get("/models")
    assert caught.value.status is None
    assert len(pauses) == ATTEMPTS - 1


def test_silence_is_not_waited_for_longer_than_said(transport: Connect) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        start = time.monotonic()
        with pytest.raises(NotReachable, match="did not answer in time"):
            transport(url, timeout_seconds=0.1).get("/models")
        assert time.monotonic() - start < 5


@pytest.mark.parametrize(
    "url", ["127.0.0.1:8321", "ftp://127.0.0.1", "http://", "http://[::1", "http://me:pw@host"]
)
def test_an_address_that_is_none_is_refused_without_its_password(
    transport: Connect, url: str
) -> None:
    with pytest.raises(MisusedClient) as caught:
        transport(url)
    assert "pw" not in str(caught.value)


@pytest.mark.parametrize("token", ["bwk secret", "bwk\nsecret", "bwk_sécret"])
def test_a_token_that_cannot_be_sent_is_refused_and_not_repeated(token: str) -> None:
    with pytest.raises(MisusedClient, match="copy it again") as caught:
        Transport("http://127.0.0.1", token, timeout_seconds=1)
    assert "cret" not in str(caught.value)


def test_a_download_that_is_cut_off_is_tried_again_and_leaves_no_part(
    transport: Connect, tmp_path: Path
) -> None:
    target = tmp_path / "weights"
    cut = Said(200, b"half", cut_bytes=4)
    with scripted(cut, Said(200, b"whole")) as server:
        transport(server.url).download("/file", target)
    assert target.read_bytes() == b"whole"
    with scripted(cut) as server, pytest.raises(NotReachable):
        transport(server.url).download("/file", tmp_path / "other")
    assert [one.name for one in tmp_path.iterdir()] == ["weights"]


def test_an_upload_is_whole_at_every_attempt(transport: Connect, tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("merchant\nSHELL\n", encoding="utf-8")
    with scripted(DROP, BUSY, OK) as server:
        assert transport(server.url).upload("/x", {"text": "merchant"}, file) == {"fine": True}
    lengths = {headers["Content-Length"] for _, _, headers in server.asked}
    assert len(server.asked) == 3
    assert len(lengths) == 1


def test_names_cannot_lead_to_another_address() -> None:
    assert path("principals", "../tokens", "a?b#c") == "/principals/..%2Ftokens/a%3Fb%23c"


def test_a_write_whose_answer_was_lost_is_carried_out_once(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first attempt reaches the API, which commits; its answer is lost on the way back."""
    with installation.client() as client:
        real = client._http._once
        lost: list[Any] = []

        def once(method: str, address: str, **request: Any) -> Any:
            answer = real(method, address, **request)
            if not lost:
                lost.append(answer)
                raise NotReachable("the answer was lost", is_passing=True)
            return answer

        monkeypatch.setattr(client._http, "_once", once)
        monkeypatch.setattr(client._http, "_sleep", lambda _: None)
        made = client.models.create("finance/once", label=LABEL)
        assert made == lost[0]
        names = [model["name"] for model in client.models.list()]
        assert names.count("once") == 1
    with installation.platform.database.reading() as session:
        assert session.query(IdempotentResponse).count() == 1
