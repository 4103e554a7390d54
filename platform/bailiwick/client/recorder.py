"""Logging of answered requests that never waits for the network and loses nothing."""

import atexit
import json
import random
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self
from uuid import UUID

from bailiwick.client.errors import BailiwickAPIError, ClientError, MisusedClient
from bailiwick.client.shapes import RejectedInference, Taken
from bailiwick.client.spool import Spool, SpoolFull

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, HURRIED_PAUSE_SECONDS = 0.25, 30.0, 1.0

Send = Callable[[bytes], Taken]


class Unsent(ClientError):
    """Some records have not been acknowledged; they are in `folder`, for a recorder to send."""

    def __init__(self, waiting_bytes: int, folder: Path, last_error: ClientError | None) -> None:
        why = f": {last_error}" if last_error else ""
        super().__init__(
            f"{waiting_bytes:,} bytes of records have not been sent{why}. They are kept in "
            f"{folder}; a recorder with that spool folder sends them"
        )
        self.folder = folder


@dataclass
class Sent:
    """What became of the records so far."""

    new: int = 0
    known: int = 0
    rejected: int = 0


class Recorder:
    """Logs answered requests in the background. Thread-safe; use it in a `with` block.

    `log` writes the record to a file and returns; a thread sends files and deletes them once they
    are acknowledged. Each record gets its id here, so sending again counts nothing twice. What
    cannot be sent (no server, no right) is tried again after growing pauses, for as long as it
    takes. When `max_bytes` wait, `log` blocks or raises `SpoolFull`, as `on_full` says.

    With a `spool` folder of its own, a process that is killed loses nothing either: the next
    recorder with that folder sends what was left. `on_rejected` gets the records that the API
    turned away (the first hundred of a request).
    """

    def __init__(
        self,
        send: Send,
        *,
        spool: Path | None = None,
        on_full: Literal["block", "raise"] = "block",
        max_bytes: int = 256 * 1024**2,
        batch_records: int = 1_000,
        interval_seconds: float = 1.0,
        on_rejected: Callable[[list[RejectedInference]], None] | None = None,
        close_timeout_seconds: float = 30.0,
    ) -> None:
        self._send = send
        self._on_full = on_full
        self._max_bytes = max_bytes
        self._interval_seconds = interval_seconds
        self._on_rejected = on_rejected
        self._close_timeout_seconds = close_timeout_seconds
        self._spool = Spool(spool, max_bytes=max_bytes, piece_records=batch_records)
        self._changed = threading.Condition()
        self._hurried = 0  # who waits for all to be sent
        self._closing = self._closed = False
        self.sent = Sent()
        self.last_error: ClientError | None = None
        self._thread = threading.Thread(target=self._run, name="bailiwick-recorder", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def log(self, prediction: str, *, at: datetime | None = None, **fields: Any) -> str:
        """Keep one answered request; returns its record id, for feedback later.

        `fields` are those of a record: `confidence`, `latency_ms`, `characters`, `words`,
        `unseen_words_ratio`, `text`, `tokens`, `mean_log_probability`, `segments`, `features`,
        `subject`, `join_key`, and `record_id` if you have ids of your own.
        """
        record = as_record({"prediction": prediction, "at": at, **fields})
        line = as_line(record)
        with self._changed:
            while True:
                if self._closing:
                    raise MisusedClient("this recorder is closed; open another")
                try:
                    self._spool.append(line)
                    break
                except SpoolFull:
                    if self._on_full == "raise" or len(line) > self._max_bytes:
                        raise
                    self._changed.wait(timeout=1.0)
            if self._spool.has_whole_piece:
                self._changed.notify_all()
        return str(record["record_id"])

    @property
    def waiting_bytes(self) -> int:
        """What has not been acknowledged yet."""
        with self._changed:
            return self._spool.waiting_bytes

    def flush(self, timeout_seconds: float | None = None) -> None:
        """Wait until everything logged so far is acknowledged, or raise `Unsent`."""
        deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        with self._changed:
            self._hurried += 1
            self._changed.notify_all()
            try:
                while self._spool.waiting_bytes and self._thread.is_alive():
                    left = None if deadline is None else deadline - time.monotonic()
                    if left is not None and left <= 0:
                        break
                    # Short waits, so that Ctrl-C is heard.
                    self._changed.wait(0.5 if left is None else min(left, 0.5))
            finally:
                self._hurried -= 1
            if self._spool.waiting_bytes:
                raise Unsent(self._spool.waiting_bytes, self._spool.folder, self.last_error)

    def close(self) -> None:
        """Send what is left, for `close_timeout_seconds`; `Unsent` if it was too short."""
        with self._changed:
            if self._closing:
                return
            self._closing = True
        atexit.unregister(self.close)
        try:
            self.flush(self._close_timeout_seconds)
        finally:
            with self._changed:
                self._closed = True
                self._changed.notify_all()
            self._thread.join(timeout=2.0)
            with self._changed:
                self._spool.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            self.close()
        except Unsent:
            if error is None:  # what went wrong in the block says more
                raise

    def _run(self) -> None:
        failures = 0
        while True:
            with self._changed:
                path = self._next_piece()
            if path is None:
                return
            try:
                answer = self._send(path.read_bytes())
            except ClientError as error:
                failures += 1
                self._pause(error, failures)
                continue
            failures = 0
            with self._changed:
                self.last_error = None
                self._spool.forget(path)
                self.sent.new += answer["new"]
                self.sent.known += answer["known"]
                self.sent.rejected += answer["rejected_total"]
                self._changed.notify_all()
            if answer["rejected"] and self._on_rejected is not None:
                self._on_rejected(answer["rejected"])

    def _next_piece(self) -> Path | None:
        """Wait for a whole piece, for what has waited long enough, or for the end (None)."""
        while not self._closed:
            self._changed.wait_for(self._is_due, timeout=self._interval_seconds)
            path = None if self._closed else self._spool.oldest()
            if path is not None:
                return path
        return None

    def _is_due(self) -> bool:
        waits = self._spool.waiting_bytes > 0
        return self._closed or self._spool.has_whole_piece or (waits and self._hurried > 0)

    def _pause(self, error: ClientError, failures: int) -> None:
        """Growing, with jitter, so that many clients do not come back at the same moment."""
        growing = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** min(failures - 1, 10))
        pause = growing * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
        if isinstance(error, BailiwickAPIError) and error.retry_after_seconds:
            pause = error.retry_after_seconds
        with self._changed:
            self.last_error = error
            waiting = self._hurried
            if waiting:
                pause = min(pause, HURRIED_PAUSE_SECONDS)
            # Somebody who begins to wait for all to be sent ends a long pause.
            self._changed.wait_for(lambda: self._closed or self._hurried > waiting, timeout=pause)


def as_record(given: Mapping[str, Any]) -> dict[str, Any]:
    """A record with an id and a moment, and without what is None."""
    at = given.get("at") or datetime.now(UTC)
    if isinstance(at, datetime):
        if at.tzinfo is None:
            raise MisusedClient("a time needs its zone, as in datetime.now(UTC)")
        at = at.isoformat()
    record = {name: value for name, value in given.items() if value is not None}
    return record | {"record_id": given.get("record_id") or new_record_id(), "at": at}


def as_line(record: Mapping[str, Any]) -> bytes:
    """A record as a line of NDJSON."""
    try:
        return json.dumps(record, ensure_ascii=False, allow_nan=False).encode() + b"\n"
    except (TypeError, ValueError) as error:
        raise MisusedClient(
            f"a record holds something that JSON cannot say ({type(error).__name__})"
        ) from error


def new_record_id() -> str:
    """A UUIDv7: records that are logged together lie together in the server's index."""
    milliseconds = time.time_ns() // 1_000_000
    value = milliseconds << 80 | 0x7 << 76 | 0b10 << 62
    return str(UUID(int=value | secrets.randbits(12) << 64 | secrets.randbits(62)))
