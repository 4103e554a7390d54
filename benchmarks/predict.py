"""Predict requests per second and their p99 through HTTP, beside the bare model server.

The bare server answers the same texts with the same engine, without tokens, policy or inference
log: what is lost against it is the price of governance. Both are asked by the same load
generator, one after the other, several times; figures are medians over the rounds.

    python benchmarks/predict.py
"""

import http.client
import json
import statistics
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from installation import Installation, running
from report import publish

from bailiwick.core.errors import Unavailable

SECONDS, ROUNDS = 4.0, 3
CASES = ((1, 1), (8, 1), (8, 16))  # (clients, rows a request)


@dataclass(frozen=True)
class Target:
    """Where to send what."""

    name: str
    url: str
    path: str
    token: str
    body: Callable[[list[dict[str, str]]], dict[str, Any]]


def client(target: Target, batches: list[bytes], until: float, seconds: list[float]) -> None:
    """Send one request after the other on one connection until the time is over."""
    parts = urlsplit(target.url)
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=30)
    headers = {"Authorization": f"Bearer {target.token}", "Content-Type": "application/json"}
    place = 0
    while time.monotonic() < until:
        before = time.perf_counter()
        connection.request("POST", target.path, batches[place % len(batches)], headers)
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != http.HTTPStatus.OK:
            raise Unavailable(f"{target.name} answered {answer.status}: {text[:200]!r}")
        seconds.append(time.perf_counter() - before)
        place += 1


def load(target: Target, features: list[dict[str, str]], clients: int, rows: int) -> list[float]:
    """Seconds of every request that `clients` sent in `SECONDS`."""
    batches = [
        json.dumps(target.body(features[start : start + rows])).encode()
        for start in range(0, min(len(features), 200 * rows) - rows, rows)
    ]
    seconds: list[float] = []
    until = time.monotonic() + SECONDS
    threads = [
        threading.Thread(target=client, args=(target, batches[number:], until, seconds))
        for number in range(clients)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return seconds


def targets(installation: Installation) -> tuple[Target, Target]:
    """The platform's predict endpoint, and the model server behind it."""
    story, stage = installation.story, installation.stage
    version = story.engineer.get("/models/finance/purchase-coder/versions/1")
    columns = version["text_columns"]
    return (
        Target(
            "bailiwick",
            stage.url,
            f"/api/v1/deployments/{story.governed_id}/predict",
            stage.admin_token,
            lambda rows: {"instances": [{"features": row} for row in rows]},
        ),
        Target(
            "bare model server",
            stage.models.url,
            "/classify",
            stage.models.secret,
            lambda rows: {
                "version_id": version["id"],
                "texts": [" | ".join(row[column] for column in columns) for row in rows],
            },
        ),
    )


def main() -> None:
    """Measure and publish."""
    table = []
    with running() as installation:
        both = targets(installation)
        for target in both:
            load(target, installation.features, 1, 1)  # the version is loaded, caches are warm
        for clients, rows in CASES:
            measured: dict[str, list[tuple[float, float, float]]] = {t.name: [] for t in both}
            for _ in range(ROUNDS):
                for target in both:
                    seconds = sorted(load(target, installation.features, clients, rows))
                    measured[target.name].append(
                        (
                            len(seconds) / SECONDS,
                            1000 * seconds[len(seconds) // 2],
                            1000 * seconds[int(len(seconds) * 0.99)],
                        )
                    )
            for name, rounds in measured.items():
                rate, p50, p99 = (statistics.median(column) for column in zip(*rounds, strict=True))
                table.append(
                    {
                        "server": name,
                        "clients": clients,
                        "rows a request": rows,
                        "requests a second": round(rate, 1),
                        "p50 ms": round(p50, 2),
                        "p99 ms": round(p99, 2),
                    }
                )
    rates = [float(row["requests a second"]) for row in table]
    ratios = [governed / bare for governed, bare in zip(rates[::2], rates[1::2], strict=True)]
    publish(
        "predict",
        table,
        {"share of the bare server's rate, worst case": round(min(ratios), 3)},
    )


if __name__ == "__main__":
    main()
