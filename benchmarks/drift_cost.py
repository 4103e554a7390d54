"""CPU and peak memory of one check, every detector and every size in a fresh process.

Peers compare a window with 20,000 rows of reference, both in memory already. Ours begins with the
stored bytes of baseline, state and summary; making the summary is a cost of its own, shown beside.
What a check adds to memory is counted from loaded libraries for ours, and for peers from loaded
libraries and rows: their rows are not held against them. A process holds more than its check: ours
loads the whole platform, which is there anyway where checks run.
"""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from drift_bar import ADDED, CPU, OURS, PROCESS, SUMMARISING, THOUSAND, Row, absent
from drift_ours import FOUR_WEEKS, SEED
from drift_peers import SCRIPTS, Absent, Peer, ask, run
from drift_rows import REFERENCE_ROWS, Rows, write
from drift_worlds import CATEGORIES, NUMERIC, columns_of, layout_of

from bailiwick.monitoring.baselines import Window, fit_baseline
from bailiwick.monitoring.eprocess import Sensitivity, detector, fresh
from bailiwick.monitoring.summaries import summarize

SIZES = (10_000, 100_000, 1_000_000)
_MEGABYTE = 1_000_000


def window_of(path: Path, rows: int) -> Path:
    """One window of the quiet world with its reference, for every detector the same."""
    random = np.random.default_rng(SEED + rows)
    none = _drawn(random, 0)
    return write(
        path, reference=_drawn(random, REFERENCE_ROWS), before=none, windows=_drawn(random, rows)
    )


def _drawn(random: np.random.Generator, rows: int) -> Rows:
    codes = [random.choice(len(shares), rows, p=shares) for shares in CATEGORIES.values()]
    return Rows(
        random.normal(size=(rows, len(NUMERIC))),
        np.stack(codes, axis=1).astype(np.int8),
        np.array([rows] if rows else [], dtype=np.int64),
    )


def store(folder: Path) -> None:
    """A baseline of four weeks and a fresh state, as the product stores them."""
    random = np.random.default_rng(SEED)
    layout, monday = layout_of(heavy=False), datetime(2026, 1, 5, tzinfo=UTC)
    history = [
        Window(monday + timedelta(hours=hour), summarize(layout, columns_of(random, 200)))
        for hour in range(FOUR_WEEKS)
    ]
    baseline = fit_baseline(layout, history, window_hours=1)
    ready = detector(
        baseline.model, baseline.contrasts, baseline.pairs, Sensitivity(), window_hours=1
    )
    folder.mkdir()
    (folder / "baseline.json").write_text(json.dumps(baseline.to_json()), encoding="utf-8")
    (folder / "state.json").write_text(json.dumps(fresh(ready).to_json()), encoding="utf-8")


def ours(folder: Path, sizes: Sequence[int] = SIZES) -> Iterator[Row]:
    """Summarising and checking at every size, and at a thousand rows."""
    stored = folder / "stored"
    store(stored)
    for rows in (THOUSAND, *sizes):
        path = window_of(folder / f"{rows}.npz", rows)
        once = _own({"measure": "summarise", "file": str(path), "folder": str(stored)})
        kept = once["summary_bytes"]
        yield Row(
            SUMMARISING,
            OURS,
            "iid",
            rows,
            "from Arrow strings, once, at intake",
            "1 window",
            once["cpu_seconds"],
            f"{once['cpu_seconds'] * _MEGABYTE / rows:.2f} s per million rows; "
            f"kept {kept:,.0f} bytes; peak {once['peak_bytes'] / _MEGABYTE:,.0f} MB with the rows",
        )
        found = _own({"measure": "check", "folder": str(stored)})
        what, sample = "from stored bytes", f"{found['checks']:.0f} checks"
        yield Row(
            CPU,
            OURS,
            "iid",
            rows,
            what,
            sample,
            found["cpu_seconds"],
            f"{found['wall_seconds'] * 1_000:.1f} ms by the clock; "
            f"{found['loaded_cpu_seconds'] * 1_000:.2f} ms CPU once baseline and state are loaded",
        )
        yield from _memory(OURS, rows, what, sample, found, "libraries")


def theirs(peer: Peer, folder: Path, sizes: Sequence[int] = SIZES) -> Iterator[Row]:
    """The peer's check at every size; `ours` has written the windows."""
    for rows in sizes:
        try:
            answers = ask(peer, [{"measure": "cost", "files": [str(folder / f"{rows}.npz")]}])
        except Absent as reason:
            yield absent(peer.name, f"cost of {rows:,} rows", str(reason), "iid")
            continue
        (found,) = answers.lines
        what = f"{answers.library}, {REFERENCE_ROWS:,} rows of reference"
        wall = f"{found['wall_seconds']:.2f} s by the clock"
        yield Row(CPU, peer.name, "iid", rows, what, "1 check", found["cpu_seconds"], wall)
        yield from _memory(peer.name, rows, what, "1 check", found, "libraries and rows")


def _memory(
    detector: str, rows: int, what: str, sample: str, found: Mapping[str, float], counted: str
) -> Iterator[Row]:
    peak, loaded = found["peak_bytes"] / _MEGABYTE, found["loaded_bytes"] / _MEGABYTE
    since = f"above the {loaded:,.0f} MB of loaded {counted}"
    yield Row(PROCESS, detector, "iid", rows, what, sample, peak)
    yield Row(ADDED, detector, "iid", rows, what, sample, peak - loaded, since)


def _own(job: dict[str, str]) -> dict[str, float]:
    script = SCRIPTS / "bailiwick_stored.py"
    found: dict[str, float] = json.loads(run([sys.executable, script, json.dumps(job)]))
    return found
