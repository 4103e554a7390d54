"""Our side of the cost, in a process as fresh as the peers': summarise a window, or check one.

    python bailiwick_stored.py '{"measure": "summarise", "file": "0.npz", "folder": "stored"}'
    python bailiwick_stored.py '{"measure": "check", "folder": "stored"}'

The folder holds `baseline.json`, `state.json` and, once summarised, `summary`. A check begins with
these bytes and ends with the judgement and the new state's JSON: nothing is kept in memory for it.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import pyarrow as pa
from answering import Stream, peak_bytes, read, resident_bytes

from bailiwick.monitoring.baselines import Baseline
from bailiwick.monitoring.eprocess import DetectorState, Sensitivity, detector, step
from bailiwick.monitoring.summaries import from_bytes, summarize, to_bytes

CHECKS = 100


def main() -> None:
    """Do what the command line asks and print one line of JSON."""
    job = json.loads(sys.argv[1])
    folder, loaded = Path(job["folder"]), resident_bytes()
    if job["measure"] == "summarise":
        answer = summarise(read(Path(job["file"])), folder)
    else:
        answer = check(folder)
    print(json.dumps({**answer, "peak_bytes": peak_bytes(), "loaded_bytes": loaded}))


def summarise(stream: Stream, folder: Path) -> dict[str, Any]:
    """Store the window's summary; CPU of making it from floats and Arrow strings."""
    baseline = _baseline(folder)
    window = stream.windows[0]
    numeric = dict(zip(stream.numeric_names, window.numeric.T, strict=True))
    coded = {
        name: pa.DictionaryArray.from_arrays(
            window.codes[:, place], [f"{name} {code}" for code in range(stream.categories[place])]
        )
        for place, name in enumerate(stream.category_names)
    }
    plain = {name: column.cast(pa.string()) for name, column in coded.items()}
    seconds = _seconds(lambda: summarize(baseline.layout, {**numeric, **plain}))
    summary = summarize(baseline.layout, {**numeric, **plain})
    (folder / "summary").write_bytes(to_bytes(summary))
    return {"cpu_seconds": seconds, "summary_bytes": len(to_bytes(summary))}


def check(folder: Path) -> dict[str, Any]:
    """Median CPU and wall time of a check from stored bytes, and of its part after loading."""

    def load() -> tuple[Any, ...]:
        baseline = _baseline(folder)
        ready = detector(
            baseline.model, baseline.contrasts, baseline.pairs, Sensitivity(), window_hours=1
        )
        state = DetectorState.from_json(json.loads((folder / "state.json").read_bytes()))
        return baseline, ready, state

    def judge(baseline: Baseline, ready: Any, state: DetectorState) -> str:
        x, counted = baseline.observe(from_bytes((folder / "summary").read_bytes()))
        after, _ = step(ready, state, baseline.design([baseline.end])[0], x, counted)
        return json.dumps(after.to_json())

    loaded = load()
    whole, walls, parts = [], [], []
    for _ in range(CHECKS):
        wall = time.perf_counter()
        whole.append(_seconds(lambda: judge(*load())))
        walls.append(time.perf_counter() - wall)
        parts.append(_seconds(lambda: judge(*loaded)))
    return {
        "cpu_seconds": median(whole),
        "wall_seconds": median(walls),
        "loaded_cpu_seconds": median(parts),
        "checks": CHECKS,
    }


def _baseline(folder: Path) -> Baseline:
    return Baseline.from_json(json.loads((folder / "baseline.json").read_bytes()))


def _seconds(work: Callable[[], object]) -> float:
    before = time.process_time()
    work()
    return time.process_time() - before


if __name__ == "__main__":
    main()
