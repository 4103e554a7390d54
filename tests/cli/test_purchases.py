"""The generator: what it promises about its bytes, its rows and its drift."""

import csv
from collections import Counter, defaultdict
from datetime import date
from itertools import chain
from pathlib import Path

import pytest

from bailiwick.cli.purchases import (
    COLUMNS,
    FIRST_DAY,
    LAST_DAY,
    NEW_CATEGORY,
    SUPPLIER_SWITCH,
    write_purchases,
)
from bailiwick.lineage.rows import RowSpec, ingest

Purchase = dict[str, str]


@pytest.fixture(scope="module")
def purchases(tmp_path_factory: pytest.TempPathFactory) -> list[Purchase]:
    path = tmp_path_factory.mktemp("purchases") / "purchases.csv"
    write_purchases(path, rows=60_000, seed=0)
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    for name, seed in (("one", 4), ("same", 4), ("other", 5)):
        write_purchases(tmp_path / name, rows=2_000, seed=seed)
    one, same, other = ((tmp_path / name).read_bytes() for name in ("one", "same", "other"))
    assert one == same
    assert one != other


@pytest.mark.parametrize("rows", [1, 500])
def test_as_many_rows_as_asked_for_are_written(tmp_path: Path, rows: int) -> None:
    write_purchases(tmp_path / "few", rows=rows)
    assert len((tmp_path / "few").read_text().splitlines()) == rows + 1


def test_rows_are_dated_in_order_and_complete(purchases: list[Purchase]) -> None:
    assert len(purchases) == 60_000
    assert tuple(purchases[0]) == COLUMNS
    dates = [date.fromisoformat(purchase["date"]) for purchase in purchases]
    assert dates == sorted(dates)
    assert dates[0] >= FIRST_DAY
    assert dates[-1] <= LAST_DAY
    assert all(all(purchase.values()) for purchase in purchases)
    assert min(float(purchase["amount_gbp"]) for purchase in purchases) > 0


def test_every_row_passes_the_platform_s_own_door(tmp_path: Path) -> None:
    write_purchases(tmp_path / "purchases.csv", rows=3_000)
    spec = RowSpec(("merchant", "cost_centre"), "category", "date")
    ingested = ingest(tmp_path / "purchases.csv", spec, tmp_path / "out", max_bytes=1 << 24)
    assert (ingested.rows, ingested.rejected) == (3_000, 0)


def test_the_new_ledger_code_opens_on_its_date(purchases: list[Purchase]) -> None:
    opened = SUPPLIER_SWITCH.isoformat()
    before = [p for p in purchases if p["date"] < opened]
    after = [p for p in purchases if p["date"] >= opened]
    assert NEW_CATEGORY not in {p["category"] for p in before}
    assert sum(p["category"] == NEW_CATEGORY for p in after) > 0.02 * len(after)
    assert len({p["category"] for p in purchases}) == 27


def by_quarter(purchases: list[Purchase]) -> list[list[Purchase]]:
    quarters: dict[tuple[int, int], list[Purchase]] = defaultdict(list)
    for purchase in purchases:
        year, month = int(purchase["date"][:4]), int(purchase["date"][5:7])
        quarters[year, (month - 1) // 3].append(purchase)
    return [quarters[key] for key in sorted(quarters)]


def memory_accuracy(learned: list[Purchase], asked: list[Purchase]) -> float:
    """Accuracy of a naive Bayes memory of the words of merchant and cost centre."""
    words: dict[str, Counter[str]] = defaultdict(Counter)
    shares = Counter(purchase["category"] for purchase in learned)
    for purchase in learned:
        for word in (*purchase["merchant"].split(), purchase["cost_centre"]):
            words[word][purchase["category"]] += 1
    right = 0
    for purchase in asked:
        scores: dict[str, float] = {name: count / len(learned) for name, count in shares.items()}
        for word in (*purchase["merchant"].split(), purchase["cost_centre"]):
            if word in words:
                for name, count in shares.items():
                    scores[name] *= (words[word][name] + 0.1) / (count + 30)
        right += max(scores, key=scores.__getitem__) == purchase["category"]
    return right / len(asked)


def test_a_frozen_memory_decays_and_a_renewed_one_does_not(purchases: list[Purchase]) -> None:
    quarters = by_quarter(purchases)
    frozen = list(chain(*quarters[:3]))
    next_quarter = memory_accuracy(frozen, quarters[3][:1_500])
    last_quarter = memory_accuracy(frozen, quarters[-1][:1_500])
    renewed = memory_accuracy(list(chain(*quarters[-4:-1])), quarters[-1][:1_500])
    assert 0.72 < next_quarter < 0.90
    assert last_quarter < 0.60
    assert 0.72 < renewed < 0.92
