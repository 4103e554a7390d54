"""Files that are refused as a whole: what the sentence must say."""

import gzip
import io
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bailiwick.core.errors import Invalid, NotFound, TooLarge, Unavailable
from bailiwick.lineage.rows import RowSpec, ingest

SPEC = RowSpec(text=("Supplier",), label="Account", date="Date")
HEADER = "Date,Supplier,Account\n"
GOOD = "2024-01-02,bp connect,Fuel\n"
INCIDENTS = Path(__file__).parents[3] / "shared" / "data" / "raw-feed-incidents"

Refuse = Callable[..., str]


@pytest.fixture
def refuse(tmp_path: Path) -> Refuse:
    """The sentence with which the content is refused; nothing may be left behind."""

    def run(content: str | bytes, kind: type[Exception] = Invalid, max_bytes: int = 1 << 22) -> str:
        source = tmp_path / "feed.csv"
        source.write_bytes(content.encode() if isinstance(content, str) else content)
        with pytest.raises(kind) as refusal:
            ingest(source, SPEC, tmp_path / "out", max_bytes=max_bytes)
        assert list((tmp_path / "out").glob("*")) == []
        return str(refusal.value)

    return run


def parquet(**columns: object) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file)
    return file.getvalue()


def test_an_empty_file_a_blank_one_and_a_lone_header_are_refused(refuse: Refuse) -> None:
    assert "empty" in refuse("")
    assert "blank lines only" in refuse("\n\n")
    assert "no rows" in refuse(HEADER)
    assert "empty" not in refuse(gzip.compress(b"", mtime=0))


@pytest.mark.parametrize("good_rows", [0, 50_000])
def test_text_in_another_encoding_is_refused_with_the_byte_and_the_cure(
    refuse: Refuse, good_rows: int
) -> None:
    before = (HEADER + GOOD * good_rows + "2024-01-02,caf").encode()
    sentence = refuse(before + b"\xe9,Food\n")
    assert f"byte {len(before):,} " in sentence
    assert "iconv -f WINDOWS-1252 -t UTF-8" in sentence
    assert "UTF-16" in refuse((HEADER + GOOD).encode("utf-16"))


def test_text_cut_inside_a_character_is_refused(refuse: Refuse) -> None:
    assert "not UTF-8" in refuse((HEADER + "2024-01-02,caf").encode() + b"\xc3")


def test_a_header_that_is_a_query_is_told_from_data_and_the_true_one_found(refuse: Refuse) -> None:
    query = '"select t.account, ' + "t.amount, " * 20 + 'from t"\nwhere t.client = 1\n\n'
    sentence = refuse(query + HEADER + GOOD)
    assert "Line 1 is not a header" in sentence
    assert "Line 4 holds" in sentence
    assert "select" not in sentence


def test_a_first_row_of_data_is_not_quoted_as_if_it_were_a_header(refuse: Refuse) -> None:
    sentence = refuse("2024-01-02,Jane Doe Plumbing,Repairs\n")
    assert "not a header" in sentence
    assert "Jane" not in sentence


def test_doubled_columns_are_named(refuse: Refuse) -> None:
    sentence = refuse("Date,Supplier,Supplier,Account,Code,Code\n")
    assert "'Supplier', 'Code' more than once" in sentence


def test_missing_columns_are_named_with_those_found_and_close_ones(refuse: Refuse) -> None:
    sentence = refuse("date,Supplier Name,Account\n")
    assert "no column 'Supplier', 'Date'" in sentence
    assert "It has 'date', 'Supplier Name', 'Account'" in sentence
    assert "'date' for 'Date'" in sentence
    assert "'Supplier Name' for 'Supplier'" in sentence


def test_another_separator_is_recognised(refuse: Refuse) -> None:
    assert "semicolons" in refuse("Date;Supplier;Account\n2024-01-02;bp;Fuel\n")
    assert "tabs" in refuse("Date\tSupplier\tAccount\n")


def test_a_second_column_named_time_is_refused(refuse: Refuse) -> None:
    assert "'time' is kept" in refuse("Date,Supplier,Account,time\n")


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"PK\x03\x04rest", "Excel"),
        (b"\xd0\xcf\x11\xe0rest", "Excel"),
        (b"\x28\xb5\x2f\xfdrest", "zstd"),
        (b"BZh91AY&SY", "bzip2"),
        (b"%PDF-1.7", "PDF"),
        (b"\0\0\0,\0\n", "NUL"),
        (gzip.compress(gzip.compress(b"x", mtime=0), mtime=0), "decompress it once"),
        (gzip.compress(parquet(a=[1]), mtime=0), "Parquet inside gzip"),
    ],
)
def test_other_kinds_of_file_are_recognised_by_content(
    refuse: Refuse, content: bytes, word: str
) -> None:
    assert word in refuse(content)


def test_random_bytes_are_refused(refuse: Refuse) -> None:
    assert len(refuse(b"\x01" + b"".join(sha256(bytes([i])).digest() for i in range(200)))) > 20


