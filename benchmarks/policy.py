"""Policy decisions per CPU-second, and the share of a request that is spent on policy.

Decisions go through the library path: sliced entities, checked against the schema, on the shipped
policies. Requests are answered in this process, without a client and without HTTP's own cost, so
the share is not flattered by either. Spent on policy is the CPU time of asking the engine, of
looking up which rules are in force and of counting the answers. The background's CPU time
(scheduler, worker) is measured while nothing is asked, and taken off.

    python benchmarks/policy.py
"""

import asyncio
import json
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any

from fastapi import FastAPI
from installation import Installation, running
from report import publish

from bailiwick.api import create_api
from bailiwick.core.errors import Unavailable
from bailiwick.core.resources import bundled
from bailiwick.lifecycle.rulesets import Rulesets
from bailiwick.policy import Actor, Label, PolicyEngine, Resource, Rules
from bailiwick.policy.tallies import Tallies
from bailiwick.serving import Gateway

DECISIONS, REQUESTS, ROUNDS, IDLE_SECONDS = 2_000, 200, 5, 3.0
LEDGER = Label("confidential", frozenset({"finance"}), frozenset({"eu"}), frozenset({"accounting"}))
ENGINEER = Actor(
    "e1",
    "person",
    "Eve",
    {"finance": frozenset({"engineer"}), "people": frozenset({"approver"})},
    "confidential",
    frozenset({"finance"}),
)
NEW_LABEL = {**LEDGER.to_dict()}


@dataclass(frozen=True)
class Asked:
    """A question of a kind that requests put."""

    name: str
    action: str
    resource: Resource
    context: dict[str, Any]


QUESTIONS = (
    Asked("read metadata", "model:read", Resource("Model", "m", "finance", LEDGER), {}),
    Asked(
        "predict",
        "deployment:predict",
        Resource("Deployment", "d", "finance", LEDGER),
        {"purpose": "accounting"},
    ),
    Asked(
        "serve in an environment",
        "deployment:serve",
        Resource("ModelVersion", "v", "finance", LEDGER, {"trained_by": "robot"}),
        {
            "purpose": "accounting",
            "environment_level": "confidential",
            "environment_compartments": {"finance"},
            "environment_zones": {"de", "eu", "world"},
        },
    ),
    Asked("denied", "model:read", Resource("Model", "m", "legal", LEDGER), {}),
)


class Stopwatch:
    """CPU seconds that threads of this process spent inside some functions, nested ones once."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._inside = 0

    @contextmanager
    def on(self, owner: type, name: str) -> Iterator[None]:
        """Time a method while the block runs. Requests are asked one at a time."""
        method: Callable[..., Any] = getattr(owner, name)

        def timed(*given: Any, **named: Any) -> Any:
            self._inside += 1
            begin = time.thread_time()
            try:
                return method(*given, **named)
            finally:
                self._inside -= 1
                if not self._inside:
                    self.seconds += time.thread_time() - begin

        setattr(owner, name, timed)
        try:
            yield
        finally:
            setattr(owner, name, method)


def decisions(rules: Rules) -> list[dict[str, Any]]:
    """How many decisions of each kind one CPU makes in a second."""
    rows = []
    for asked in QUESTIONS:
        rates = []
        for _ in range(ROUNDS):
            begin = time.process_time()
            for _ in range(DECISIONS):
                rules.engine.decide(ENGINEER, asked.action, asked.resource, asked.context)
            rates.append(DECISIONS / (time.process_time() - begin))
        rows.append({"question": asked.name, "decisions a CPU-second": round(max(rates))})
    return rows


async def answer(app: FastAPI, token: str, method: str, path: str, body: Any) -> None:
    """One request, straight to the application."""
    data = b"" if body is None else json.dumps(body).encode()
    arriving = [{"type": "http.request", "body": data, "more_body": False}]
    statuses: list[int] = []

    async def receive() -> dict[str, Any]:
        return arriving.pop() if arriving else await asyncio.Future()

    async def send(message: dict[str, Any]) -> None:
        statuses.append(message.get("status", 0))

    headers = [
        (b"authorization", f"Bearer {token}".encode()),
        (b"content-type", b"application/json"),
        (b"content-length", str(len(data)).encode()),
    ]
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": headers,
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    await app(scope, receive, send)  # type: ignore[arg-type]  # a plain dict is a scope
    if statuses[0] >= 300:  # noqa: PLR2004 - HTTP's own line between good and other answers
        raise Unavailable(f"{method} {path} answered {statuses[0]}")


def requests(installation: Installation) -> dict[str, Callable[[], tuple[str, str, Any]]]:
    """Typical requests: (method, path, body)."""
    numbers = count()
    rows = [{"features": installation.features[0]}]
    version = "/api/v1/models/finance/purchase-coder/versions/1"
    predict = f"/api/v1/deployments/{installation.story.governed_id}/predict"
    new = {"namespace": "finance", "label": NEW_LABEL}
    return {
        "GET /me": lambda: ("GET", "/api/v1/me", None),
        "GET a version": lambda: ("GET", version, None),
        "GET a list": lambda: ("GET", "/api/v1/models", None),
        "POST predict": lambda: ("POST", predict, {"instances": rows}),
        "POST a model": lambda: ("POST", "/api/v1/models", new | {"name": f"m{next(numbers)}"}),
    }


def background() -> float:
    """CPU seconds a second that the process spends on its own."""
    begin = time.process_time()
    time.sleep(IDLE_SECONDS)
    return (time.process_time() - begin) / IDLE_SECONDS


def shares(installation: Installation) -> list[dict[str, Any]]:
    """CPU time of a request, and how much of it is policy."""
    models = installation.stage.models
    app = create_api(installation.stage.platform, Gateway(models.url, models.secret))
    token = installation.stage.admin_token
    rows = []

    async def ask(request: Callable[[], tuple[str, str, Any]], times: int) -> None:
        for _ in range(times):
            await answer(app, token, *request())

    for name, request in requests(installation).items():
        asyncio.run(ask(request, 20))  # caches are warm
        rounds = []
        own = background()
        for _ in range(ROUNDS):
            watch = Stopwatch()
            with (
                watch.on(PolicyEngine, "decide"),
                watch.on(Rulesets, "in_force"),
                watch.on(Tallies, "add"),
            ):
                begin, wall = time.process_time(), time.monotonic()
                asyncio.run(ask(request, REQUESTS // ROUNDS))
                spent = time.process_time() - begin - own * (time.monotonic() - wall)
            rounds.append((spent, watch.seconds))
        spent, policy = min(rounds)
        each = 1_000 * ROUNDS / REQUESTS
        rows.append(
            {
                "request": name,
                "CPU ms": round(spent * each, 2),
                "of it policy": round(policy * each, 2),
                "share": round(statistics.median(p / s for s, p in rounds), 3),
            }
        )
    return rows


def main() -> None:
    """Measure and publish."""
    asked = decisions(Rules.load(bundled("policies")))
    with running() as installation:
        served = shares(installation)
    publish(
        "policy",
        [
            {"what": row["question"], "decisions a CPU-second": row["decisions a CPU-second"]}
            | {"CPU ms": "", "of it policy": "", "share": ""}
            for row in asked
        ]
        + [{"what": row.pop("request"), "decisions a CPU-second": ""} | row for row in served],
        {
            "decisions a CPU-second, slowest kind": min(
                row["decisions a CPU-second"] for row in asked
            ),
            "share of a request spent on policy, worst case": max(row["share"] for row in served),
        },
    )


if __name__ == "__main__":
    main()
