"""One inference thread that joins the requests waiting for the same model into one batch.

A small network gains more from a fuller batch than from a second thread, and one thread keeps
the order fair. The queue is bounded: when it is full the caller is told at once.
"""

import queue
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Protocol

from bailiwick.core.errors import Unavailable
from bailiwick.serving.classification import Classification


class Classifier(Protocol):
    """Whatever classifies texts: an `Engine`."""

    def classify(self, texts: Sequence[str]) -> list[Classification]:
        """One answer a text, in order."""
        ...


@dataclass(frozen=True, slots=True)
class _Request:
    classifier: Classifier
    texts: Sequence[str]
    answer: Future[list[Classification]] = field(default_factory=Future)


class Batcher:
    """Classifies on one thread of its own until `close`. Thread-safe."""

    def __init__(self, *, waiting_requests: int = 512, batch_texts: int = 1024) -> None:
        self._waiting: queue.Queue[_Request | None] = queue.Queue(waiting_requests)
        self._batch_texts = batch_texts
        self._closed = False
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="inference", daemon=True)
        self._thread.start()

    def submit(self, classifier: Classifier, texts: Sequence[str]) -> Future[list[Classification]]:
        """Queue `texts`; the future holds their answers. Raises `Unavailable` when full."""
        request = _Request(classifier, texts)
        with self._lock:
            if self._closed:
                raise Unavailable("The model server is shutting down. Try again in a moment.")
            try:
                self._waiting.put_nowait(request)
            except queue.Full:
                raise Unavailable(
                    "The model server has too many requests waiting. Try again in a moment."
                ) from None
        return request.answer

    def close(self) -> None:
        """Answer what waits, then stop the thread."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        self._waiting.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (first := self._waiting.get()) is not None:
            batch, last = self._joined(first)
            for key in dict.fromkeys(id(request.classifier) for request in batch):
                _answer([request for request in batch if id(request.classifier) == key])
            if last:
                return

    def _joined(self, first: _Request) -> tuple[list[_Request], bool]:
        """`first` and whatever waits already, up to a batch of texts; whether to stop then."""
        batch = [first]
        texts = len(first.texts)
        while texts < self._batch_texts:
            try:
                request = self._waiting.get_nowait()
            except queue.Empty:
                return batch, False
            if request is None:
                return batch, True
            batch.append(request)
            texts += len(request.texts)
        return batch, False


def _answer(requests: list[_Request]) -> None:
    """Classify the texts of `requests`, all for one classifier, in one go."""
    running = [request for request in requests if request.answer.set_running_or_notify_cancel()]
    if not running:
        return
    try:
        answers = iter(
            running[0].classifier.classify([text for request in running for text in request.texts])
        )
    except Exception as error:  # noqa: BLE001 - whatever failed belongs to those who asked
        for request in running:
            request.answer.set_exception(error)
        return
    for request in running:
        request.answer.set_result([next(answers) for _ in request.texts])
