"""Reading bodies: JSON, NDJSON and Arrow say the same, and what is wrong is told of each record."""

import io
import json
from datetime import datetime
from typing import Any

import pyarrow as pa
import pytest

from bailiwick.core.errors import Invalid
from bailiwick.monitoring.embeddings import packed_rows
from bailiwick.monitoring.intake.arrow import BATCH_ROWS, read_arrow
from bailiwick.monitoring.intake.formats import MAX_LINE_BYTES, read_json, read_ndjson
from bailiwick.monitoring.intake.records import read_lines
from support.intake_records import FULL, record


def ndjson(*records: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(one).encode() + b"\n" for one in records)


def arrow(*records: dict[str, Any], **types: pa.DataType) -> bytes:
    rows = [one | {"at": datetime.fromisoformat(one["at"])} for one in records]
    table = pa.Table.from_pylist(rows)
    for name, kind in types.items():
        place = table.schema.get_field_index(name)
        table = table.set_column(place, name, pa.array([row.get(name) for row in rows], kind))
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def test_the_formats_say_the_same() -> None:
    bare = {name: value for name, value in FULL.items() if name != "segments"}
    odd = record(2, at="2026-01-01T02:00:00.000250+02:00", prediction="Grüße 🚃")
    lines = next(read_ndjson(io.BytesIO(ndjson(bare, odd))))
    columns = next(read_arrow(io.BytesIO(arrow(bare, odd))))
    body = read_json(json.dumps({"records": [bare, odd]}).encode())[0]
    for name in lines.columns:
        expected = list(lines.columns[name])
        assert list(columns.columns[name]) == list(body.columns[name]) == expected, name
    assert lines.columns["at"][1] - lines.columns["at"][0] == 250 - 123_457


@pytest.mark.parametrize(
    "kind", [pa.list_(pa.float64()), pa.list_(pa.float32()), pa.list_(pa.float32(), 2)]
)
def test_embeddings_come_as_lists_of_numbers(kind: pa.DataType) -> None:
    rows = [record(1, embedding=[0.5, -2.0]), record(2), record(3, embedding=[4.0, 0.25])]
    (columns,) = read_arrow(io.BytesIO(arrow(*rows, embedding=kind)))
    (lines,) = read_ndjson(io.BytesIO(ndjson(*rows)))
    assert packed_rows(columns.columns["embedding"]) == packed_rows(lines.columns["embedding"])
    assert json.loads(columns.raw(0))["embedding"] == [0.5, -2.0]


def test_embeddings_that_cannot_be_used_are_turned_away_in_either_format() -> None:
    bad: list[Any] = [[], [1.0] * 4_097, [1.0, None], [1e7]]
    rows = [record(number, embedding=one) for number, one in enumerate([[1.0], *bad])]
    body = arrow(*rows, embedding=pa.list_(pa.float64()))
    for batch in (*read_arrow(io.BytesIO(body)), *read_ndjson(io.BytesIO(ndjson(*rows)))):
        assert [fault.place for fault in batch.faults] == [1, 2, 3, 4]
        assert {fault.detail.partition(":")[0].partition("[")[0] for fault in batch.faults} == {
            "embedding"
        }


@pytest.mark.parametrize(
    "wrong",
    [
        {"language": "Danish"},
        {"entropy": -0.5},
        {"text_key": "k" * 65},
        {"form_key": ""},
        {"repetition_ratio": 1.5},
    ],
    ids=str,
)
def test_measures_out_of_bounds_are_turned_away_in_either_format(wrong: dict[str, Any]) -> None:
    rows = [record(0, **wrong), record(1)]
    for batch in (
        *read_arrow(io.BytesIO(arrow(*rows))),
        *read_ndjson(io.BytesIO(ndjson(*rows))),
    ):
        assert [fault.place for fault in batch.faults] == [0]


@pytest.mark.parametrize("line", [b"{", b"\xff", b'{"a":"\\ud800"}', b"[1]", b"null"])
def test_what_is_no_object_is_set_aside(line: bytes) -> None:
    batch = read_lines([line, json.dumps(record()).encode()], 5)
    assert [fault.place for fault in batch.faults] == [5]
    assert batch.places == [6]


