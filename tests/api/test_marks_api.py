"""Marks and scans over HTTP: who may, what is told, and what is never told."""

import logging
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, inspect, text

from bailiwick.lineage import Dataset
from support import api_bodies
from support.api_world import World

FEED = "/datasets/finance/feed"
SPEC = {"text": "note", "label": "category", "date": "day"}
VALUES = ("grace.hopper.7731@harrowmere.example", "+44 20 7946 7731", "4539578763621486", "Kx7731Q")
ROWS = 40


def rows() -> bytes:
    lines = [
        f"2025-01-{1 + n % 28:02},{VALUES[n % 3]} asked about her parcel and was told {n},"
        f"{VALUES[3]}{n:03},Fuel\n"
        for n in range(ROWS)
    ]
    return ("day,note,reference,category\n" + "".join(lines)).encode()


@pytest.fixture
def feed(world: World) -> World:
    """A dataset with a version whose rows name people."""
    assert world.post("/datasets", api_bodies.model("feed")).status_code == 201
    register(world, rows())
    return world


def register(world: World, content: bytes) -> Any:
    made = world.ask(
        "POST",
        f"{FEED}/versions",
        by="engineer",
        data=SPEC,
        files={"file": ("rows.csv", content)},
    )
    assert made.status_code == 201, made.text
    return made.json()


def scanned(world: World) -> dict[str, Any]:
    answer = world.post(f"{FEED}/versions/1/scan", by="steward")
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def test_a_scan_proposes_marks_that_a_steward_decides(feed: World) -> None:
    told = scanned(feed)
    assert (told["dataset"], told["number"], told["sampled_rows"]) == ("finance/feed", 1, ROWS)
    assert told["sampled"] == {"note": ROWS, "reference": ROWS, "category": ROWS}
    found = {(one["column"], one["mark"], one["entity"]) for one in told["proposals"]}
    assert found == {
        ("note", "free-text", "FREE_TEXT"),
        ("note", "personal-data", "CREDIT_CARD"),
        ("note", "personal-data", "EMAIL_ADDRESS"),
        ("note", "personal-data", "PHONE_NUMBER"),
        ("reference", "identifier", "IDENTIFIER"),
    }
    (email,) = [one for one in told["proposals"] if one["entity"] == "EMAIL_ADDRESS"]
    assert (email["matched"], email["recogniser"], email["state"]) == (14, "email", "proposed")
    path = f"{FEED}/marks/{email['id']}/decide"
    decided = feed.post(path, {"accept": True}, by="steward")
    assert (decided.status_code, decided.json()["state"]) == (200, "accepted")
    assert decided.json()["decided_by"] == str(feed.principals["steward"].id)
    accepted = feed.get(f"{FEED}/marks?state=accepted").json()["items"]
    assert [one["id"] for one in accepted] == [email["id"]]
    assert len(feed.get(f"{FEED}/marks?limit=2").json()["items"]) == 2
    assert scanned(feed)["proposals"] == [
        one for one in told["proposals"] if one["id"] != email["id"]
    ]


def test_marks_show_on_versions_and_in_lineage(feed: World) -> None:
    body = {"column": "reference", "mark": "identifier"}
    assert feed.post(f"{FEED}/marks", body, by="steward").status_code == 201
    scanned(feed)
    version = feed.get(f"{FEED}/versions/1").json()
    mine = {"column": "reference", "mark": "identifier", "entity": "", "state": "accepted"}
    assert mine in version["marks"]
    assert {one["state"] for one in version["marks"]} == {"accepted", "proposed"}
    assert feed.get(f"{FEED}/versions").json()["items"][0]["marks"] == version["marks"]
    node = feed.get("/lineage?node=dataset:finance/feed@1").json()["start"]
    assert node["marks"] == ["identifier"]
    narrower = rows().replace(b",reference,", b",other,")
    assert mine not in register(feed, narrower)["marks"]


def test_only_stewards_mark_and_scan(feed: World) -> None:
    mark = scanned(feed)["proposals"][0]["id"]
    for who in ("engineer", "approver", "auditor", "robot"):
        body = {"column": "note", "mark": "free-text"}
        assert feed.post(f"{FEED}/marks", body, by=who).status_code == 403
        assert feed.post(f"{FEED}/versions/1/scan", by=who).status_code == 403
        answer = feed.post(f"{FEED}/marks/{mark}/decide", {"accept": True}, by=who)
        assert answer.status_code == 403
        assert feed.get(f"{FEED}/marks", by=who).status_code == 200


def test_rows_that_may_not_be_read_are_not_scanned(feed: World) -> None:
    with feed.platform.database.transaction() as session:
        session.query(Dataset).one().retention_days = 30
    assert scanned(feed)["proposals"]
    feed.platform.clock.advance_to(feed.platform.clock.now() + timedelta(days=31))  # type: ignore[attr-defined]
    late = feed.post(f"{FEED}/versions/1/scan", by="steward")
    assert (late.status_code, late.json()["policies"]) == (403, ["retention"])


def test_wrong_requests_say_what_to_do(feed: World) -> None:
    body = {"column": "nome", "mark": "free-text"}
    unknown = feed.post(f"{FEED}/marks", body, by="steward")
    assert unknown.status_code == 422
    assert "'note', 'category', 'reference'" in unknown.json()["detail"]
    odd = feed.post(f"{FEED}/marks", {"column": "note", "mark": "secret"}, by="steward")
    assert odd.status_code == 422
    path = f"{FEED}/versions/1/scan"
    assert feed.post(path, {"rows": 0}, by="steward").status_code == 422
    assert feed.post(f"{FEED}/versions/9/scan", by="steward").status_code == 404
    mark = scanned(feed)["proposals"][0]["id"]
    stale = feed.post(
        f"{FEED}/marks/{mark}/decide",
        {"accept": True},
        by="steward",
        headers={"If-Match": '"99"'},
    )
    assert stale.status_code == 412


def test_no_value_of_a_row_is_left_anywhere(
    feed: World, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    answers = [str(scanned(feed)), feed.get(f"{FEED}/marks").text]
    feed.platform.blobs.path_of(rows_blob(feed)).write_bytes(rows())  # damaged: a scan fails
    broken = feed.post(f"{FEED}/versions/1/scan", by="steward")
    assert broken.status_code == 500
    answers += [broken.text, feed.get("/audit/events", by="auditor").text]
    said = capfd.readouterr()
    everywhere = [*answers, said.out, said.err, caplog.text, *dumped(feed.platform.database.engine)]
    for known in ("EMAIL_ADDRESS", "column-mark.proposed"):
        assert any(known in place for place in everywhere)
    for value in (*VALUES, "grace.hopper", "7946 7731", "her parcel"):
        assert [place[:200] for place in everywhere if value in place] == []


def rows_blob(world: World) -> str:
    with world.platform.database.reading() as session:
        return str(session.execute(text("SELECT rows_blob FROM dataset_versions")).scalar_one())


def dumped(engine: Engine) -> Iterator[str]:
    """Every table, as text."""
    with engine.connect() as connection:
        for table in inspect(engine).get_table_names():
            for row in connection.execute(text(f"SELECT * FROM {table}")):  # noqa: S608 - our tables
                yield " ".join(_text(value) for value in row)


def _text(value: object) -> str:
    if isinstance(value, bytes | memoryview):
        return bytes(value).decode("utf-8", "replace")
    return str(value)
