"""Records over HTTP: formats, encodings, what is turned away, and labels by join key."""

import gzip
import io
import json
from typing import Any

import pyarrow as pa
import pytest
from sqlalchemy import func, select

from bailiwick.monitoring import InferenceRecord, RejectedRecord
from bailiwick.policy.tables import DecisionCount
from bailiwick.registry import Deployment
from support.api_world import World

NDJSON = "application/x-ndjson"
ARROW = "application/vnd.apache.arrow.stream"
CLOSED: dict[str, Any] = {"rejected": [], "rejected_total": 0}


@pytest.fixture
def deployment(world: World) -> Deployment:
    """A deployment that keeps no text."""
    return world.running()


@pytest.fixture
def path(deployment: Deployment) -> str:
    """Its address."""
    return f"/deployments/{deployment.id}"


def record(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "record_id": f"r{number}",
        "at": "2026-01-02T00:00:00+00:00",
        "prediction": "Fuel",
        "confidence": 0.5,
    } | changes


def lines(*records: dict[str, Any]) -> bytes:
    return b"\n".join(json.dumps(one).encode() for one in records)


def stream(*records: dict[str, Any]) -> bytes:
    table = pa.Table.from_pylist(list(records))
    place = table.schema.get_field_index("at")
    table = table.set_column(place, "at", table["at"].cast(pa.timestamp("us", "UTC")))
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def zstd(content: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as packed:
        packed.write(content)
    packed_bytes: bytes = sink.getvalue().to_pybytes()
    return packed_bytes


def send(world: World, path: str, content: bytes, kind: str = NDJSON, **headers: str) -> Any:
    headers = {"Content-Type": kind} | {k.replace("_", "-"): v for k, v in headers.items()}
    return world.post(f"{path}/inferences", content=content, headers=headers)


def count(world: World) -> int:
    with world.platform.database.reading() as session:
        return session.scalar(select(func.count()).select_from(InferenceRecord)) or 0


@pytest.mark.parametrize(("kind", "write"), [(NDJSON, lines), (ARROW, stream)])
def test_a_batch_is_taken_once_in_each_format(
    world: World, path: str, kind: str, write: Any
) -> None:
    content = write(*(record(number) for number in range(5)))
    first, again = (send(world, path, content, kind) for _ in range(2))
    assert (first.status_code, first.json()) == (202, {"new": 5, "known": 0} | CLOSED)
    assert again.json() == {"new": 0, "known": 5} | CLOSED
    assert count(world) == 5


@pytest.mark.parametrize(("encoding", "pack"), [("gzip", gzip.compress), ("zstd", zstd)])
def test_bodies_may_be_compressed(world: World, path: str, encoding: str, pack: Any) -> None:
    for kind, content in ((NDJSON, lines(record(1))), (ARROW, stream(record(2)))):
        answer = send(world, path, pack(content), kind, content_encoding=encoding)
        assert answer.json()["new"] == 1, answer.text
    body = json.dumps({"records": [record(3)]}).encode()
    answer = send(world, path, pack(body), "application/json", content_encoding=encoding)
    assert answer.json()["new"] == 1


@pytest.mark.parametrize(
    ("content", "kind", "encoding", "status", "said"),
    [
        (lines(record(1)), NDJSON, "gzip", 422, "Content-Encoding"),
        (gzip.compress(lines(record(1)), mtime=0)[:-9], NDJSON, "gzip", 422, "Content-Encoding"),
        (b"Zebra" * 99, NDJSON, "zstd", 422, "Content-Encoding"),
        (b"Zebra" * 99, ARROW, "zstd", 422, "Content-Encoding"),
        (b"", NDJSON, "br", 415, "gzip, zstd or identity"),
        (b"x", "text/csv", "identity", 415, "application/x-ndjson"),
        (b"", NDJSON, "identity", 422, "no records"),
        (b"\xff" * 4 + b"\x08\0\0\0Zebra", ARROW, "identity", 422, "Arrow IPC stream"),
        (b"Zebra", ARROW, "identity", 413, "no Arrow stream"),
        (b"[]", "application/json; charset=utf-8", "identity", 422, "`records`"),
    ],
)
def test_a_body_that_cannot_be_read_is_refused(
    world: World, path: str, content: bytes, kind: str, encoding: str, status: int, said: str
) -> None:
    answer = send(world, path, content, kind, content_encoding=encoding)
    assert answer.status_code == status, answer.text
    assert said in answer.json()["detail"]
    assert "Zebra" not in answer.text
    assert count(world) == 0


def test_a_body_that_unpacks_to_more_than_may_be_is_stopped(world: World, path: str) -> None:
    roomy = world.platform.settings.max_upload_bytes
    tight = world.platform.settings.model_copy(update={"max_upload_bytes": 5_000})
    object.__setattr__(world.platform, "settings", tight)
    packed = gzip.compress(lines(*(record(number) for number in range(100))))
    answer = send(world, path, packed, content_encoding="gzip")
    assert (answer.status_code, answer.json()["code"]) == (413, "too-large")
    assert roomy > len(packed)


def test_bad_records_are_answered_and_kept_aside_without_their_text(
    world: World, path: str
) -> None:
    bad = [record(number, confidence=7, text="Zebra") for number in range(150)]
    told = send(world, path, lines(record(1), *bad)).json()
    assert (told["new"], told["rejected_total"], len(told["rejected"])) == (1, 150, 100)
    assert told["rejected"][0]["code"] == "unfit"
    page = world.get(f"{path}/rejected-records", params={"limit": 100}).json()
    assert len(page["items"]) == 100
    assert page["next_cursor"]
    assert {item["raw"] for item in page["items"]} == {None}
    assert "Zebra" not in json.dumps(page)


def test_the_texts_of_what_was_rejected_are_kept_and_shown_where_text_is(world: World) -> None:
    deployment = world.running(keeps_text=True)
    path = f"/deployments/{deployment.id}"
    bad = record(1, confidence=7, text="Zebra")
    send(world, path, lines(bad))
    (item,) = world.get(f"{path}/rejected-records").json()["items"]
    assert json.loads(item["raw"]) == bad
    assert world.get(f"{path}/rejected-records", by="approver").status_code in {403, 404}


def test_the_policy_is_asked_once_a_batch(world: World, path: str) -> None:
    send(world, path, lines(*(record(number) for number in range(50))))
    world.platform.rules.tallies.flush(world.platform.database)
    with world.platform.database.reading() as session:
        query = select(DecisionCount.allowed).where(
            DecisionCount.action == "deployment:write-inferences"
        )
        assert list(session.scalars(query)) == [1]


def test_whoever_may_not_write_leaves_nothing(world: World, path: str) -> None:
    answer = world.post(
        f"{path}/inferences",
        content=lines(record(1), record(2, confidence=7)),
        headers={"Content-Type": NDJSON},
        by="approver",
    )
    assert answer.status_code == 403
    assert count(world) == 0
    with world.platform.database.reading() as session:
        assert list(session.scalars(select(RejectedRecord))) == []


def test_a_long_body_is_stored_piece_by_piece(
    world: World, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bailiwick.monitoring.intake.formats.BLOCK_BYTES", 2_000)
    monkeypatch.setattr("bailiwick.web.streams.AHEAD_BYTES", 1_000)
    body = lines(*(record(number) for number in range(200)))
    told = send(world, path, body + b"\n" + b"x" * 300_000)
    assert told.status_code == 422
    assert "sent" not in told.text
    assert count(world) == 200  # what came before stands, and counts once
    assert send(world, path, body).json()["known"] == 200


def test_what_a_deployment_accepts_is_declared(world: World, path: str) -> None:
    row = record(1, segments={"region": "north"})
    assert send(world, path, lines(row)).json()["rejected"][0]["code"] == "undeclared-segment"
    told = world.ask("PUT", f"{path}/intake", by="engineer", json={"segments": ["region"]})
    assert told.json()["segments"] == ["region"]
    assert world.get(f"{path}/intake").json() == told.json()
    assert send(world, path, lines(row)).json()["new"] == 1
    refused = world.ask("PUT", f"{path}/intake", by="engineer", json={"segments": ["No Name"]})
    assert refused.status_code == 422


def test_a_version_may_be_named_beside_the_lines(
    world: World, path: str, deployment: Deployment
) -> None:
    headers = {"Content-Type": NDJSON}
    wrong = {"version_id": str(deployment.id)}
    answer = world.post(
        f"{path}/inferences", content=lines(record(1)), headers=headers, params=wrong
    )
    assert answer.status_code == 422
    assert "version_id" in answer.json()["detail"]


def test_labels_come_by_line_and_by_join_key_and_are_withdrawn(world: World, path: str) -> None:
    send(world, path, lines(record(1, join_key="INV-1"), record(2)))
    given = [{"join_key": "INV-1", "label": "Fuel"}, {"record_id": "r2", "label": "Travel"}]
    headers = {"Content-Type": NDJSON}
    told = world.post(f"{path}/feedback", content=lines(*given), headers=headers)
    assert (told.status_code, told.json()) == (202, {"new": 2, "known": 0})
    assert labelled(world, path) == (2, 1)
    withdrawn = world.post(f"{path}/feedback", {"feedback": [{"record_id": "r2", "label": None}]})
    assert withdrawn.json() == {"new": 1, "known": 0}
    assert labelled(world, path) == (1, 1)


@pytest.mark.parametrize(
    ("item", "said"),
    [
        ({"label": "Zebra"}, "names no record"),
        ({"label": "Zebra", "record_id": "a", "join_key": "b"}, "or two"),
        ({"label": "Ze\0bra", "record_id": "a"}, "NUL"),
        ({"label": 7, "record_id": "a"}, "label"),
        ({"label": "Zebra", "record_id": "a", "Zebra 1": 1}, "…"),
    ],
)
def test_labels_that_do_not_fit_are_refused_together(
    world: World, path: str, item: dict[str, Any], said: str
) -> None:
    rows = [{"record_id": "r1", "label": "Fuel"}, item]
    for options in (
        {"json": {"feedback": rows}},
        {"content": lines(*rows), "headers": {"Content-Type": NDJSON}},
    ):
        answer = world.ask("POST", f"{path}/feedback", by="engineer", **options)
        assert answer.status_code == 422
        assert said in answer.json()["detail"]
        assert "ebra" not in answer.text


def labelled(world: World, path: str) -> tuple[int, int]:
    period = {"start": "2020-01-01T00:00:00Z", "end": "2030-01-01T00:00:00Z"}
    told = world.get(f"{path}/accuracy", params=period).json()
    return told["labelled_rows"], told["correct"]
