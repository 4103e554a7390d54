"""What every peer's process does: read streams of rows, judge their windows, answer in JSON lines.

    python NAME.py '[{"measure": "windows", "files": ["0.npz"], "every": 1, "most": 60}]'
    python NAME.py '[{"measure": "cost", "files": ["0.npz"]}]'

It runs in the peer's own environment, so it knows the standard library and NumPy, nothing of ours.
The first line of the answer is {"library", "version"}, the last {"done"}. `windows` answers a line
for each judged window: {"job", "file", "window", "alarms": {verdict: bool}}, `alarms` null for
windows of fewer than 30 rows, and leaves a stream once every verdict has alarmed if `until_alarm`.
`cost` judges one window once, after a small one that pays for what only a first call costs, and
answers {"cpu_seconds", "wall_seconds", "peak_bytes", "loaded_bytes"}; learning the reference is no
part of it.
"""

import json
import os
import resource
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

LEAST_ROWS = 30  # the detector measured beside them judges no smaller window either
_WARM_ROWS = 2_000


@dataclass(frozen=True)
class Window:
    """`numeric`: (rows, columns) float64; `codes`: (rows, columns) int8."""

    numeric: NDArray[np.float64]
    codes: NDArray[np.int8]

    def __len__(self) -> int:
        """Rows."""
        return len(self.numeric)


@dataclass(frozen=True)
class Stream:
    """What a peer may learn from, and the windows to judge, in order."""

    numeric_names: tuple[str, ...]
    category_names: tuple[str, ...]
    categories: tuple[int, ...]
    reference: tuple[Window, ...]
    before: tuple[Window, ...]
    windows: tuple[Window, ...]


Verdicts = dict[str, bool]


@dataclass(frozen=True)
class Detector:
    """A peer that has learned its reference.

    `shaped` brings a window into the form the peer reads and is no part of what a check costs.
    """

    shaped: Callable[[Window], Any]
    check: Callable[[Any], Verdicts]


Prepare = Callable[[Stream], Detector]


def read(path: Path) -> Stream:
    """The stream that `drift_rows.write` wrote."""
    with np.load(path) as stored:
        parts = {name: stored[name] for name in stored.files}
    return Stream(
        tuple(map(str, parts["numeric_names"])),
        tuple(map(str, parts["category_names"])),
        tuple(map(int, parts["categories"])),
        *(_windows(parts, name) for name in ("reference", "before", "windows")),
    )


def pooled(windows: tuple[Window, ...], rows: int | None = None) -> Window:
    """All rows of these windows as one, or a uniform sample of `rows` of them."""
    numeric = np.concatenate([window.numeric for window in windows])
    codes = np.concatenate([window.codes for window in windows])
    if rows is None or rows >= len(numeric):
        return Window(numeric, codes)
    drawn = np.random.default_rng(0).choice(len(numeric), rows, replace=False)
    return Window(numeric[drawn], codes[drawn])


def main(library: str, prepare: Prepare) -> None:
    """Do what the command line asks and print the answers."""
    jobs = json.loads(sys.argv[1])
    _answer({"library": library, "version": version(library)})
    for number, job in enumerate(jobs):
        for place, path in enumerate(job["files"]):
            stream = read(Path(path))
            answers = [_cost(prepare, stream)] if job["measure"] == "cost" else None
            for answer in answers or _judged(prepare, stream, job):
                _answer({"job": number, "file": place, **answer})
    _answer({"done": True})


def peak_bytes() -> int:
    """The most memory this process has held.

    From /proc where there is one: what `getrusage` says of a started process is at least what its
    parent held.
    """
    status = Path("/proc/self/status")
    if status.exists():
        lines = status.read_text(encoding="utf-8").splitlines()
        kib = next(line.split()[1] for line in lines if line.startswith("VmHWM"))
        return int(kib) * 1024
    scale = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale


def _judged(prepare: Prepare, stream: Stream, job: dict[str, Any]) -> Iterator[dict[str, Any]]:
    detector, seen = prepare(stream), Verdicts()
    places = range(0, len(stream.windows), job.get("every", 1))[: job.get("most")]
    for place in places:
        window = stream.windows[place]
        if len(window) < LEAST_ROWS:
            yield {"window": place, "alarms": None}
            continue
        alarms = detector.check(detector.shaped(window))
        yield {"window": place, "alarms": alarms}
        seen = {name: alarm or seen.get(name, False) for name, alarm in alarms.items()}
        if job.get("until_alarm") and all(seen.values()):
            return


def _cost(prepare: Prepare, stream: Stream) -> dict[str, Any]:
    detector, window = prepare(stream), stream.windows[0]
    small = Window(window.numeric[:_WARM_ROWS], window.codes[:_WARM_ROWS])
    detector.check(detector.shaped(small))
    shaped = detector.shaped(window)
    loaded = resident_bytes()
    cpu, wall = time.process_time(), time.perf_counter()
    detector.check(shaped)
    return {
        "cpu_seconds": time.process_time() - cpu,
        "wall_seconds": time.perf_counter() - wall,
        "peak_bytes": peak_bytes(),
        "loaded_bytes": loaded,
    }


def resident_bytes() -> int:
    """What this process holds now."""
    statm = Path("/proc/self/statm")
    if not statm.exists():
        return peak_bytes()
    return int(statm.read_text(encoding="utf-8").split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _windows(parts: dict[str, NDArray[Any]], name: str) -> tuple[Window, ...]:
    ends = parts[f"{name}_ends"].tolist()
    numeric, codes = parts[f"{name}_numeric"], parts[f"{name}_codes"]
    starts = [0, *ends][: len(ends)]
    return tuple(
        Window(numeric[start:end], codes[start:end])
        for start, end in zip(starts, ends, strict=True)
    )


def _answer(value: dict[str, Any]) -> None:
    print(json.dumps(value), flush=True)