def test_truncated_and_damaged_gzip_is_refused(refuse: Refuse) -> None:
    rows = "".join(
        f"2024-01-02,{sha256(bytes([i % 251, i % 7])).hexdigest()},Fuel\n" for i in range(5_000)
    )
    whole = gzip.compress((HEADER + rows).encode())
    assert "cut short" in refuse(whole[:-10])
    assert "cut short" in refuse(whole[: len(whole) // 2])
    assert "damaged" in refuse(whole[:-8] + b"\0" * 8)
    assert "damaged" in refuse(whole + b"tail")


def test_a_gzip_bomb_stops_at_the_limit(refuse: Refuse) -> None:
    bomb = gzip.compress((HEADER + GOOD * 400_000).encode())
    assert len(bomb) < 1 << 16
    assert "1,000,000 bytes" in refuse(bomb, TooLarge, max_bytes=1_000_000)
    assert "line is longer" in refuse(gzip.compress(b"a" * (20 << 20)), max_bytes=1 << 30)


def test_a_file_over_the_limit_is_refused_unread(refuse: Refuse) -> None:
    assert "limit" in refuse(HEADER + GOOD * 100, TooLarge, max_bytes=1_000)


def test_a_field_without_end_is_refused(refuse: Refuse) -> None:
    assert "line 2 never ends" in refuse(HEADER + '2024-01-02,"' + GOOD * 8_000)


def test_damaged_parquet_is_refused(refuse: Refuse) -> None:
    good = parquet(Date=["2024-01-02"] * 900, Supplier=["bp"] * 900, Account=["Fuel"] * 900)
    assert "damaged" in refuse(good[:-20])
    assert "damaged" in refuse(b"PAR1")
    assert "damaged" in refuse(good[:8] + b"\xff" * 60 + good[68:])


def test_unusable_parquet_columns_are_named_with_their_types(refuse: Refuse) -> None:
    sentence = refuse(parquet(Date=["2024-01-02"], Supplier=[["bp"]], Account=[b"x"]))
    assert "'Supplier' (list" in sentence
    assert "'Account' (binary)" in sentence
    assert "no rows" in refuse(parquet(Date=pa.array([], pa.string())))


def test_parquet_is_bounded_by_what_it_unpacks_to(refuse: Refuse) -> None:
    many = 200_000
    small = parquet(Date=["2024-01-02"] * many, Supplier=["b" * 99] * many, Account=["F"] * many)
    assert len(small) < 1 << 16
    refuse(small, TooLarge, max_bytes=1_000_000)


def test_too_many_bad_rows_refuse_the_file_with_the_first_five(refuse: Refuse) -> None:
    sentence = refuse(HEADER + GOOD * 50 + "?,secret,Fuel\n" * 6)
    assert "6 of 56 rows" in sentence
    assert "line 52: date not understood" in sentence
    assert sentence.count("line ") == 5
    assert "secret" not in sentence
    assert "Every row" in refuse(HEADER + "?,bp,Fuel\n")


def test_a_month_first_file_is_refused_even_if_bad_rows_are_allowed(tmp_path: Path) -> None:
    source = tmp_path / "feed"
    source.write_text(HEADER + "".join(f"01/{day:02}/2024,bp,Fuel\n" for day in range(1, 29)))
    with pytest.raises(Invalid, match="other order of day and month"):
        ingest(source, SPEC, tmp_path / "out", max_bytes=1 << 20, max_rejected_ratio=1.0)


def test_a_missing_file_and_a_folder_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no file nowhere"):
        ingest(tmp_path / "nowhere", SPEC, tmp_path / "out", max_bytes=1)
    with pytest.raises(Invalid, match="not a file"):
        ingest(tmp_path, SPEC, tmp_path / "out", max_bytes=1)


@pytest.mark.parametrize(
    ("text", "label"), [((), "Account"), (("Date",), "Account"), (("Supplier",), "")]
)
def test_a_spec_must_name_different_columns(text: tuple[str, ...], label: str) -> None:
    with pytest.raises(Invalid, match="each different"):
        RowSpec(text=text, label=label, date="Date")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_told_and_nothing_is_left(tmp_path: Path) -> None:
    source = tmp_path / "feed"
    source.write_text(HEADER + GOOD + "no date\n")
    into = tmp_path / "out"
    into.mkdir()
    (into / ".rejected.ndjson.part").symlink_to("/dev/full")
    with pytest.raises(Unavailable, match="No space left"):
        ingest(source, SPEC, into, max_bytes=1 << 20, max_rejected_ratio=1.0)
    assert list(into.iterdir()) == []


needs_incidents = pytest.mark.skipif(
    not INCIDENTS.exists(), reason="the real defective feeds are not beside the repository"
)
HARROGATE = RowSpec(("Supplier Name", "Narrative"), "Expenditure Code", "Payment Date")


@needs_incidents
def test_the_darlington_feed_with_a_query_for_a_header_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        Invalid, match=r"Line 1 is not a header.*Line 19 holds 'Account', 'Supplier'"
    ):
        ingest(
            INCIDENTS / "darlington_sql_header_2013-02.csv.gz", SPEC, tmp_path, max_bytes=1 << 24
        )


@needs_incidents
def test_the_harrogate_feed_with_doubled_columns_is_refused(tmp_path: Path) -> None:
    doubled = "'Expenditure Code', 'Supplier Name' more than once"
    with pytest.raises(Invalid, match=doubled):
        ingest(
            INCIDENTS / "harrogate_2021-09-supplier-spend.csv.gz",
            HARROGATE,
            tmp_path,
            max_bytes=1 << 24,
        )


@needs_incidents
@pytest.mark.parametrize(
    ("name", "rows", "month"),
    [
        ("harrogate_2021-08.csv.gz", 2_321, 8),
        ("harrogate_2021-10-Harrogate-Borough-Council.csv.gz", 1_200, 10),
    ],
)
def test_the_harrogate_feeds_beside_it_are_read(
    tmp_path: Path, name: str, rows: int, month: int
) -> None:
    ingested = ingest(INCIDENTS / name, HARROGATE, tmp_path, max_bytes=1 << 24)
    assert ingested.rows + ingested.rejected == rows
    assert ingested.first_time >= datetime(2021, month, 1, tzinfo=UTC)
