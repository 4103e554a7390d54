"""The stage: real API, worker and model server on a clock that the story moves."""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx

from bailiwick.cli.application import create_application, listen, serving_in_background
from bailiwick.cli.first_start import prepare
from bailiwick.cli.model_server import ModelServer
from bailiwick.core.clock import ReplayClock
from bailiwick.core.errors import Unavailable
from bailiwick.core.settings import Settings
from bailiwick.lifecycle import Platform, open_platform
from bailiwick.serving import Gateway
from bailiwick.worker import Worker

TICK_SECONDS = 0.2
MODEL_SERVER_SECONDS = 60


class Refused(Exception):
    """The API said no; `problem` is its RFC 9457 answer."""

    def __init__(self, problem: dict[str, Any]) -> None:
        super().__init__(problem.get("detail", "refused"))
        self.problem = problem


class Person:
    """Somebody with a token, acting through the HTTP API like any client."""

    def __init__(self, url: str, token: str) -> None:
        self._client = httpx.Client(
            base_url=f"{url}/api/v1",
            headers={"Authorization": f"Bearer {token}"},
            timeout=120,
            trust_env=False,
        )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def get(self, path: str, **query: Any) -> dict[str, Any]:
        """GET; the JSON answer."""
        return self._answer(self._client.get(path, params=query))

    def post(self, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """POST JSON; the JSON answer."""
        return self._answer(self._client.post(path, json=body))

    def put(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """PUT JSON; the JSON answer."""
        return self._answer(self._client.put(path, json=body))

    def patch(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """PATCH JSON; the JSON answer."""
        return self._answer(self._client.patch(path, json=body))

    def upload(self, path: str, fields: dict[str, str], name: str, data: bytes) -> dict[str, Any]:
        """POST a file with form fields; the JSON answer."""
        files = {"file": (name, data)}
        return self._answer(self._client.post(path, data=fields, files=files))

    @staticmethod
    def _answer(response: httpx.Response) -> dict[str, Any]:
        answer: dict[str, Any] = response.json()
        if response.is_error:
            raise Refused(answer)
        return answer


@dataclass(frozen=True)
class Stage:
    """A running installation."""

    platform: Platform
    clock: ReplayClock
    url: str
    admin: Person
    admin_token: str
    models: ModelServer
    people: list[Person]

    def person(self, name: str, kind: str, roles: list[str], *, namespace: str) -> Person:
        """Create a principal with roles and compartments of the demo; it acts by its own token."""
        self.admin.post(
            "/principals",
            {
                "name": name,
                "kind": kind,
                "clearance_level": "confidential",
                "clearance_compartments": ["finance"],
                "roles": [{"role": role, "namespace": namespace} for role in roles],
            },
        )
        # The story goes on for years, so its tokens never end.
        made = self.admin.post("/tokens", {"principal": name, "name": "demo", "expires_at": None})
        self.people.append(Person(self.url, made["token"]))
        return self.people[-1]


@contextlib.contextmanager
def set_stage(settings: Settings, clock: ReplayClock) -> Iterator[Stage]:
    """Start everything on a free or given port; stop everything at the end."""
    listener = listen(settings.host, settings.port)
    platform = open_platform(settings, clock)
    token = prepare(platform)
    if token is None:
        listener.close()
        raise Unavailable(
            f"{settings.home} holds an installation already; "
            "choose an empty folder with --home, or delete that one"
        )
    url = f"http://{settings.host}:{listener.getsockname()[1]}"
    with ModelServer(settings) as models:
        app = create_application(platform, Gateway(models.url, models.secret))
        worker = Worker(platform, interval_seconds=TICK_SECONDS)
        with serving_in_background(app, listener):
            worker.start()
            people = [Person(url, token)]
            try:
                _wait_for(models)
                yield Stage(platform, clock, url, people[0], token, models, people)
            finally:
                for person in people:
                    person.close()
                worker.stop()


def _wait_for(models: ModelServer) -> None:
    deadline = time.monotonic() + MODEL_SERVER_SECONDS
    while not models.is_up():
        if time.monotonic() > deadline:
            raise Unavailable("the model server did not start; its log above says why")
        time.sleep(0.05)
