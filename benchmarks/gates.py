"""What the gates say on three real streams: whom they let through, whom they stop, at what price.

Each quarter a head is trained on the newest 5,000 rows known by then and judged by its newest
sixth beside the standing champion, as a retraining job would; every fifteenth row of the last four
quarters is golden, and never learned from. Whether a verdict was right is then asked of the quarter
that follows, which no gate saw: the candidate's accuracy there minus the champion's.

    python benchmarks/gates.py [--quick]        (--quick: Birmingham alone)

Needs ../shared/data beside the repository.
"""

import statistics
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from bailiwick.blobs import file_digest
from bailiwick.core.resources import bundled
from bailiwick.lifecycle.gates import Evidence, Paired, Tier, load_tiers, reasons_to_reject
from bailiwick.lifecycle.selection import Marks, Selection, frame_of, split, write_frame
from bailiwick.lineage.rows import RowSpec, ingest
from bailiwick.serving.engine import Engine
from bailiwick.training import HeadRecipe, TrainingSpec
from bailiwick.training.measures.beside import answered
from bailiwick.training.run import run
from bailiwick.training.spec import FrameFile, Measures

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
SETS = {
    "birmingham": ("birmingham-pcard", ("merchant",), "directorate"),
    "harrogate": ("harrogate-invoices", ("supplier", "unit"), "unit"),
    "manchester": ("manchester-invoices", ("supplier", "unit"), "unit"),
}
GOLDEN_EVERY, MAX_ROWS, HOLDOUT = 15, 5_000, 1 / 6
MAX_BYTES, MAX_REJECTED = 1 << 33, 0.2
NOT_REQUIRED = {"reproducibility": {"not_required": "the tier does not ask for it"}}


@dataclass
class Verdicts:
    """Of the candidates of one tier: gains in the quarter that followed, by verdict."""

    passed: list[float] = field(default_factory=list)
    stopped: list[float] = field(default_factory=list)  # by further gates alone
    gates: Counter[str] = field(default_factory=Counter)  # of candidates better than the champion


def write(frame: pa.Table, path: Path) -> FrameFile:
    """A frame as a job reads it."""
    write_frame(frame, path)
    return FrameFile(path, file_digest(path))


def evidence_of(outcome: dict[str, Any]) -> Evidence:
    """What the lifecycle would make of a job's outcome."""
    holdout, champion = outcome["holdout"], outcome["champion"]
    return Evidence(
        holdout_rows=holdout["rows"],
        accuracy=holdout["accuracy"],
        macro_f1=holdout["macro_f1"],
        majority_accuracy=outcome["majority_accuracy"],
        unknown_label_rows=holdout["unknown_label_rows"],
        parameters=outcome["parameters"],
        champion_accuracy=champion["accuracy"] if champion else None,
        paired=Paired(**outcome["paired"]) if outcome["paired"] else None,
        has_champion=champion is not None,
        measured=outcome["measured"] | NOT_REQUIRED,
    )


def accuracy(artifact: Path, rows: pa.Table) -> float:
    """Of a model on rows that it never saw."""
    texts, labels = rows["text"].to_pylist(), rows["label"].to_pylist()
    return answered(Engine.load(artifact), texts, labels).accuracy


def stream(name: str, folder: Path) -> tuple[list[pa.Table], tuple[str, ...]]:
    """A set's quarters, oldest first, with the segment that is declared."""
    source, text, segment = SETS[name]
    spec = RowSpec(text, "category", "date")
    file = DATA / source / "transactions.csv.gz"
    ingested = ingest(file, spec, folder, max_bytes=MAX_BYTES, max_rejected_ratio=MAX_REJECTED)
    frame = frame_of(ingested.accepted_path, text, "category", Marks((segment,)))
    times = frame["time"].to_numpy()
    frame = frame.take(np.argsort(times, kind="stable"))
    months = np.sort(times).astype("datetime64[M]").astype(int)
    quarters = months // 3
    cuts = np.flatnonzero(np.diff(quarters)) + 1
    edges = pairwise([0, *cuts.tolist(), len(frame)])
    return [frame.slice(start, end - start) for start, end in edges], (segment,)


def judge(name: str, tier: Tier, folder: Path) -> tuple[Verdicts, list[float]]:
    """Walk a set's quarters; the verdicts, and the seconds that measuring took in each."""
    quarters, segments = stream(name, folder)
    apart = [np.arange(len(one)) % GOLDEN_EVERY == 0 for one in quarters]
    verdicts, seconds, champion = Verdicts(), [], None
    for place in range(1, len(quarters) - 1):
        newest = slice(max(0, place - 3), place + 1)
        pairs = list(zip(quarters[newest], apart[newest], strict=True))
        known = pa.concat_tables([one.filter(pa.array(~golden)) for one, golden in pairs])
        train, holdout = split([known], Selection(HOLDOUT, MAX_ROWS), seed=1)
        work = folder / f"{place}"
        work.mkdir()
        golden_rows = pa.concat_tables([one.filter(pa.array(golden)) for one, golden in pairs])
        golden = write(golden_rows, work / "golden.parquet")
        outcome = run(
            TrainingSpec(
                work_dir=work,
                train=write(train, work / "train.parquet"),
                holdout=write(holdout.slice(0, 5_000), work / "holdout.parquet"),
                recipe=HeadRecipe(),
                compare_with=champion,
                seed=17,
                measures=Measures(golden=golden, segments=segments, membership=True),
            ),
            lambda *_: None,
        )
        seconds.append(sum(one.get("seconds", 0.0) for one in outcome["measured"].values()))
        failed = {one.gate for one in reasons_to_reject(evidence_of(outcome), tier)}
        candidate = work / "artifact"
        if champion is not None and "min_gain_over_champion" not in failed:
            gain = accuracy(candidate, quarters[place + 1]) - accuracy(
                champion, quarters[place + 1]
            )
            (verdicts.stopped if failed else verdicts.passed).append(gain)
            verdicts.gates.update(failed)
        if champion is None or not failed:
            champion = candidate
    return verdicts, seconds


def said(gains: list[float]) -> str:
    """How many, and their gains in points."""
    if not gains:
        return "0"
    points = [100 * gain for gain in gains]
    return f"{len(gains)} ({statistics.mean(points):+.1f}; worst {min(points):+.1f})"


def main(arguments: list[str]) -> int:
    """Print the table; 0."""
    tiers = load_tiers(bundled("policies") / "gates.yaml")
    names = ["birmingham"] if "--quick" in arguments else list(SETS)
    print("set, tier: passed (mean gain next quarter; worst) | stopped by further gates | by which")
    for name in names:
        for tier in tiers.values():
            started = time.process_time()
            with tempfile.TemporaryDirectory() as folder:
                found, seconds = judge(name, tier, Path(folder))
            print(
                f"{name}, {tier.name}: {said(found.passed)} | {said(found.stopped)} | "
                f"{dict(found.gates)} | measuring {statistics.median(seconds):.1f} s a job, "
                f"at most {max(seconds):.1f} s; {time.process_time() - started:.0f} s of CPU",
                flush=True,
            )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
