"""What guards are to learn of requests, written beside the answering, never before it.

A bounded queue and one thread: `note` and `shadow` return at once, whatever the database and the
new version do. When the queue is full, what comes is not taken, and counted. What a process has
taken and not written when it is killed is lost: evidence is fewer requests then, no other ones.
"""

import queue
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Insert
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.orm import Session

from bailiwick.core.errors import BailiwickError
from bailiwick.core.ids import new_ids
from bailiwick.db import Database
from bailiwick.lineage.rows import compose_text
from bailiwick.registry import SHADOW, RolloutRecord
from bailiwick.serving.answering import Answered, Outcome, Row, Served, classified
from bailiwick.serving.gateway import Gateway

GATHER_SECONDS = 0.2
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Observed:
    """Outcomes of one call, split between champion and canary."""

    rollout_id: UUID
    outcomes: Sequence[Outcome]
    at: datetime


@dataclass(frozen=True, slots=True)
class Shadowed:
    """Requests that the champion has answered, for the new version to answer as well."""

    rollout_id: UUID
    version: Served
    requests: Sequence[Row]
    answered: Sequence[Answered]
    at: datetime


class Observer:
    """Writes observations, and asks shadows, on a thread of its own until `close`. Thread-safe."""

    def __init__(self, database: Database, gateway: Gateway, *, waiting: int = 1_000) -> None:
        self._database = database
        self._gateway = gateway
        self._waiting: queue.Queue[Observed | Shadowed | None] = queue.Queue(waiting)
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self.dropped = 0

    def note(self, observed: Observed | Shadowed) -> bool:
        """Take it if there is room; False if not. The first one starts the thread."""
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="observer", daemon=True)
                self._thread.start()
        try:
            self._waiting.put_nowait(observed)
        except queue.Full:
            self.dropped += 1
            return False
        return True

    def settle(self) -> None:
        """Wait until all that was taken is written."""
        self._waiting.join()

    def close(self) -> None:
        """Write what was taken, then stop."""
        if self._thread is not None:
            self._waiting.put(None)
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        while True:
            batch = self._gathered()
            self._write([one for one in batch if one is not None])
            for _ in batch:
                self._waiting.task_done()
            if None in batch:
                return

    def _gathered(self) -> list[Observed | Shadowed | None]:
        """What comes within a moment: one transaction for many answers, not one for each."""
        batch = [self._waiting.get()]
        until = time.monotonic() + GATHER_SECONDS
        while batch[-1] is not None and len(batch) < self._waiting.maxsize:
            try:
                batch.append(self._waiting.get(timeout=max(until - time.monotonic(), 0)))
            except queue.Empty:
                break
        return batch

    def _write(self, batch: Sequence[Observed | Shadowed]) -> None:
        try:
            rows = [row for one in batch for row in self._rows(one)]
            if rows:
                with self._database.transaction() as session:
                    add_records(session, rows)
        except BailiwickError as error:
            log.warning("observations were lost", code=error.code, reason=error.message)
        except Exception as error:  # noqa: BLE001 - the thread must outlive any one of them
            log.warning("observations were lost", kind=type(error).__name__)

    def _rows(self, one: Observed | Shadowed) -> list[dict[str, Any]]:
        if isinstance(one, Observed):
            return [
                {**_row(one.rollout_id, outcome.role, outcome.request, one.at)}
                | _said(outcome.answered)
                for outcome in one.outcomes
            ]
        return self._shadows(one)

    def _shadows(self, one: Shadowed) -> list[dict[str, Any]]:
        """The new version's answers beside the champion's; of a failure, that it failed."""
        answered: list[Answered | None]
        try:
            answered = list(self._asked(one))
        except (BailiwickError, KeyError):
            answered = [None] * len(one.requests)
        return [
            _row(one.rollout_id, SHADOW, request, one.at)
            | _said(challenger)
            | {
                "champion_prediction": champion.classification.label,
                "champion_confidence": champion.classification.confidence,
                "champion_latency_ms": champion.latency_ms,
            }
            for request, champion, challenger in zip(
                one.requests, one.answered, answered, strict=True
            )
        ]

    def _asked(self, one: Shadowed) -> list[Answered]:
        columns = one.version.text_columns
        texts = [compose_text(request.features, columns) for request in one.requests]
        return classified(self._gateway, one.version, texts)


def add_records(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    """Append rows of `rollout_records`; a request that was sent again counts once."""
    rows = [{"id": one, **row} for one, row in zip(new_ids(len(rows)), rows, strict=True)]
    # In one order, so that two processes never wait for each other.
    rows.sort(key=lambda row: (str(row["rollout_id"]), row["record_id"], row["role"]))
    on_postgresql = session.get_bind().dialect.name == "postgresql"
    construct: Any = postgresql_insert if on_postgresql else sqlite_insert
    statement: Insert = construct(RolloutRecord).on_conflict_do_nothing()
    session.execute(statement, rows)


def _row(rollout_id: UUID, role: str, request: Row, at: datetime) -> dict[str, Any]:
    return {
        "rollout_id": rollout_id,
        "record_id": request.record_id,
        "role": role,
        "at": at,
        "champion_prediction": None,
        "champion_confidence": None,
        "champion_latency_ms": None,
    }


def _said(answered: Answered | None) -> dict[str, Any]:
    given = answered.classification if answered is not None else None
    return {
        "failed": answered is None,
        "prediction": given.label if given is not None else None,
        "confidence": given.confidence if given is not None else None,
        "latency_ms": answered.latency_ms if answered is not None else None,
    }
