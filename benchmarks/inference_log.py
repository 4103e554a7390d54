"""Records per second into one API process, beside the SQLite driver alone in the same run.

A process of its own (`bailiwick api` on SQLite) gets batches over one keep-alive connection, each
sent when the one before is acknowledged: committed, with `synchronous=FULL`. The floor is the
driver with the same columns, indexes and batches, each batch one transaction, and no checks. The
server's CPU time says what one core could take when nothing else runs on the machine; the load
average of the run is in the results. Records with all measures go to an installation of their own,
where all of them are watched; embeddings, which are long, are not among them. The deployment is
made by the tests' factories, as no model is needed to log answers.

    python benchmarks/inference_log.py
"""

import io
import json
import os
import secrets
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pyarrow as pa
from report import publish

sys.path.append(str(Path(__file__).parents[1] / "tests"))

from bailiwick.client.recorder import new_record_id
from bailiwick.core.clock import SystemClock
from bailiwick.core.settings import Settings
from bailiwick.db import migrate
from bailiwick.lifecycle import Platform, open_platform
from bailiwick.monitoring.hours import settle_layout
from bailiwick.registry import Deployment, served_version
from support.api_process import ApiProcess, api_process

BATCHES = {1_000: 30, 10_000: 6}  # rows a batch: batches a round
ROUNDS = 3
TARGET_A_SECOND, TARGET_P99_MS = 20_000, 250
PEOPLE = 100_000
TEXT = "Vehicle Fuel at Zanzibar Garage, 17.20, paid by card"
SERVER_TICKS = os.sysconf("SC_CLK_TCK")
Rows = list[dict[str, Any]]


def records(count: int, new_id: Callable[[], str] = new_record_id) -> Rows:
    """One batch with fresh record ids: as our client makes them, unless others are wanted."""
    now = datetime.now(UTC)
    return [
        {
            "record_id": new_id(),
            "at": (now - timedelta(milliseconds=place)).isoformat(),
            "prediction": "Vehicle Fuel",
            "confidence": 0.875,
            "characters": 31,
            "words": 5,
            "unseen_words_ratio": 0.2,
            "latency_ms": 12.5,
        }
        for place in range(count)
    ]


def with_texts(rows: Rows) -> Rows:
    """What a deployment that keeps texts gets: all of them are about the day."""
    return [row | {"text": TEXT} for row in rows]


def of_subjects(rows: Rows) -> Rows:
    """A text each, about one of so many people; at first each needs a key of its own."""
    people = (secrets.randbelow(PEOPLE) for _ in rows)
    return [
        row | {"text": TEXT, "subject": f"person {one}"}
        for row, one in zip(rows, people, strict=True)
    ]


def measures(place: int) -> dict[str, Any]:
    """What a client measures of one text in addition, and of its answer."""
    return {
        "tokens_per_word": 1.4,
        "non_letter_ratio": place % 50 / 100,
        "language": "en" if place % 10 else "da",
        "text_key": f"{place * 2_654_435_761 % 2**64:016x}",
        "form_key": f"{place % 700:016x}",
        "entropy": place % 100 / 100,
        "refusal": place % 40 == 0,
        "repetition_ratio": 0.0,
    }


def as_json(rows: Rows) -> bytes:
    """One JSON object."""
    return json.dumps({"records": rows}).encode()


def as_texts(rows: Rows) -> bytes:
    """One object a line, with a text."""
    return as_ndjson(with_texts(rows))


def as_subjects(rows: Rows) -> bytes:
    """One object a line, with a text about somebody."""
    return as_ndjson(of_subjects(rows))


def as_ndjson(rows: Rows) -> bytes:
    """One object a line."""
    return b"\n".join(json.dumps(row).encode() for row in rows)


def as_arrow(rows: Rows) -> bytes:
    """An Arrow IPC stream."""
    typed = [row | {"at": datetime.fromisoformat(row["at"])} for row in rows]
    table = pa.Table.from_pylist(typed)
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def unordered() -> str:
    """A UUIDv4: each of a batch lies on another page of the index."""
    return str(uuid4())


