"""Streams that strategies are compared on: real ones, held-out ones, shuffled and renamed ones."""

import csv
import gzip
import random
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Protocol

from bailiwick.cli.purchases import write_purchases
from bailiwick.lifecycle.backtest import (
    Outcome,
    Plan,
    Refits,
    Stream,
    Unit,
    open_stream,
    regularised,
    replay,
)
from bailiwick.lifecycle.strategies import strategy_named
from bailiwick.lineage.rows import RowSpec
from bailiwick.training import HeadRecipe

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data"
CACHE = ROOT / ".lifecycle-cache"
FILE_BYTES = 10**9
RECIPE = HeadRecipe()
PERIODS_A_YEAR = {Unit.DAY: 365, Unit.WEEK: 52, Unit.MONTH: 12, Unit.QUARTER: 4}
Record = dict[str, str]
Change = Callable[[list[Record], str], list[Record]]  # rows in order of time, their label's column


class Stored(Protocol):
    """A stream that can be read: rows in order of time, which columns are text, and the label's."""

    @property
    def text(self) -> tuple[str, ...]:
        """Columns of text."""

    @property
    def label(self) -> str:
        """The column of the label."""

    def rows(self, folder: Path) -> list[Record]:
        """Its rows, with a date; may use `folder` to work in."""


@dataclass(frozen=True, slots=True)
class Source:
    """A dated file of ../shared/data, or invented purchases by a seed; which columns are read.

    `backwards`: its last day is taken for its first.
    """

    folder: str
    text: tuple[str, ...]
    label: str = "category"
    since: str = ""
    until: str = "9"
    seed: int = 0
    backwards: bool = False

    def rows(self, folder: Path) -> list[Record]:
        """Its rows that have a text and a label, in order of time; uses `folder` to work in."""
        if self.folder == "purchases":
            path = folder / "purchases.csv"
            write_purchases(path, seed=self.seed)
            with path.open(encoding="utf-8", newline="") as file:
                return list(csv.DictReader(file))
        path = DATA / self.folder / "transactions.csv.gz"
        with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
            found = [row for row in csv.DictReader(file) if self._wants(row)]
        if self.backwards:
            found = _backwards(found)
        return sorted(found, key=lambda row: row["date"])

    def _wants(self, row: Record) -> bool:
        texts = any(row[column].strip() for column in self.text)
        return texts and bool(row[self.label]) and self.since <= row["date"] < self.until


# What rules were compared on while they were made.
SETS = {
    "birmingham": Source("birmingham-pcard", ("merchant",)),
    "harrogate": Source("harrogate-invoices", ("supplier", "unit")),
    "manchester": Source("manchester-invoices", ("supplier", "unit")),
}
# Looked at when the first rule was ready, and then to choose how much is said by age.
OTHERS = {
    "birmingham's directorates": Source("birmingham-pcard", ("merchant",), "directorate"),
    "harrogate's narratives": Source("harrogate-invoices", ("narrative",), "category_level1"),
    "manchester's units": Source("manchester-invoices", ("supplier",), "unit"),
    **{
        f"invented purchases {seed}": Source("purchases", ("merchant",), seed=seed)
        for seed in (11, 12, 13)
    },
}
# A year each, so that periods may be short; by quarter all there is.
YEARS = {
    "birmingham": replace(SETS["birmingham"], since="2015-01-01", until="2016-01-01"),
    "harrogate": replace(SETS["harrogate"], since="2018-01-01", until="2019-01-01"),
}
# Where ways of choosing rows are compared: all of it, or four years around a ledger's re-coding.
SELECTED = {
    **SETS,
    "manchester": replace(SETS["manchester"], since="2014-01-01", until="2018-01-01"),
}
RENAMED_ON = "2016-01-01"


