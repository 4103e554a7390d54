"""Precision, recall and speed of the recognisers of personal data, and of a whole scan.

On the 2,109 synthetic texts of presidio-research (`../shared/data/presidio-pii`), beside
Presidio's own recognisers where `presidio-analyzer` is installed. Presidio has no model here, so
only its patterns take part; it finds no names, either. How often something is found where nothing
should be is counted on customers' questions (`../shared/data/banking77`), and a scan is timed on
a million generated rows.

A gold span is recalled, and a find is right, if they overlap and are of one kind; in the
columns `exact` they must have the same start and end.

    python benchmarks/personal_data.py
"""

import csv
import gzip
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from report import publish

from bailiwick.lineage.recognisers import IMPERSONAL, find
from bailiwick.lineage.recognisers.presidio import second_opinion
from bailiwick.lineage.scanning import scan

SHARED = Path(__file__).parents[2] / "shared" / "data"
DATA = SHARED / "presidio-pii" / "generated_large.json.gz"
QUESTIONS = SHARED / "banking77" / "train.csv"
# The data know fewer kinds than the recognisers: a ZIP code is part of an address there.
KINDS = {
    "URL": "DOMAIN_NAME",
    "DATE_OF_BIRTH": "DATE_TIME",
    "POSTCODE": "ADDRESS",
}
ROUNDS = 3
SCANNED_ROWS, BATCH_ROWS = 1_000_000, 8_192

Found = tuple[int, int, str]
Finder = Callable[[str], Iterable[Found]]


@dataclass(frozen=True, slots=True)
class Counts:
    """What was right, by kind."""

    gold: Counter[str]
    found: Counter[str]
    recalled: Counter[str]
    right: Counter[str]
    exact: Counter[str]


def ours(text: str) -> Iterable[Found]:
    """The platform's recognisers."""
    return [(span.start, span.end, span.entity) for span in find(text)]


def texts() -> list[tuple[str, list[Found]]]:
    """Texts with the spans that are in them."""
    if not DATA.exists():
        sys.exit(f"the labelled texts are not there: {DATA.name} belongs into {DATA.parent}")
    with gzip.open(DATA, "rt", encoding="utf-8") as file:
        rows: list[dict[str, Any]] = json.load(file)
    places = ("start_position", "end_position", "entity_type")
    return [
        (row["full_text"], [tuple(span[place] for place in places) for span in row["spans"]])
        for row in rows
    ]


def counted(rows: Sequence[tuple[str, list[Found]]], finder: Finder) -> Counts:
    """Compare what is found with what is there."""
    counts = Counts(Counter(), Counter(), Counter(), Counter(), Counter())
    for text, gold in rows:
        found = [(start, end, KINDS.get(kind, kind)) for start, end, kind in finder(text)]
        counts.gold.update(kind for _, _, kind in gold)
        counts.found.update(kind for _, _, kind in found)
        counts.recalled.update(one[2] for one in gold if any(map(touching(one), found)))
        counts.right.update(one[2] for one in found if any(map(touching(one), gold)))
        counts.exact.update(one[2] for one in set(found) & set(gold))
    return counts


def touching(one: Found) -> Callable[[Found], bool]:
    """Whether another span is of the same kind and shares a character."""
    start, end, kind = one
    return lambda other: other[2] == kind and other[0] < end and start < other[1]


def table(name: str, counts: Counts) -> list[dict[str, Any]]:
    """A row for each kind that is in the data or was found."""
    kinds = sorted(counts.gold | counts.found, key=lambda kind: (-counts.gold[kind], kind))
    return [
        {
            "recognisers": name,
            "entity": kind,
            "in the data": counts.gold[kind],
            "found": counts.found[kind],
            **scores(
                counts.right[kind], counts.found[kind], counts.recalled[kind], counts.gold[kind]
            ),
            "exact precision": ratio(counts.exact[kind], counts.found[kind]),
            "exact recall": ratio(counts.exact[kind], counts.gold[kind]),
        }
        for kind in kinds
    ]


