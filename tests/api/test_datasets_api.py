import errno
import gzip
import os
import tempfile
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from bailiwick.audit import AuditEvent
from bailiwick.lineage import Dataset, DatasetVersion
from support import api_bodies
from support.api_world import World

INCIDENTS = Path(__file__).parents[3] / "shared" / "data" / "raw-feed-incidents"
VERSIONS = "/datasets/finance/feed/versions"
HARROGATE = {
    "text": "Supplier Name,Narrative",
    "label": "Expenditure Category",
    "date": "Payment Date",
}


@pytest.fixture
def world(world: World) -> World:
    """With an empty dataset, and a clock that stands after its rows."""
    made = world.post("/datasets", api_bodies.model("feed"))
    assert made.status_code == 201
    return world


def upload(world: World, content: bytes, spec: dict[str, str] | None = None, **more: Any) -> Any:
    return world.ask(
        "POST",
        VERSIONS,
        by=more.pop("by", "engineer"),
        data=spec or api_bodies.SPEC,
        files={"file": (more.pop("name", "rows.csv"), content)},
        **more,
    )


def versions(world: World) -> int:
    with world.platform.database.reading() as session:
        return session.scalar(select(func.count()).select_from(DatasetVersion)) or 0


def test_a_file_becomes_a_version_with_all_that_describes_it(world: World) -> None:
    made = upload(world, api_bodies.CSV)
    assert made.status_code == 201, made.text
    told = made.json()
    assert (told["dataset"], told["number"], told["rows"]) == ("finance/feed", 1, 40)
    assert (told["rejected_rows"], told["rejected"]) == (0, [])
    assert told["text_columns"] == ["merchant", "cost_centre"]
    assert told["label"] == api_bodies.LABEL
    assert told["first_time"].startswith("2025-01-01")
    read = world.get(f"{VERSIONS}/1").json()
    assert read == {name: value for name, value in told.items() if name != "rejected"}
    assert [item["number"] for item in world.get(VERSIONS).json()["items"]] == [1]
    run = world.get("/runs").json()["items"][0]
    assert (run["kind"], run["inputs"], run["outputs"]) == (
        "ingest",
        [],
        [f"dataset-version:{told['id']}"],
    )


def test_the_same_rows_again_are_the_same_version_however_they_are_packed(world: World) -> None:
    first = upload(world, api_bodies.CSV).json()
    again = upload(world, api_bodies.CSV).json()
    packed = upload(world, gzip.compress(api_bodies.CSV), name="rows.csv.gz").json()
    assert first["id"] == again["id"] == packed["id"]
    assert versions(world) == 1


def test_other_rows_are_the_next_version(world: World) -> None:
    upload(world, api_bodies.CSV)
    more = upload(world, api_bodies.CSV + b"2025-02-01,Late,CC9,Travel\n")
    assert more.json()["number"] == 2


def test_bad_rows_are_kept_aside_with_line_and_reason_and_without_their_text(
    world: World,
) -> None:
    bad = b"someday,Zebra 4711,CC1,Fuel\n2025-01-02,Zebra 4711,CC1,\n"
    made = upload(world, api_bodies.CSV + bad)
    told = made.json()
    assert made.status_code == 201, made.text
    assert (told["rows"], told["rejected_rows"]) == (40, 2)
    assert [row["line"] for row in told["rejected"]] == [42, 43]
    assert all(row["reason"] for row in told["rejected"])
    assert sum(told["rejected_reasons"].values()) == 2
    assert "Zebra" not in made.text


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b"day,merchant,cost_centre,category\n", "rows"),
        ("day,merchant,cost_centre,category\n2025-01-01,Caf\xe9,x,Fuel\n".encode("latin-1"), "UTF"),
        (b"date,shop\n2025-01-01,x\n", "cost_centre"),
        (b"PK\x03\x04 a zip", "zip"),
        (gzip.compress(api_bodies.CSV, mtime=0)[:60], "gzip"),
    ],
    ids=["nothing", "header only", "latin-1", "other columns", "zip", "cut gzip"],
)
def test_an_unusable_file_is_refused_in_words_and_leaves_nothing(
    world: World, content: bytes, said: str
) -> None:
    answer = upload(world, content)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
    assert said.lower() in answer.json()["detail"].lower()
    assert versions(world) == 0


@pytest.mark.parametrize("missing", ["text", "label", "date", "file"])
def test_a_part_of_the_form_that_is_missing_is_named(world: World, missing: str) -> None:
    data = {name: value for name, value in api_bodies.SPEC.items() if name != missing}
    files = {} if missing == "file" else {"file": ("rows.csv", api_bodies.CSV)}
    answer = world.ask("POST", VERSIONS, by="engineer", data=data, files=files or None)
    assert answer.status_code == 422
    assert f"body.{missing}" in answer.json()["detail"]