NDJSON, ARROW = "application/x-ndjson", "application/vnd.apache.arrow.stream"
# How a batch is written, its media type, and how its record ids are made.
FORMATS: dict[str, tuple[Callable[[Rows], bytes], str, Callable[[], str]]] = {
    "JSON": (as_json, "application/json", new_record_id),
    "NDJSON": (as_ndjson, NDJSON, new_record_id),
    "NDJSON, texts": (as_texts, NDJSON, new_record_id),
    "NDJSON, texts of subjects": (as_subjects, NDJSON, new_record_id),
    "NDJSON, UUIDv4": (as_ndjson, NDJSON, unordered),
    "Arrow": (as_arrow, ARROW, new_record_id),
}
MEASURED: dict[str, tuple[Callable[[Rows], bytes], str, Callable[[], str]]] = {
    "NDJSON, all measures": (as_ndjson, NDJSON, new_record_id),
    "Arrow, all measures": (as_arrow, ARROW, new_record_id),
}
HELD_TO_THE_TARGET = {"NDJSON", "Arrow", *MEASURED}


@dataclass
class Measured:
    """What one way of sending came to, over all rounds."""

    rows: int = 0
    cpu_seconds: float = 0
    rates: list[float] = field(default_factory=list)
    latencies_ms: list[float] = field(default_factory=list)

    def p99_ms(self) -> float:
        """Nearest rank: the largest of fewer than a hundred."""
        ordered = sorted(self.latencies_ms)
        return ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]


@contextmanager
def running() -> Iterator[tuple[Platform, ApiProcess]]:
    """An installation in a temporary folder, served by a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        platform = open_platform(Settings(home=Path(folder)), SystemClock())
        migrate.upgrade(platform.database.engine)
        with api_process(platform, keeps_text=True) as api:
            api.start()
            yield platform, api
        platform.close()


def watch(platform: Platform, api: ApiProcess) -> None:
    """From here on every batch is summarised for the detector as well."""
    with platform.database.transaction() as session:
        deployment = session.get_one(Deployment, api.deployment_id)
        version = served_version(session, deployment)
        if settle_layout(session, deployment.id, version.id, at=platform.clock.now()) is None:
            message = "there were too few records to settle what is watched"
            raise RuntimeError(message)


def send(api: ApiProcess, client: httpx.Client, name: str, rows: int, into: Measured) -> None:
    """One round of one format."""
    write, kind, new_id = (FORMATS | MEASURED)[name]
    batches = (records(rows, new_id) for _ in range(BATCHES[rows]))
    if name in MEASURED:
        batches = ([row | measures(at) for at, row in enumerate(batch)] for batch in batches)
    bodies = [write(batch) for batch in batches]
    cpu, began = cpu_seconds(api), time.perf_counter()
    for body in bodies:
        before = time.perf_counter()
        answer = client.post("/inferences", content=body, headers={"Content-Type": kind})
        into.latencies_ms.append((time.perf_counter() - before) * 1_000)
        if answer.json().get("new") != rows:
            message = f"not all records were taken: {answer.text[:300]}"
            raise RuntimeError(message)
    count = rows * len(bodies)
    into.rates.append(count / (time.perf_counter() - began))
    into.cpu_seconds += cpu_seconds(api) - cpu
    into.rows += count


def cpu_seconds(api: ApiProcess) -> float:
    """That the API's process has used."""
    if api.process is None:
        return 0.0
    stat = Path(f"/proc/{api.process.pid}/stat").read_text(encoding="ascii")
    user, system = stat.rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / SERVER_TICKS


