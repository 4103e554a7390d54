"""Models trained and judged in processes of their own, each once: remembered by content."""

import base64
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from bailiwick.core.canonical import digest_of
from bailiwick.core.errors import Invalid
from bailiwick.lifecycle.backtest.learner import Judged, Rows
from bailiwick.lifecycle.backtest.stream import Stream
from bailiwick.lifecycle.children import JobProcessFailed, environment_of
from bailiwick.training import HeadRecipe, Recipe, SmallClassifierRecipe

_FORMAT = 2  # counts up when the same rows, recipe and seed would give another model
# A transformer learns from at most so many rows, the newest, as training orders do by default.
_TRANSFORMER_ROWS = 12_000
_MODELS_KEPT = 8  # in each process; a wide one on many labels takes 80 MB
_MODULES = {
    HeadRecipe.kind: "bailiwick.training.refits",
    SmallClassifierRecipe.kind: "bailiwick.training.full_refits",
}

Entry = dict[str, Any]


class Refits:
    """A `Learner` of one stream, recipe and seed, with `processes` at work.

    `cache` holds a file for each model, named after what it was made from: train once, whoever
    asks, and go on where a run was killed. It holds no text and no label. `oldest` says from which
    row on the model of so many first rows learns; all of them, if nothing is said.
    """

    def __init__(
        self,
        stream: Stream,
        recipe: Recipe,
        *,
        seed: int,
        cache: Path,
        folder: Path,
        processes: int,
        oldest: Callable[[int], int] | None = None,
    ) -> None:
        self.recipe = recipe
        self._oldest = oldest
        self._stream, self._seed, self._cache = stream, seed, cache
        cache.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._children = [
            _Child(stream, recipe, seed, folder / f"refits-{number}") for number in range(processes)
        ]
        self._threads = [ThreadPoolExecutor(1) for _ in self._children]
        self._place: dict[int, int] = {}  # which child has which model
        self._prepared: dict[int, Future[Entry]] = {}

    def prepare(self, learned: int, asked: Iterable[Rows]) -> None:
        """Train and judge as soon as there is a process free."""
        if learned not in self._prepared:
            self._prepared[learned] = self._submitted(learned, list(asked))

    def judge(self, learned: int, asked: Sequence[Rows]) -> list[Judged]:
        """How the model of the first `learned` rows answers."""
        entry = self._entry(learned, asked)
        return [
            _judged(entry["judged"][self._stream.digest(*rows)], rows[1] - rows[0])
            for rows in asked
        ]

    def train_seconds(self, learned: int) -> float:
        """Seconds of a processor, as measured when it was trained."""
        return float(self._entry(learned, ())["train_seconds"])

    def tried(self, recipe: Recipe, learned: int, rows: Rows) -> Judged:
        """How a model by another `recipe` answers `rows`."""
        entry = self._threads[0].submit(self._completed, 0, learned, [rows], recipe).result()
        return _judged(entry["judged"][self._stream.digest(*rows)], rows[1] - rows[0])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the processes, whatever they are doing; whoever waits for one gets an error."""
        for thread in self._threads:
            thread.shutdown(wait=False, cancel_futures=True)
        for child in self._children:
            child.close()
        for child, thread in zip(self._children, self._threads, strict=True):
            thread.shutdown()
            child.release()

    def _entry(self, learned: int, asked: Sequence[Rows]) -> Entry:
        if prepared := self._prepared.get(learned):
            entry = prepared.result()
            if all(self._stream.digest(*rows) in entry["judged"] for rows in asked):
                return entry
        self._prepared[learned] = self._submitted(learned, asked)
        return self._prepared[learned].result()

    def _submitted(self, learned: int, asked: Sequence[Rows]) -> "Future[Entry]":
        place = self._place.setdefault(learned, len(self._place) % len(self._children))
        return self._threads[place].submit(self._completed, place, learned, asked, self.recipe)

    def _completed(self, place: int, learned: int, asked: Sequence[Rows], recipe: Recipe) -> Entry:
        """What is remembered of a model, with all that is `asked` in it."""
        path = self._cache / f"{self._key(learned, recipe)}.json"
        entry = _read(path)
        lacking = [rows for rows in asked if self._stream.digest(*rows) not in entry["judged"]]
        if lacking or entry["train_seconds"] is None:
            start = self._start(learned, recipe)
            answer = self._children[place].ask(
                {"recipe": recipe.to_dict(), "learn": [start, learned], "judge": lacking}
            )
            if entry["train_seconds"] is None:
                entry["train_seconds"] = answer["train_seconds"]
            for rows, judged in zip(lacking, answer["judged"], strict=True):
                entry["judged"][self._stream.digest(*rows)] = judged
            _write(path, entry)
        return entry

    def _start(self, learned: int, recipe: Recipe) -> int:
        at_most = learned if isinstance(recipe, HeadRecipe) else _TRANSFORMER_ROWS
        oldest = 0 if self._oldest is None else self._oldest(learned)
        return max(oldest, learned - at_most)

    def _key(self, learned: int, recipe: Recipe) -> str:
        rows = self._stream.digest_until(learned)
        made_of: list[Any] = [_FORMAT, rows, recipe.to_dict(), self._seed]
        start = self._start(learned, recipe)
        if start and isinstance(recipe, HeadRecipe):
            made_of.append(start)
        return digest_of(made_of)


class _Child:
    """A process that trains and judges (`training.refits`), started when it is first asked."""

    def __init__(self, stream: Stream, recipe: Recipe, seed: int, folder: Path) -> None:
        self._module = _MODULES[recipe.kind]
        self._spec = {
            "frame": {"path": str(stream.frame), "sha256": stream.sha256},
            "seed": seed,
            "threads": 1,
            "models_kept": _MODELS_KEPT,
        }
        self._folder = folder
        self._process: subprocess.Popen[str] | None = None
        self._closed = False

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """The answer to one request. Raises `Invalid` for what it says is wrong with the rows."""
        process = self._started()
        if process.stdin is None or process.stdout is None:  # Popen was asked for pipes
            raise JobProcessFailed("the training process has no input or output")
        try:
            process.stdin.write(json.dumps(request) + "\n")
            process.stdin.flush()
        except BrokenPipeError:
            pass  # it has ended; what it said last is still to be read
        line = process.stdout.readline()
        answer: dict[str, Any] = json.loads(line) if line.endswith("\n") else {}
        if "error" in answer:
            raise Invalid(answer["error"]["message"])
        if "judged" not in answer:
            raise JobProcessFailed(
                f"the training process ended; its last words: {self._last_words()}"
            )
        return answer

    def close(self) -> None:
        """End it for good, whatever it is doing."""
        self._closed = True
        if self._process is not None:
            self._process.terminate()

    def release(self) -> None:
        """Wait for its end, and give its pipes back; nobody asks it any more."""
        if self._process is not None:
            with self._process:
                pass

    def _started(self) -> "subprocess.Popen[str]":
        if self._closed:
            raise JobProcessFailed("the training process was ended")
        if self._process is None:
            self._folder.mkdir(parents=True)
            spec = self._folder / "spec.json"
            spec.write_text(json.dumps(self._spec), encoding="utf-8")
            with (self._folder / "stderr.log").open("wb") as log:
                self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                    [sys.executable, "-m", self._module, str(spec)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    env=environment_of(1),
                    text=True,
                )
        return self._process

    def _last_words(self) -> str:
        """The last line of its log, which names a kind of error and no text of a row."""
        log = (self._folder / "stderr.log").read_text(encoding="utf-8", errors="replace")
        return (log.strip().splitlines() or ["none"])[-1].partition(":")[0]


def _read(path: Path) -> Entry:
    try:
        entry: Entry = json.loads(path.read_bytes())
    except (OSError, ValueError):  # none yet, or cut short by a full disk: made again
        return {"train_seconds": None, "judged": {}}
    return entry


def _write(path: Path, entry: Entry) -> None:
    """Write `entry` so that it is there complete or not at all, whoever else writes it."""
    handle, unfinished = tempfile.mkstemp(dir=path.parent, suffix=".part")
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        json.dump(entry, stream)
    Path(unfinished).replace(path)


def _judged(values: dict[str, Any], rows: int) -> Judged:
    bits = np.frombuffer(base64.b64decode(values["right"]), np.uint8)
    return Judged(
        accuracy=values["accuracy"],
        macro_f1=values["macro_f1"],
        confidence=values["confidence"],
        unseen_ratio=values["unseen_ratio"],
        right=np.unpackbits(bits, count=rows).astype(np.bool_),
    )
