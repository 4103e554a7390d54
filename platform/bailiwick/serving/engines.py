"""The engines in memory: loaded once however many ask, the least recently used dropped first.

What is kept is not dropped: both sides of a rollout, and the version that it may go back to.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Collection
from concurrent.futures import Future
from pathlib import Path

from bailiwick.serving.engine import Engine


class Engines:
    """At most `capacity` engines by version id, and those to keep. Thread-safe."""

    def __init__(self, fetch: Callable[[str], Path], *, capacity: int) -> None:
        self._fetch = fetch
        self._capacity = capacity
        self._loaded: OrderedDict[str, Future[Engine]] = OrderedDict()
        self._kept: frozenset[str] = frozenset()
        self._lock = threading.Lock()

    def keep(self, version_ids: Collection[str]) -> list[str]:
        """From now on drop none of these, and others as usual; those that are still to be loaded.

        They count beyond the capacity, so that keeping them drops nothing that is in use.
        """
        with self._lock:
            self._kept = frozenset(version_ids)
            self._drop()
            return [one for one in version_ids if one not in self._loaded]

    def loaded(self, version_id: str) -> Engine | None:
        """The engine if it is in memory; never blocks on a disk."""
        with self._lock:
            future = self._loaded.get(version_id)
            if future is None or not future.done() or future.exception():
                return None
            self._loaded.move_to_end(version_id)
            return future.result()

    def get(self, version_id: str) -> Engine:
        """The engine, fetched and loaded if need be. Raises what `fetch` or loading raises.

        Callers that ask for the same version meanwhile wait for the one load; other versions
        are not held up. A failed load is forgotten, so the next call tries again.
        """
        with self._lock:
            future = self._loaded.get(version_id)
            mine = future is None
            if future is None:
                future = self._loaded[version_id] = Future()
            self._loaded.move_to_end(version_id)
        if mine:
            self._load(version_id, future)
        return future.result()

    def _load(self, version_id: str, future: Future[Engine]) -> None:
        try:
            engine = Engine.load(self._fetch(version_id))
        except BaseException as error:  # noqa: BLE001 - those who wait must hear of it
            with self._lock:
                self._loaded.pop(version_id, None)
            future.set_exception(error)
            return
        future.set_result(engine)
        with self._lock:
            self._drop()

    def _drop(self) -> None:
        others = [one for one in self._loaded if one not in self._kept]
        for version_id in others[: max(len(others) - self._capacity, 0)]:
            del self._loaded[version_id]
