"""A bound on failures per client address, in the memory of this process."""

import threading
from collections import OrderedDict, deque

MAX_ADDRESSES = 10_000


class Throttle:
    """Counts failures in a sliding window; the addresses heard of longest ago are forgotten.

    NOT guaranteed: each process counts for itself, and a restart forgets. Good enough where
    nothing can be guessed (tokens of 256 random bits, signatures) and only the server's time
    and its log are to be protected; passwords are counted by `access.throttle`.
    """

    def __init__(self, max_failures: int, *, window_seconds: float) -> None:
        self._max_failures = max_failures
        self._window_seconds = window_seconds
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()
        self._lock = threading.Lock()

    def wait_seconds(self, address: str, now: float) -> int:
        """0 if the address may fail once more, else how long it has to wait."""
        with self._lock:
            failures = self._recent(address, now)
            if len(failures) < self._max_failures:
                return 0
            return max(1, int(failures[0] + self._window_seconds - now))

    def note_failure(self, address: str, now: float) -> None:
        """One more failure of this address."""
        with self._lock:
            failures = self._recent(address, now)
            failures.append(now)
            self._failures[address] = failures
            self._failures.move_to_end(address)
            while len(self._failures) > MAX_ADDRESSES:
                self._failures.popitem(last=False)

    def _recent(self, address: str, now: float) -> deque[float]:
        failures = self._failures.get(address, deque())
        while failures and failures[0] <= now - self._window_seconds:
            failures.popleft()
        return failures