def test_arrow_rows_are_judged_one_by_one() -> None:
    body = arrow(
        record(0, confidence=float("nan")),
        record(1),
        record(2, prediction="x" * 201),
        record(3, prediction="Ze\0bra"),
        record(4, confidence=-0.1),
        record(5, record_id=""),
    )
    (batch,) = read_arrow(io.BytesIO(body))
    assert list(batch.columns["record_id"]) == ["r00001"]
    assert [fault.place for fault in batch.faults] == [0, 2, 3, 4, 5]
    assert {fault.code for fault in batch.faults} == {"unfit"}
    assert json.loads(batch.raw(0))["record_id"] == "r00001"


def test_arrow_segments_may_be_maps_or_structs() -> None:
    rows = [record(1, segments={"region": "n"}), record(2, segments={"Bad one": "n"}), record(3)]
    as_map = arrow(*rows, segments=pa.map_(pa.string(), pa.string()))
    (batch,) = read_arrow(io.BytesIO(as_map))
    assert list(batch.columns["segments"]) == [{"region": "n"}, None]
    assert [(fault.place, fault.code) for fault in batch.faults] == [(1, "unfit")]
    (batch,) = read_arrow(io.BytesIO(arrow(rows[0], rows[2])))
    assert list(batch.columns["segments"]) == [{"region": "n"}, None]


def test_arrow_features_are_a_struct() -> None:
    rows = [
        record(1, features={"amount": 1.5, "supplier": "x"}),
        record(2, features={"amount": 2.0}),
    ]
    (batch,) = read_arrow(io.BytesIO(arrow(*rows)))
    assert list(batch.columns["features"]) == [{"amount": 1.5, "supplier": "x"}, {"amount": 2.0}]


def test_long_arrow_streams_come_in_pieces() -> None:
    body = arrow(*(record(number) for number in range(BATCH_ROWS + 5)))
    pieces = list(read_arrow(io.BytesIO(body)))
    assert [len(piece) for piece in pieces] == [BATCH_ROWS, 5]
    assert pieces[1].places[0] == BATCH_ROWS


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "no Arrow IPC stream"),
        (b"Zebra" * 20, "no Arrow IPC stream"),
        (arrow(record(1))[:-300], "no Arrow IPC stream"),
        (arrow(record(1, zebra="x")), "no field of a record"),
        (arrow(record(1, prediction=None)), "prediction is missing"),
        (arrow(record(1), at=pa.timestamp("us")), "time zone"),
        (arrow(record(1, prediction=7)), "holds no text"),
    ],
)
def test_a_stream_that_is_none_is_refused(body: bytes, said: str) -> None:
    with pytest.raises(Invalid, match=said) as refusal:
        list(read_arrow(io.BytesIO(body)))
    assert "ebra" not in refusal.value.message


def test_lines_are_read_in_pieces_and_places_count_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bailiwick.monitoring.intake.formats.BLOCK_BYTES", 300)
    body = ndjson(*(record(number) for number in range(20))) + b"\n{}\n"
    pieces = list(read_ndjson(io.BytesIO(body.rstrip(b"\n"))))
    assert len(pieces) > 3
    assert [place for piece in pieces for place in piece.places] == list(range(20))
    assert [fault.place for piece in pieces for fault in piece.faults] == [20]


def test_a_line_without_end_is_refused() -> None:
    with pytest.raises(Invalid, match="a line is longer"):
        list(read_ndjson(io.BytesIO(b"x" * (MAX_LINE_BYTES + 1))))
    with pytest.raises(Invalid, match="no records"):
        list(read_ndjson(io.BytesIO(b"\n \n")))


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"records": []}', b'{"records": {}}'])
def test_a_body_without_records_is_refused(body: bytes) -> None:
    with pytest.raises(Invalid, match="`records`, a list of 1 to 10,000"):
        read_json(body)
