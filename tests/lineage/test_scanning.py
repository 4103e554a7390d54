"""Sampling a file and counting what its columns hold."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bailiwick.blobs.store import CorruptBlob
from bailiwick.core.errors import Invalid
from bailiwick.lineage import scanning
from bailiwick.lineage.scanning import sample_of, scan
from bailiwick.lineage.tallies import Scan, Tally

ROWS = 400


@pytest.fixture
def parquet(tmp_path: Path) -> Callable[..., Path]:
    def write(rows_in_group: int = 1_000, **columns: Sequence[str | None]) -> Path:
        path = tmp_path / "rows.parquet"
        table = pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()})
        pq.write_table(table, path, row_group_size=rows_in_group)
        return path

    return write


def found(scanned: Scan, column: str, entity: str) -> Tally:
    (tally,) = [t for t in scanned.tallies if (t.column, t.entity) == (column, entity)]
    return tally


def proposed(scanned: Scan) -> set[tuple[str, str, str]]:
    return {(t.column, t.mark, t.entity) for t in scanned.tallies if t.is_evident}


def test_each_column_is_counted_by_what_was_found_in_it(parquet: Callable[..., Path]) -> None:
    scanned = scan(
        parquet(
            email=[f"person{n}@example.org" if n % 4 else "" for n in range(ROWS)],
            key=[f"C-{n:05}" for n in range(ROWS)],
            story=[f"customer number {n} asked us to send the parcel again" for n in range(ROWS)],
            kind=["Fuel", "Travel"] * (ROWS // 2),
        )
    )
    assert (scanned.rows, scanned.sampled_rows) == (ROWS, ROWS)
    assert scanned.sampled == {"email": 300, "key": ROWS, "story": ROWS, "kind": ROWS}
    assert found(scanned, "email", "EMAIL_ADDRESS") == Tally(
        "email", "personal-data", "EMAIL_ADDRESS", "email", 0.95, 300, 300
    )
    assert proposed(scanned) == {
        ("email", "personal-data", "EMAIL_ADDRESS"),
        ("key", "identifier", "IDENTIFIER"),
        ("story", "free-text", "FREE_TEXT"),
    }


def test_one_sure_find_is_evidence_and_a_few_weak_ones_are_not(
    parquet: Callable[..., Path],
) -> None:
    valid_by_chance = "9434765919"  # as one in eleven numbers of ten digits is
    scanned = scan(
        parquet(
            note=["nothing"] * (ROWS - 1) + ["ada@example.org"],
            order=[valid_by_chance if n % 11 == 0 else "1234567890" for n in range(ROWS)],
            patient=[valid_by_chance] * ROWS,
        )
    )
    assert found(scanned, "note", "EMAIL_ADDRESS").matched == 1
    assert not found(scanned, "order", "UK_NHS").is_evident
    assert found(scanned, "patient", "UK_NHS").is_evident


def test_likely_finds_need_one_value_in_a_hundred(parquet: Callable[..., Path]) -> None:
    address = "99 Park Avenue"
    few = scan(parquet(note=["nothing"] * (ROWS - 3) + [address] * 3))
    enough = scan(parquet(note=["nothing"] * (ROWS - 4) + [address] * 4))
    assert not found(few, "note", "ADDRESS").is_evident
    assert found(enough, "note", "ADDRESS").is_evident


def test_what_says_nothing_about_a_person_alone_is_not_personal_data(
    parquet: Callable[..., Path],
) -> None:
    assert not scan(parquet(site=["www.example.org 2024-01-01"] * ROWS)).tallies


def test_the_sample_is_the_same_each_time_and_spread_over_the_file(
    parquet: Callable[..., Path],
) -> None:
    drawn = sample_of(1_000_000, 2_000)
    assert np.array_equal(drawn, sample_of(1_000_000, 2_000))
    assert np.array_equal(drawn // 500, np.arange(2_000))
    assert len(set(drawn % 500)) > 400  # no fixed step, which a periodic file could follow
    assert sample_of(0, 10).tolist() == []
    path = parquet(7, note=[f"p{n}@example.org" if n >= 90 else "-" for n in range(100)])
    first, again = scan(path, sampled_rows=10), scan(path, sampled_rows=10)
    assert first == again
    assert (first.rows, first.sampled_rows) == (100, 10)
    assert found(first, "note", "EMAIL_ADDRESS").matched == 1


def test_long_values_are_read_in_part(
    parquet: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scanning, "MAX_VALUE_CHARACTERS", 100)
    monkeypatch.setattr(scanning, "MAX_COLUMN_CHARACTERS", 950)
    scanned = scan(parquet(note=["x" * 200 + " ada@example.org"] * 20))
    assert scanned.sampled == {"note": 10}
    assert not proposed(scanned)


def test_empty_files_and_other_columns_are_no_trouble(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    schema = pa.schema([("n", pa.int64()), ("note", pa.string()), ("x" * 201, pa.string())])
    pq.write_table(schema.empty_table(), path)
    assert scan(path) == Scan(0, 0, {"note": 0}, ())
    pq.write_table(pa.table({"n": [1, 2]}), path)
    assert scan(path).sampled == {}
    encoded = pa.array(["a@example.org", None]).dictionary_encode()
    pq.write_table(pa.table({"coded": encoded}), path)
    assert found(scan(path), "coded", "EMAIL_ADDRESS").sampled == 1


def test_a_file_that_is_no_parquet_is_refused_without_a_word_of_it(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    path.write_bytes(b"PAR1 ada@example.org PAR1")
    with pytest.raises(CorruptBlob, match="cannot be read as Parquet") as caught:
        scan(path)
    assert caught.value.__cause__ is None


def test_presidio_is_asked_only_where_it_is_installed(
    parquet: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scanning, "second_opinion", lambda: None)
    path = parquet(note=["ada@example.org"])
    with pytest.raises(Invalid, match=r"pip install .bailiwick\[scan\]"):
        scan(path, with_presidio=True)
    assert scan(path).tallies
