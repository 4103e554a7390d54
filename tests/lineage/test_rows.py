"""Rows that are accepted, rows that are set aside, and the digest of what was accepted."""

import doctest
import gzip
import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bailiwick.core.canonical import digest_of
from bailiwick.core.errors import BailiwickError
from bailiwick.lineage import dates, rows
from bailiwick.lineage.quarantine import Reason, RejectedRow
from bailiwick.lineage.rows import Ingested, RowSpec, compose_text, ingest

SPEC = RowSpec(text=("merchant", "cost_centre"), label="category", date="date")
HEADER = "date,merchant,cost_centre,category,amount\n"
GOOD = "2024-01-02,bp connect,Fleet,Fuel,10.50\n"

Read = Callable[..., Ingested]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Ingests text or bytes as the file `feed` with every rejected row allowed."""

    def run(
        content: str | bytes, spec: RowSpec = SPEC, not_after: datetime | None = None
    ) -> Ingested:
        source = tmp_path / "feed"
        source.write_bytes(content.encode() if isinstance(content, str) else content)
        return ingest(
            source,
            spec,
            tmp_path / "out",
            max_bytes=1 << 20,
            max_rejected_ratio=1.0,
            not_after=not_after,
        )

    return run


def set_aside(ingested: Ingested) -> list[tuple[int, str]]:
    lines = ingested.rejected_path.read_text(encoding="utf-8").splitlines()
    return [(record["line"], record["reason"]) for record in map(json.loads, lines)]


def test_doctests_hold() -> None:
    for module in (rows, dates):
        assert doctest.testmod(module).failed == 0
        assert doctest.testmod(module).attempted > 0


def test_accepted_rows_become_time_text_label_and_the_rest_as_strings(read: Read) -> None:
    ingested = read(
        HEADER + '2024-01-02T03:04:05+01:00, bp  connect ,"Fleet, North", Fuel  oil ,\n'
    )
    table = pq.read_table(ingested.accepted_path)
    assert table.to_pylist() == [
        {
            "time": datetime(2024, 1, 2, 2, 4, 5, tzinfo=UTC),
            "merchant": " bp  connect ",
            "cost_centre": "Fleet, North",
            "category": "Fuel oil",
            "amount": "",
        }
    ]
    assert str(table.schema.field("time").type) == "timestamp[us, tz=UTC]"
    assert ingested.columns == ("time", "merchant", "cost_centre", "category", "amount")
    assert ingested.schema[-1] == {"name": "amount", "type": "string", "nulls": 1}


def test_counts_first_and_last_time_labels_and_duplicates_are_told(read: Read) -> None:
    ingested = read(HEADER + GOOD + "01/12/2023,tesco,Care,Food,1\n" + GOOD)
    assert (ingested.rows, ingested.rejected, ingested.duplicates, ingested.labels) == (3, 0, 1, 2)
    assert ingested.first_time == datetime(2023, 12, 1, tzinfo=UTC)
    assert ingested.last_time == datetime(2024, 1, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("2024-01-02,bp,Fleet,Fuel\n", Reason.FIELDS),
        ("2024-01-02,bp,Fleet,Fuel,1,2\n", Reason.FIELDS),
        ("2024-01-02,b\0p,Fleet,Fuel,1\n", Reason.NUL),
        (f"2024-01-02,{'b' * 10_001},Fleet,Fuel,1\n", Reason.LONG),
        (",bp,Fleet,Fuel,1\n", Reason.DATE_MISSING),
        ("45293,bp,Fleet,Fuel,1\n", Reason.DATE_UNREADABLE),
        ("2024-02-30,bp,Fleet,Fuel,1\n", Reason.DATE_UNREADABLE),
        ("31/02/2024,bp,Fleet,Fuel,1\n", Reason.DATE_UNREADABLE),
        ("0024-01-02,bp,Fleet,Fuel,1\n", Reason.DATE_OUT_OF_RANGE),
        ("2025-01-01,bp,Fleet,Fuel,1\n", Reason.DATE_FUTURE),
        ("2024-01-02,bp,Fleet,  ,1\n", Reason.LABEL),
        ("2024-01-02, ,,Fuel,1\n", Reason.TEXT),
        ('2024-01-02,"bp" connect,Fleet,Fuel,1\n', Reason.QUOTES),
    ],
)
def test_a_faulty_row_is_set_aside_with_its_line_and_reason(
    read: Read, row: str, reason: Reason
) -> None:
    ingested = read(HEADER + GOOD + row + GOOD, not_after=datetime(2024, 12, 31, tzinfo=UTC))
    assert set_aside(ingested) == [(3, reason)]
    assert (ingested.rows, ingested.rejected, ingested.reasons) == (2, 1, {reason: 1})


def test_a_wrongly_ordered_date_among_many_good_ones_is_one_bad_row(read: Read) -> None:
    ingested = read(HEADER + GOOD * 30 + "12/31/2024,bp,Fleet,Fuel,1\n")
    assert set_aside(ingested) == [(32, Reason.DATE_ORDER)]


def test_a_file_may_be_declared_month_first(read: Read) -> None:
    spec = RowSpec(SPEC.text, SPEC.label, SPEC.date, slashed_dates="month-first")
    ingested = read(HEADER + "12/31/2024 10:30,bp,Fleet,Fuel,1\n", spec)
    assert ingested.first_time == datetime(2024, 12, 31, 10, 30, tzinfo=UTC)


def test_line_numbers_count_physical_lines_through_quoted_line_ends(read: Read) -> None:
    two_lines = '2024-01-02,"bp\nconnect",Fleet,Fuel,1\n'
    ingested = read(HEADER + two_lines + "\n" + "nonsense\n" + GOOD)
    assert set_aside(ingested) == [(5, Reason.FIELDS)]


def test_a_quote_never_closed_keeps_aside_what_it_swallowed(read: Read) -> None:
    ingested = read(HEADER + GOOD + '2024-01-02,"bp,Fleet,Fuel,1\n' + GOOD)
    assert set_aside(ingested) == [(3, Reason.QUOTES)]
    assert json.loads(ingested.rejected_path.read_text())["raw"][1] == GOOD


@pytest.mark.parametrize("line_end", ["\r\n", "\r"])
def test_other_line_ends_and_a_byte_order_mark_are_accepted(read: Read, line_end: str) -> None:
    ingested = read("\ufeff" + (HEADER + GOOD).replace("\n", line_end))
    assert (ingested.rows, ingested.rejected) == (1, 0)


def test_the_raw_row_is_kept_in_the_quarantine_file_and_nowhere_else(read: Read) -> None:
    ingested = read(HEADER + GOOD + "2024-01-02,secret name,Fleet,,1\n")
    assert "secret name" in ingested.rejected_path.read_text()
    assert "secret" not in repr(ingested)
    assert "secret" not in repr(RejectedRow(1, Reason.LABEL, ["secret"]))


def test_csv_gzip_and_parquet_of_the_same_rows_have_one_content_digest(
    read: Read, tmp_path: Path
) -> None:
    text = HEADER + GOOD + "2024-01-03,bücher & co,Library,Books,3.00\n"
    plain, zipped = read(text), read(gzip.compress(text.encode()))
    again = tmp_path / "again"
    columns = [line.split(",") for line in text.splitlines()]
    table = pa.table(dict(zip(columns[0], zip(*columns[1:], strict=True), strict=True)))
    pq.write_table(table, again)
    parquet = read(again.read_bytes())
    assert plain.content_digest == zipped.content_digest == parquet.content_digest
    assert len({plain.source_digest, zipped.source_digest, parquet.source_digest}) == 3
    assert read(text.replace("3.00", "3.01")).content_digest != plain.content_digest


def test_the_content_digest_is_that_of_the_rfc_8785_form_across_batches(
    read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bailiwick.lineage.canonical_rows._BATCH_ROWS", 2)
    ingested = read(HEADER + GOOD * 3 + '2024-01-02,"a\t""ü\x1f\x7f\u2028/",Fleet,Fuel,1\n')
    table = pq.read_table(ingested.accepted_path)
    times = table["time"].cast(pa.int64()).to_pylist()
    strings = zip(*(table[name].to_pylist() for name in table.column_names[1:]), strict=True)
    body = [[time, *row] for time, row in zip(times, strings, strict=True)]
    assert ingested.content_digest == digest_of([list(ingested.columns), *body])


def test_parquet_values_of_other_types_become_text(read: Read, tmp_path: Path) -> None:
    table = pa.table(
        {
            "date": [date(2024, 1, 2), None],
            "merchant": pa.array(["bp", "x"]).dictionary_encode(),
            "cost_centre": [17, None],
            "category": ["Fuel", "Food"],
            "amount": [Decimal("1.50"), None],
        }
    )
    pq.write_table(table, tmp_path / "typed")
    ingested = read((tmp_path / "typed").read_bytes())
    assert set_aside(ingested) == [(2, Reason.DATE_MISSING)]
    row = pq.read_table(ingested.accepted_path).to_pylist()[0]
    assert (row["cost_centre"], row["amount"]) == ("17", "1.50")


@given(st.lists(st.text(), min_size=1, max_size=4))
def test_composed_text_is_stable_under_white_space_and_keeps_places(values: list[str]) -> None:
    names = [str(place) for place in range(len(values))]
    text = compose_text(dict(zip(names, values, strict=True)), names)
    padded = {name: f"  {value}\t" for name, value in zip(names, values, strict=True)}
    assert compose_text(padded, names) == text
    if not any("|" in value for value in values):
        assert len(text.split("|")) == len(values)


CELLS = st.one_of(
    st.sampled_from(["2024-01-02", "31/12/2023", "12/31/2023", "Fuel", "", '"', '"a\nb"', "\0"]),
    st.text(max_size=5),
)
LINES = st.lists(st.lists(CELLS, min_size=1, max_size=6).map(",".join), max_size=8)
FILES = st.one_of(
    st.binary(max_size=200),
    st.binary(max_size=100).map(lambda tail: HEADER.encode() + GOOD.encode() + tail),
    LINES.map(lambda lines: (HEADER + "\n".join(lines)).encode()),
    LINES.map(lambda lines: gzip.compress((HEADER + "\n".join(lines)).encode())),
)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(content=FILES)
def test_whatever_bytes_come_they_are_sorted_completely_or_refused(
    content: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("fuzz")
    source = folder / "feed"
    source.write_bytes(content)
    outcome = attempt(source, folder / "out")
    if isinstance(outcome, BailiwickError):
        assert len(outcome.message) > 20
        assert list((folder / "out").glob("*")) == []
    else:
        assert pq.read_metadata(outcome.accepted_path).num_rows == outcome.rows > 0
        assert len(set_aside(outcome)) == outcome.rejected == sum(outcome.reasons.values())


def attempt(source: Path, into: Path) -> Ingested | BailiwickError:
    try:
        return ingest(source, SPEC, into, max_bytes=4096, max_rejected_ratio=1.0)
    except BailiwickError as error:
        return error


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(kinds=st.lists(st.sampled_from(["good", "short", "undated", "unlabelled", "split"])))
def test_accepted_and_rejected_rows_are_all_the_rows(
    kinds: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    lines = {
        "good": GOOD,
        "short": "2024-01-02\n",
        "undated": "?,bp,Fleet,Fuel,1\n",
        "unlabelled": "2024-01-02,bp,Fleet,,1\n",
        "split": '2024-01-02,"b\n\np",Fleet,Fuel,1\n',
    }
    folder = tmp_path_factory.mktemp("mix")
    (folder / "feed").write_text(HEADER + GOOD + "".join(lines[kind] for kind in kinds))
    ingested = ingest(
        folder / "feed", SPEC, folder / "out", max_bytes=1 << 20, max_rejected_ratio=1.0
    )
    assert ingested.rows == 1 + kinds.count("good") + kinds.count("split")
    assert ingested.rows + ingested.rejected == 1 + len(kinds)
