"""How often the policy allowed what changes nothing: counted here, kept by the hour.

Answers to such questions are many and alike, so they are added up in the process and written
every few seconds. A crash loses the counts of the last seconds; denials are never counted here,
they are rows of their own.
"""

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from bailiwick.core.errors import BailiwickError, Unavailable
from bailiwick.core.ids import new_id
from bailiwick.db import Database
from bailiwick.policy.classification import Label
from bailiwick.policy.labels import intern_label
from bailiwick.policy.tables import DecisionCount

FLUSH_SECONDS = 5.0
MAX_BUFFERED = 20_000
ANY = "*"
ID_LENGTH = 80
ROWS_A_STATEMENT = 500
KEY = ("principal_id", "action", "resource_type", "resource_id", "bundle_digest", "hour")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Tallied:
    """What is counted together: one principal's use of one thing in one hour."""

    principal_id: str
    action: str
    resource_type: str
    resource_id: str
    namespace: str | None
    label: Label | None
    bundle_digest: str
    hour: datetime


class Tallies:
    """Counts of this process that are not written yet. Thread-safe, and bounded in size.

    Past the bound, things are no longer told apart: they count under the resource id `*`.
    """

    def __init__(self, *, bound: int = MAX_BUFFERED) -> None:
        self._bound = bound
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._counts: dict[Tallied, int] = {}

    def __len__(self) -> int:
        return len(self._counts)

    def add(
        self,
        principal_id: str,
        action: str,
        resource_type: str,
        resource_id: str,
        *,
        namespace: str | None = None,
        label: Label | None = None,
        bundle_digest: str,
        at: datetime,
    ) -> None:
        """Count one allowed answer."""
        hour = at.replace(minute=0, second=0, microsecond=0)
        about = (resource_type, resource_id[:ID_LENGTH], namespace, label)
        with self._lock:
            key = Tallied(principal_id, action, *about, bundle_digest, hour)
            if key not in self._counts and len(self._counts) >= self._bound:
                lumped = (resource_type, ANY, None, None)
                key = Tallied(principal_id, action, *lumped, bundle_digest, hour)
            self._counts[key] = self._counts.get(key, 0) + 1

    def flush(self, database: Database) -> int:
        """Write what has been counted; how many rows. Never raises for the counts' sake.

        A database that is out of reach keeps them waiting; counts that cannot be stored are
        dropped with a line in the log, as they would stop all others.
        """
        with self._writing:
            with self._lock:
                taken, self._counts = self._counts, {}
            if not taken:
                return 0
            try:
                with database.transaction() as session:
                    _store(session, taken.items())
            except Unavailable:
                self._put_back(taken)
                return 0
            except BailiwickError as error:
                log.warning("counts of decisions were dropped", rows=len(taken), code=error.code)
                return 0
            return len(taken)

    def _put_back(self, taken: dict[Tallied, int]) -> None:
        with self._lock:
            for key, number in self._counts.items():
                taken[key] = taken.get(key, 0) + number
            self._counts = taken


def _store(session: Session, counts: Iterable[tuple[Tallied, int]]) -> None:
    labels = {key.label for key, _ in counts if key.label is not None}
    ids = {label: intern_label(session, label) for label in labels}
    rows = [_row(key, number, ids) for key, number in counts]
    # In one order everywhere, so that two processes never wait for each other in a circle.
    rows.sort(key=lambda row: tuple(map(str, (row[name] for name in KEY))))
    for start in range(0, len(rows), ROWS_A_STATEMENT):
        _upsert(session, rows[start : start + ROWS_A_STATEMENT])


def _row(key: Tallied, number: int, label_ids: dict[Label, str]) -> dict[str, Any]:
    return {
        "id": new_id(),
        "principal_id": UUID(key.principal_id),
        "action": key.action,
        "resource_type": key.resource_type,
        "resource_id": key.resource_id,
        "namespace": key.namespace,
        "label_id": None if key.label is None else label_ids[key.label],
        "bundle_digest": key.bundle_digest,
        "hour": key.hour,
        "allowed": number,
    }


def _upsert(session: Session, rows: list[dict[str, Any]]) -> None:
    on_sqlite = session.get_bind().dialect.name == "sqlite"
    insert = (sqlite.insert if on_sqlite else postgresql.insert)(DecisionCount)
    session.execute(
        insert.on_conflict_do_update(
            index_elements=list(KEY),
            set_={
                "allowed": DecisionCount.allowed + insert.excluded.allowed,
                "label_id": insert.excluded.label_id,  # the label that it has by now
            },
        ),
        rows,
    )
