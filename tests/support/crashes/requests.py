"""Writes that clients ask the API for, and ask for again when they got no answer."""

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import select

from bailiwick.access import issue_token
from bailiwick.access.principals import find_principal
from bailiwick.lifecycle import Platform
from bailiwick.registry import Deployment
from support import api_bodies
from support.api_writes import MODEL, ORDER, RECORD
from support.crashes import acts
from support.crashes.faults import FILLING, Fault
from support.crashes.installations import Installation
from support.crashes.processes import Process, start, wait_until
from support.lifecycle_world import factory_again, queue_job

KEY = {"Idempotency-Key": "once"}
TIMEOUT_SECONDS = 30
UNAVAILABLE = 503
MANY = 500


@dataclass(frozen=True)
class Request:
    """One write; `uploads` a file beside it. `same_answer`: however often it is sent."""

    method: str
    path: str
    token: str
    body: dict[str, Any] | None = None
    uploads: bool = False
    same_answer: bool = True

    def keep(self, path: Path) -> None:
        """Write it down for the tests that send it."""
        path.write_text(json.dumps(asdict(self)))

    @classmethod
    def kept(cls, path: Path) -> "Request":
        """What was written down."""
        return cls(**json.loads(path.read_text()))

    def send(self, url: str) -> httpx.Response | None:
        """The answer; None if none came."""
        upload = {"data": api_bodies.SPEC, "files": {"file": ("rows.csv", api_bodies.CSV)}}
        content: dict[str, Any] = upload if self.uploads else {"json": self.body}
        try:
            return httpx.request(
                self.method,
                f"{url}/api/v1{self.path}",
                headers=KEY | {"Authorization": f"Bearer {self.token}"},
                timeout=TIMEOUT_SECONDS,
                trust_env=False,
                **content,
            )
        except httpx.TransportError:
            return None


def _promotion(_: Platform, token: str) -> Request:
    body = {"version": 2, "reason": "better"}
    return Request("PUT", f"/models/{MODEL}/aliases/champion", token, body)


def _registration(_: Platform, token: str) -> Request:
    return Request("POST", "/models", token, api_bodies.model())


def _order(_: Platform, token: str) -> Request:
    return Request("POST", "/jobs", token, ORDER)


def _cancellation(platform: Platform, token: str) -> Request:
    with platform.database.transaction() as session:
        job = queue_job(factory_again(session, platform))
        return Request("POST", f"/jobs/{job.id}/cancel", token)


def _upload(_: Platform, token: str) -> Request:
    return Request("POST", "/datasets/finance/purchases/versions", token, uploads=True)


def _records(platform: Platform, token: str) -> Request:
    with platform.database.reading() as session:
        identifier = session.scalars(select(Deployment.id)).one()
    path = f"/deployments/{identifier}/inferences"
    return Request("POST", path, token, {"records": [RECORD]}, same_answer=False)


def _many_records(platform: Platform, token: str) -> Request:
    """More than fit into what a table has free."""
    one = _records(platform, token)
    many = [RECORD | {"record_id": f"row-{number}"} for number in range(MANY)]
    return replace(one, body={"records": many})


_MAKERS: dict[str, Callable[[Platform, str], Request]] = {
    "promotes a version": _promotion,
    "registers a model": _registration,
    "orders a training": _order,
    "cancels a job": _cancellation,
    "uploads a dataset": _upload,
    "sends records": _records,
    "sends many records": _many_records,
}
REQUESTS = tuple(_MAKERS)


def request_to(name: str, platform: Platform) -> Request:
    """That request, by an engineer with a token, once what it is about is there."""
    with platform.database.transaction() as session:
        engineer = find_principal(session, "engineer")
        at = platform.clock.now()
        _, token = issue_token(session, engineer, "test", actor_id=engineer.id, at=at)
    return _MAKERS[name](platform, token)


def ask_and_fail(installation: Installation, fault: Fault) -> str:
    """Send the request to an API that the fault strikes; what came of that.

    Whoever is not killed says that something is away for now, which is no fault of theirs.
    """
    request = Request.kept(installation.request)
    with _serving(installation, fault) as (process, url):
        answer = request.send(url)
        if answer is None:
            assert process.ended() < 0, installation.log.read_text()
            return "killed"
        if fault.kind in FILLING:  # it goes on by itself once there is room
            installation.make_room()
            again = request.send(url)
            assert again is not None
            assert again.is_success, again.text
            if answer.is_success:
                return f"answered {answer.status_code}"
    assert answer.status_code == UNAVAILABLE, answer.text
    return f"answered {answer.status_code}"


def ask_again(installation: Installation) -> None:
    """Send the request to an API that nothing strikes, and, as nobody heard of it, once more."""
    request = Request.kept(installation.request)
    with _serving(installation) as (_, url):
        first, second = request.send(url), request.send(url)
    assert first is not None
    assert second is not None
    assert first.is_success, first.text
    assert second.is_success, second.text
    if request.same_answer:
        assert (first.status_code, first.json()) == (second.status_code, second.json())


@contextmanager
def _serving(installation: Installation, *faults: Fault) -> Iterator[tuple[Process, str]]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    process = start(installation, acts.serve, port, faults=faults)
    url = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        assert not process.is_gone(), installation.log.read_text()
        try:
            return httpx.get(f"{url}/healthz", trust_env=False).is_success
        except httpx.TransportError:
            return False

    try:
        wait_until(answers, "the API answers")
        yield process, url
    finally:
        process.end()