def scores(right: int, found: int, recalled: int, gold: int) -> dict[str, Any]:
    """Precision, recall and their harmonic mean, by overlap."""
    precision, recall = ratio(right, found), ratio(recalled, gold)
    both = (precision or 0.0) + (recall or 0.0)
    f1 = 2 * (precision or 0.0) * (recall or 0.0) / both if both else 0.0
    return {"precision": precision, "recall": recall, "F1": f1}


def ratio(part: int, whole: int) -> float | None:
    """A share; None of nothing."""
    return part / whole if whole else None


def speed(rows: Sequence[tuple[str, list[Found]]], finder: Finder) -> dict[str, float]:
    """Texts and megabytes of UTF-8 a CPU-second, the best of some rounds."""
    seconds = []
    for _ in range(ROUNDS):
        before = time.process_time()
        for text, _ in rows:
            finder(text)
        seconds.append(time.process_time() - before)
    size = sum(len(text.encode()) for text, _ in rows)
    return {"texts/CPU-s": len(rows) / min(seconds), "MB/CPU-s": size / 1e6 / min(seconds)}


def false_alarms() -> dict[str, Any]:
    """Finds of personal data in customers' questions, in which there is none."""
    if not QUESTIONS.exists():
        return {}
    with QUESTIONS.open(encoding="utf-8", newline="") as file:
        questions = [row[0] for row in csv.reader(file)][1:]
    found = Counter(
        str(span.entity)
        for question in questions
        for span in find(question)
        if span.entity not in IMPERSONAL
    )
    return {
        f"found in {len(questions):,} questions without personal data": dict(found) or "nothing"
    }


def whole_scan(folder: Path) -> dict[str, Any]:
    """A scan of a million rows in six columns, as ingestion stores them."""
    rows = folder / "rows.parquet"
    _write_rows(rows)
    pool = pa.default_memory_pool()
    wall, cpu = time.perf_counter(), time.process_time()
    found = scan(rows)
    return {
        "scanned, rows": found.rows,
        "scanned, rows looked at": found.sampled_rows,
        "scan, seconds": round(time.perf_counter() - wall, 2),
        "scan, CPU-seconds": round(time.process_time() - cpu, 2),
        "scan, peak of Arrow's memory in MB": round(pool.max_memory() / 1e6, 1),
        "scan, marks proposed": sum(tally.is_evident for tally in found.tallies),
    }


def _write_rows(path: Path) -> None:
    chance = np.random.default_rng(0)
    words = np.array(
        [
            "the",
            "customer",
            "called",
            "about",
            "an",
            "invoice",
            "and",
            "asked",
            "for",
            "her",
            "money",
            "back",
        ]
    )
    names = ("note", "customer", "email", "category", "amount", "place")
    schema = pa.schema([(name, pa.string()) for name in names])
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for first in range(0, SCANNED_ROWS, BATCH_ROWS):
            numbers = range(first, min(first + BATCH_ROWS, SCANNED_ROWS))
            drawn = chance.choice(words, (len(numbers), 12))
            columns: list[list[str]] = [
                [" ".join(row) for row in drawn],
                [f"C{number:07}" for number in numbers],
                [f"u{number * 7919 % 10**9}@example.org" for number in numbers],
                [("Fuel", "Travel", "Food")[number % 3] for number in numbers],
                [f"{number % 9973 / 7:.2f}" for number in numbers],
                [f"{number % 211} Station Road" for number in numbers],
            ]
            arrays = [pa.array(column, pa.string()) for column in columns]
            writer.write_batch(pa.record_batch(arrays, schema=schema))


def main() -> None:
    """Measure and print."""
    rows = texts()
    finders: dict[str, Finder] = {"bailiwick": ours}
    presidio = second_opinion()
    if presidio is not None:
        finders["presidio patterns"] = lambda text: [
            (span.start, span.end, span.entity) for span in presidio.find(text)
        ]
    figures, summary = [], dict[str, Any]()
    for name, finder in finders.items():
        figures += table(name, counted(rows, finder))
        summary |= {f"{name}, {unit}": round(of, 3) for unit, of in speed(rows, finder).items()}
    summary |= false_alarms()
    with tempfile.TemporaryDirectory() as folder:
        summary |= whole_scan(Path(folder))
    publish("personal_data", figures, summary)


if __name__ == "__main__":
    main()
