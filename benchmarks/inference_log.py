"""Rows per second into the inference log through HTTP, beside plain inserts into SQLite.

The floor is what the database file can take: the same rows, batches and columns, each batch one
transaction, with the driver alone. The platform adds HTTP, JSON, token, policy, validation and
the search for records that are known already.

    python benchmarks/inference_log.py
"""

import sqlite3
import statistics
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from installation import Installation, running
from report import publish

BATCH_ROWS, BATCHES, ROUNDS = 1_000, 12, 3


def records(installation: Installation, number: int) -> list[dict[str, Any]]:
    """One batch with fresh record ids."""
    at = installation.stage.clock.now()
    rows = installation.features
    return [
        {
            "record_id": f"{uuid4()}",
            "at": (at + timedelta(seconds=place)).isoformat(),
            "prediction": "Vehicle Fuel",
            "confidence": 0.875,
            "characters": 31,
            "words": 5,
            "unseen_words_ratio": 0.2,
            "text": " | ".join(rows[(number * BATCH_ROWS + place) % len(rows)].values()),
        }
        for place in range(BATCH_ROWS)
    ]


def through_the_api(installation: Installation) -> float:
    """Rows per second."""
    story = installation.story
    path = f"/deployments/{story.governed_id}/inferences"
    bodies = [{"records": records(installation, number)} for number in range(BATCHES)]
    before = time.perf_counter()
    for body in bodies:
        story.ledger_app.post(path, body)
    return BATCHES * BATCH_ROWS / (time.perf_counter() - before)


def into_sqlite(installation: Installation) -> float:
    """Rows per second with the driver alone."""
    batches = [records(installation, number) for number in range(BATCHES)]
    with tempfile.TemporaryDirectory() as folder:
        connection = sqlite3.connect(Path(folder) / "floor.db", isolation_level=None)
        connection.execute("PRAGMA journal_mode=WAL").close()
        connection.execute("PRAGMA synchronous=FULL").close()
        names = list(batches[0][0])
        connection.execute(
            f"CREATE TABLE records (id BLOB PRIMARY KEY, {', '.join(names)}, UNIQUE (record_id))"
        )
        places = ", ".join("?" * (len(names) + 1))
        before = time.perf_counter()
        for batch in batches:
            connection.execute("BEGIN IMMEDIATE")
            rows = [(uuid4().bytes, *record.values()) for record in batch]
            connection.executemany(f"INSERT INTO records VALUES ({places})", rows)  # noqa: S608 - our own names
            connection.execute("COMMIT")
        rate = BATCHES * BATCH_ROWS / (time.perf_counter() - before)
        connection.close()
    return rate


def main() -> None:
    """Measure in turns and publish medians."""
    with running() as installation:
        through_the_api(installation)
        rounds = [(through_the_api(installation), into_sqlite(installation)) for _ in range(ROUNDS)]
    governed, floor = (statistics.median(column) for column in zip(*rounds, strict=True))
    publish(
        "inference_log",
        [
            {"path": "bailiwick, POST /inferences", "rows a second": round(governed)},
            {"path": "sqlite3 driver alone", "rows a second": round(floor)},
        ],
        {"share of the driver's rate": round(governed / floor, 3), "batch rows": BATCH_ROWS},
    )


if __name__ == "__main__":
    main()