def test_columns_that_are_not_there_are_named_with_those_that_are(world: World) -> None:
    answer = upload(world, api_bodies.CSV, api_bodies.SPEC | {"label": "kind"})
    assert answer.status_code == 422
    assert "kind" in answer.json()["detail"]
    assert "category" in answer.json()["detail"]


def test_only_whom_the_policy_lets_may_bring_in_rows(world: World) -> None:
    for by, status in (("approver", 403), ("auditor", 403), ("steward", 201), ("robot", 201)):
        assert upload(world, api_bodies.CSV, by=by).status_code == status
    decisions = world.get("/decisions", by="auditor").json()["items"]
    recorded = {(d["action"], d["allowed"]) for d in decisions if "register" in d["action"]}
    assert recorded == {("dataset:register-version", True), ("dataset:register-version", False)}


def test_a_full_disk_registers_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    answer = upload(world, api_bodies.CSV)
    monkeypatch.undo()
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert "disk" in answer.json()["detail"]
    assert versions(world) == 0
    assert list(world.platform.blobs.root.rglob("*")) in ([], [world.platform.blobs.root])
    assert upload(world, api_bodies.CSV).status_code == 201


def test_a_disk_that_fills_while_the_file_arrives_is_told_too(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Path.open

    def full(self: Path, mode: str = "r", **more: Any) -> Any:
        if mode == "wb" and self.name == "arrived":
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(self, mode, **more)

    monkeypatch.setattr(Path, "open", full)
    answer = upload(world, api_bodies.CSV)
    monkeypatch.undo()
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert versions(world) == 0


def test_a_disk_that_fills_while_the_form_is_read_is_told_too(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile.SpooledTemporaryFile, "write", full)
    answer = upload(world, api_bodies.CSV)
    monkeypatch.undo()
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert "No space left" in answer.json()["detail"]
    assert versions(world) == 0


def test_nothing_is_left_in_the_work_folder(world: World) -> None:
    upload(world, api_bodies.CSV)
    upload(world, b"nothing")
    assert list(world.platform.settings.work_folder.iterdir()) == []


def test_a_dataset_that_is_there_already_is_a_conflict(world: World) -> None:
    answer = world.post("/datasets", api_bodies.model("feed"))
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    with world.platform.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Dataset)) == 1


@pytest.mark.parametrize(
    "label",
    [
        {"level": "cosmic"},
        {"compartments": ["kitchen"]},
        {"residency": ["mars"]},
        {"residency": []},
        {"purposes": ["mischief"]},
        {"purposes": []},
    ],
)
def test_a_label_of_unknown_words_is_refused(world: World, label: dict[str, Any]) -> None:
    body = api_bodies.model("other", label=api_bodies.LABEL | label)
    assert world.post("/datasets", body).status_code == 422


@pytest.mark.skipif(not INCIDENTS.is_dir(), reason="shared/data/raw-feed-incidents is not here")
class TestRealFeeds:
    def test_a_query_for_a_header_is_refused_and_recognised(self, world: World) -> None:
        feed = INCIDENTS / "darlington_sql_header_2013-02.csv.gz"
        spec = {"text": "apar_name", "label": "servdesc", "date": "voucher_date"}
        answer = upload(world, feed.read_bytes(), spec, name=feed.name)
        assert answer.status_code == 422
        assert "header" in answer.json()["detail"]
        assert versions(world) == 0

    def test_doubled_columns_are_refused_and_named(self, world: World) -> None:
        feed = INCIDENTS / "harrogate_2021-09-supplier-spend.csv.gz"
        answer = upload(world, feed.read_bytes(), HARROGATE, name=feed.name)
        assert answer.status_code == 422
        assert "Supplier Name" in answer.json()["detail"]
        assert versions(world) == 0

    @pytest.mark.parametrize(
        "name",
        ["harrogate_2021-08.csv.gz", "harrogate_2021-10-Harrogate-Borough-Council.csv.gz"],
    )
    def test_the_sound_months_beside_it_are_read(self, world: World, name: str) -> None:
        answer = upload(world, (INCIDENTS / name).read_bytes(), HARROGATE, name=name)
        assert answer.status_code == 201, answer.text
        told = answer.json()
        assert told["rows"] > 100
        assert told["rejected_rows"] == sum(told["rejected_reasons"].values())


def test_a_version_and_its_run_leave_events_with_the_actor(world: World) -> None:
    upload(world, api_bodies.CSV, by="steward")
    with world.platform.database.reading() as session:
        events = session.scalars(
            select(AuditEvent).where(AuditEvent.action == "dataset-version.registered")
        ).all()
    assert [event.actor_id for event in events] == [world.principals["steward"].id]