def by_the_driver(connection: sqlite3.Connection, rows: int, into: Measured) -> None:
    """One round with the driver alone, into the same tables of another database."""
    batches = [records(rows) for _ in range(BATCHES[rows])]
    owner = uuid4().hex
    names = ["id", "deployment_id", "version_id", "received_at", *batches[0][0]]
    places = ", ".join("?" * len(names))
    insert = f"INSERT INTO inference_records ({', '.join(names)}) VALUES ({places})"  # noqa: S608
    began, cpu = time.perf_counter(), time.process_time()
    for batch in batches:
        before = time.perf_counter()
        connection.execute("BEGIN IMMEDIATE")
        values = [(new_record_id(), owner, owner, "2026", *row.values()) for row in batch]
        connection.executemany(insert, values)
        connection.execute("COMMIT")
        into.latencies_ms.append((time.perf_counter() - before) * 1_000)
    into.rates.append(rows * len(batches) / (time.perf_counter() - began))
    into.cpu_seconds += time.process_time() - cpu
    into.rows += rows * len(batches)


@contextmanager
def floor() -> Iterator[sqlite3.Connection]:
    """An empty database of ours; nobody checks whom its records belong to."""
    with tempfile.TemporaryDirectory() as folder:
        platform = open_platform(Settings(home=Path(folder)), SystemClock())
        migrate.upgrade(platform.database.engine)
        platform.close()
        connection = sqlite3.connect(Path(folder) / "bailiwick.db", isolation_level=None)
        connection.execute("PRAGMA synchronous=FULL").close()
        yield connection
        connection.close()


def told(way: str, rows: int, measured: Measured, driver: Measured) -> dict[str, Any]:
    """A row of the results."""
    rate, bare = (statistics.median(one.rates) for one in (measured, driver))
    return {
        "way": way,
        "batch rows": rows,
        "records a second": round(rate),
        "of the driver's": round(rate / bare, 3),
        "records a CPU second": round(measured.rows / measured.cpu_seconds),
        "p50 ms": round(statistics.median(measured.latencies_ms), 1),
        "p99 ms": round(measured.p99_ms(), 1),
    }


def sent(
    ways: list[tuple[str, int]], connection: sqlite3.Connection, drivers: dict[int, Measured]
) -> dict[tuple[str, int], Measured]:
    """All rounds of some ways into one installation, in turns with the driver's."""
    found = {way: Measured() for way in ways}
    with running() as (platform, api):
        address = f"{api.url}/api/v1/deployments/{api.deployment_id}"
        headers = {"Authorization": f"Bearer {api.token}"}
        with httpx.Client(base_url=address, headers=headers, timeout=60, trust_env=False) as client:
            send(api, client, ways[0][0], 1_000, Measured())  # warm
            watch(platform, api)
            for _ in range(ROUNDS):
                for name, rows in ways:
                    send(api, client, name, rows, found[name, rows])
                for rows, driver in drivers.items():
                    by_the_driver(connection, rows, driver)
    return found


def main() -> None:
    """Measure in turns and publish medians; not zero when below the target."""
    drivers = {rows: Measured() for rows in BATCHES}
    found: dict[tuple[str, int], Measured] = {}
    with floor() as connection:
        for names in (FORMATS, MEASURED):
            found |= sent([(name, rows) for rows in BATCHES for name in names], connection, drivers)
    ways = list(found)
    table = [told(name, rows, found[name, rows], drivers[rows]) for name, rows in ways]
    table += [told("sqlite3 driver", rows, one, one) for rows, one in drivers.items()]
    streams = [row for row in table if row["way"] in HELD_TO_THE_TARGET]
    slowest = min(row["records a second"] for row in streams)
    latest = max(row["p99 ms"] for row in streams)
    publish(
        "inference_log",
        table,
        {
            "target": f"{TARGET_A_SECOND:,} records a second, p99 under {TARGET_P99_MS} ms",
            "slowest of NDJSON and Arrow in time-ordered ids, records a second": slowest,
            "their longest p99, ms": latest,
            "reached": slowest >= TARGET_A_SECOND and latest < TARGET_P99_MS,
        },
    )
    if slowest < TARGET_A_SECOND or latest >= TARGET_P99_MS:
        sys.exit(1)


if __name__ == "__main__":
    main()
