"""Small dated files for backtests, and models trained in the test's own process."""

import csv
import random
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from bailiwick.lifecycle.backtest import Stream, Unit, open_stream, refits
from bailiwick.lineage.rows import RowSpec
from bailiwick.training import Recipe
from bailiwick.training.refits import serve

SPEC = RowSpec(("merchant",), "category", "date")
KINDS = ("Fuel", "Food", "Books", "Rail")


def purchases(months: int, *, rows: int = 90, seed: int = 0) -> list[tuple[str, str, str]]:
    """Dated merchants with a category each; every month a fifth of the merchants is new.

    One merchant in five changes its category in the fourth month.
    """
    chance = random.Random(seed)  # noqa: S311 - a test's chance, not a secret
    result = []
    for month in range(months):
        start = date(2023, 1, 1).replace(year=2023 + month // 12, month=month % 12 + 1)
        for _ in range(rows):
            shop = chance.randrange(5 * month, 5 * month + 25)
            kind = KINDS[(shop + (month >= 3 and shop % 5 == 0)) % 4]
            day = start + timedelta(days=chance.randrange(28))
            result.append((str(day), f"shop {shop:03d} {shop * 7919 % 1000}", kind))
    return sorted(result, key=lambda row: row[0])


def written(path: Path, content: list[tuple[str, str, str]]) -> Path:
    """`content` as a CSV file."""
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("date", "merchant", "category"), *content])
    return path


def stream_of(folder: Path, content: list[tuple[str, str, str]], unit: Unit = Unit.MONTH) -> Stream:
    """`content` as a stream, with its files in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    source = written(folder / "purchases.csv", content)
    return open_stream(source, SPEC, unit, folder, max_bytes=10**8)[0]


class InProcess(refits._Child):
    """Answers from this process, so that a test need not start another; counts what it trains."""

    asked: list[dict[str, Any]]

    def __init__(self, stream: Stream, recipe: Recipe, seed: int, folder: Path) -> None:
        super().__init__(stream, recipe, seed, folder)
        self._requests: SimpleQueue[str] = SimpleQueue()
        self._answers: Iterator[dict[str, Any]] | None = None

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """The answer to one request."""
        if self._answers is None:
            self._answers = serve(self._spec, iter(self._requests.get, ""))
        self.asked.append(request)
        self._requests.put(refits.json.dumps(request))
        return next(self._answers)