@dataclass(frozen=True, slots=True)
class Case:
    """A stream with one delay of labels, and the models of it."""

    name: str
    unit: Unit
    plan: Plan
    learner: Refits

    def replay(self, *names: str, budget: int | None = None) -> list[Outcome]:
        """The outcomes of the named strategies."""
        strategies = [strategy_named(name, budget=budget) for name in names]
        return replay(self.plan, strategies, self.learner, lambda *_: None)

    @property
    def chances(self) -> int:
        """How often one could retrain."""
        return len(self.plan.spans) - 1 - self.plan.first_served

    @property
    def years(self) -> float:
        """How long models answer."""
        return (len(self.plan.spans) - self.plan.first_served) / PERIODS_A_YEAR[self.unit]

    def changes(self, outcome: Outcome, *, all_that_follows: bool = False) -> list[float]:
        """For each retraining: the new model's accuracy in the next period less the old one's.

        Or in all rows that follow, which says more where nothing drifts.
        """
        spans, first = self.plan.spans, self.plan.first_served
        serving = self.plan.first_model
        gains = []
        for place, result in enumerate(outcome.results):
            if not result.retrained:
                continue
            new, following = first + place - self.plan.label_delay, spans[first + place + 1]
            rows = (following.first, spans[-1].stop if all_that_follows else following.stop)
            if rows[0] < rows[1]:
                old, fresh = (
                    self.learner.judge(spans[one].stop, [rows])[0].accuracy
                    for one in (serving, new)
                )
                gains.append(fresh - old)
            serving = new
        return gains


def cases(
    name: str,
    source: Stored,
    *,
    delays: Sequence[int] = (0, 1),
    recipe: HeadRecipe = RECIPE,
    unit: Unit = Unit.QUARTER,
    change: Change = lambda rows, _: rows,
) -> Iterator[Case]:
    """The source, changed, with each delay."""
    with _opened(source, recipe, unit, change) as (stream, learner):
        for delay in delays:
            yield Case(name, unit, Plan(stream.spans, delay, stream.first_model()), learner)


def shuffled(rows: list[Record], label: str) -> list[Record]:
    """The same rows with their dates dealt out anew: nothing drifts."""
    del label
    dealt = rows.copy()
    random.Random(0).shuffle(dealt)  # noqa: S311 - an order, not a secret
    return [{**row, "date": old["date"]} for row, old in zip(dealt, rows, strict=True)]


def _backwards(rows: list[Record]) -> list[Record]:
    """The same rows, the newest of which is taken for the oldest."""
    days = [date.fromisoformat(row["date"]).toordinal() for row in rows]
    both = min(days) + max(days)
    return [
        {**row, "date": date.fromordinal(both - day).isoformat()}
        for row, day in zip(rows, days, strict=True)
    ]


def renamed(rows: list[Record], label: str) -> list[Record]:
    """Every second category has another name from `RENAMED_ON` on, as a new ledger gives them."""
    old = set(sorted({row[label] for row in rows})[::2])
    return [
        {**row, label: f"{row[label]} (new)"}
        if row["date"] >= RENAMED_ON and row[label] in old
        else row
        for row in rows
    ]


def read_through_taxonomy(rows: list[Record], label: str) -> list[Record]:
    """The renamed stream with its old names read as the new ones, as a taxonomy has it."""
    told = renamed(rows, label)
    new = {row[label] for row in told if row[label].endswith(" (new)")}
    return [
        {**row, label: f"{row[label]} (new)"} if f"{row[label]} (new)" in new else row
        for row in told
    ]


@contextmanager
def _opened(
    source: Stored, recipe: HeadRecipe, unit: Unit, change: Change
) -> Iterator[tuple[Stream, Refits]]:
    """A stream with its models."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        path = _written(change(source.rows(folder), source.label), source, folder / "stream.csv")
        spec = RowSpec(source.text, source.label, "date")
        stream, _ = open_stream(path, spec, unit, folder, max_bytes=FILE_BYTES)
        with Refits(
            stream, recipe, seed=0, cache=CACHE, folder=folder / "children", processes=2
        ) as learner:
            learner.recipe = regularised(learner, recipe, stream.spans[stream.first_model()])
            yield stream, learner


def _written(rows: Sequence[Record], source: Stored, path: Path) -> Path:
    columns = ("date", *source.text, source.label)
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, columns, extrasaction="ignore")
        table.writeheader()
        table.writerows(rows)
    return path
