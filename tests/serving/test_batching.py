"""Requests that wait are joined; a full queue says so at once."""

import threading
from collections.abc import Sequence

import pytest

from bailiwick.core.errors import Unavailable
from bailiwick.monitoring.descriptors import Descriptors
from bailiwick.serving.batching import Batcher
from bailiwick.serving.classification import Classification


class Recorder:
    """Answers each text with itself and notes its batches; may be held at its first."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.started = threading.Event()
        self.go_on = threading.Event()
        self.go_on.set()

    def classify(self, texts: Sequence[str]) -> list[Classification]:
        self.batches.append(list(texts))
        self.started.set()
        assert self.go_on.wait(5)
        if "broken" in texts:
            raise RuntimeError("no answer")
        return [Classification(text, 1.0, Descriptors(0, 0, 0.0)) for text in texts]


def _held() -> Recorder:
    recorder = Recorder()
    recorder.go_on.clear()
    return recorder


def _labels(answers: list[Classification]) -> list[str]:
    return [answer.label for answer in answers]


def test_requests_that_wait_meanwhile_are_joined_and_answered_each_with_its_own() -> None:
    recorder, batcher = _held(), Batcher()
    first = batcher.submit(recorder, ["a"])
    assert recorder.started.wait(5)
    waiting = [batcher.submit(recorder, [f"b{number}", f"c{number}"]) for number in range(3)]
    recorder.go_on.set()
    assert _labels(first.result(5)) == ["a"]
    for number, future in enumerate(waiting):
        assert _labels(future.result(5)) == [f"b{number}", f"c{number}"]
    assert recorder.batches == [["a"], ["b0", "c0", "b1", "c1", "b2", "c2"]]
    batcher.close()


def test_a_batch_takes_no_more_requests_once_it_has_its_texts() -> None:
    recorder, batcher = _held(), Batcher(batch_texts=2)
    futures = [batcher.submit(recorder, ["first"])]
    assert recorder.started.wait(5)
    futures += [batcher.submit(recorder, [str(number)]) for number in range(4)]
    recorder.go_on.set()
    batcher.close()
    assert all(future.done() for future in futures)
    assert recorder.batches == [["first"], ["0", "1"], ["2", "3"]]


def test_requests_for_different_models_are_never_mixed() -> None:
    held, one, two, batcher = _held(), Recorder(), Recorder(), Batcher()
    batcher.submit(held, ["x"])
    assert held.started.wait(5)
    futures = [batcher.submit(model, [text]) for model, text in ((one, "1"), (two, "2"))]
    held.go_on.set()
    assert [_labels(future.result(5)) for future in futures] == [["1"], ["2"]]
    assert (one.batches, two.batches) == ([["1"]], [["2"]])
    batcher.close()


def test_a_full_queue_is_told_at_once() -> None:
    recorder, batcher = _held(), Batcher(waiting_requests=1)
    batcher.submit(recorder, ["a"])
    assert recorder.started.wait(5)
    batcher.submit(recorder, ["b"])
    with pytest.raises(Unavailable, match="too many requests waiting"):
        batcher.submit(recorder, ["c"])
    recorder.go_on.set()
    batcher.close()


def test_a_failure_reaches_those_who_asked_and_the_thread_lives_on() -> None:
    recorder, batcher = Recorder(), Batcher()
    with pytest.raises(RuntimeError, match="no answer"):
        batcher.submit(recorder, ["broken"]).result(5)
    assert _labels(batcher.submit(recorder, ["well"]).result(5)) == ["well"]
    batcher.close()


def test_a_cancelled_request_is_skipped() -> None:
    recorder, batcher = _held(), Batcher()
    batcher.submit(recorder, ["a"])
    assert recorder.started.wait(5)
    assert batcher.submit(recorder, ["b"]).cancel()
    last = batcher.submit(recorder, ["c"])
    recorder.go_on.set()
    assert _labels(last.result(5)) == ["c"]
    assert recorder.batches == [["a"], ["c"]]
    batcher.close()


def test_closing_answers_what_waits_and_takes_nothing_more() -> None:
    recorder, batcher = Recorder(), Batcher()
    futures = [batcher.submit(recorder, [str(number)]) for number in range(5)]
    batcher.close()
    batcher.close()
    assert [_labels(future.result(0)) for future in futures] == [[str(n)] for n in range(5)]
    with pytest.raises(Unavailable, match="shutting down"):
        batcher.submit(recorder, ["late"])
