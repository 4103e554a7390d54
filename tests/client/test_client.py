"""The Python client against the real API."""

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from bailiwick.api import create_api
from bailiwick.cli.purchases import write_purchases
from bailiwick.client import (
    Bailiwick,
    BailiwickAPIError,
    JobFailed,
    MisusedClient,
    TamperedFile,
    WaitTimedOut,
    shapes,
)
from bailiwick.client.shapes import Job
from bailiwick.lifecycle import Platform
from bailiwick.monitoring import InferenceRecord
from client.installation import LABEL, FakeModels, Installation, Worker


@pytest.fixture
def purchases(tmp_path: Path) -> Path:
    file = tmp_path / "purchases.csv"
    write_purchases(file, rows=120, seed=3)
    with file.open("a", encoding="utf-8") as stream:
        stream.write("2021-02-30,corner shop,Fleet,12.00,Groceries\n")
    return file


@pytest.fixture
def nowhere() -> Iterator[Bailiwick]:
    """A client of an API that is not there."""
    with Bailiwick("http://127.0.0.1:9", "bwk_nobody") as client:
        yield client


def test_five_lines_take_raw_text_to_a_trained_version(
    installation: Installation, purchases: Path
) -> None:
    states = []
    worker = Worker(installation.platform, {"version": 2, "summary": "version 2 challenger"})

    def on_progress(job: Job) -> None:
        states.append((job["state"], job["progress"].get("step")))
        if job["state"] != "succeeded":
            worker.step()

    with installation.client() as platform:
        platform.datasets.create("finance/cards-2026", label=LABEL)
        data = platform.datasets.register(
            "finance/cards-2026",
            purchases,
            text=["merchant", "cost_centre"],
            label="category",
            date="date",
        )
        platform.models.create("finance/own", label=LABEL)
        job = platform.train("finance/own", data, purpose="accounting")
        done = platform.jobs.wait(job, on_progress=on_progress, poll_seconds=0)

    assert (data["dataset"], data["number"], data["rows"]) == ("finance/cards-2026", 1, 120)
    assert [row["line"] for row in data["rejected"]] == [122]
    assert states == [("queued", None), ("running", 34), ("succeeded", 34)]
    assert done["result"] == {"version": 2, "summary": "version 2 challenger"}


def test_the_same_file_again_is_the_same_version(engineer: Bailiwick, purchases: Path) -> None:
    columns: dict[str, Any] = {"text": ["merchant"], "label": "category", "date": "date"}
    engineer.datasets.create("finance/twice", label=LABEL)
    first = engineer.datasets.register("finance/twice", purchases, **columns)
    again = engineer.datasets.register("finance/twice", str(purchases), **columns)
    assert again["id"] == first["id"]


def test_a_job_that_is_cancelled_ends_the_wait_with_its_state(engineer: Bailiwick) -> None:
    job = engineer.train("finance/classifier", "finance/purchases@1", purpose="accounting")
    engineer.jobs.cancel(job["id"])
    with pytest.raises(JobFailed, match="was cancelled") as caught:
        engineer.wait(job["id"])
    assert caught.value.job["state"] == "cancelled"


def test_a_wait_that_is_over_says_that_the_job_goes_on(engineer: Bailiwick) -> None:
    job = engineer.train("finance/classifier", ["finance/purchases@1"], purpose="accounting")
    with pytest.raises(WaitTimedOut, match="it goes on"):
        engineer.wait(job, timeout_seconds=0)
    assert engineer.jobs.get(job["id"])["state"] == "queued"


def test_collections_are_read_to_the_end_over_several_pages(
    engineer: Bailiwick, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bailiwick.client.transport.PAGE_ITEMS", 2)
    for number in range(5):
        engineer.models.create(f"finance/paged-{number}", label=LABEL)
    names = [model["name"] for model in engineer.models.list(namespace="finance")]
    assert names == [*(f"paged-{number}" for number in reversed(range(5))), "classifier"]


def test_a_page_continues_where_the_one_before_ended(engineer: Bailiwick) -> None:
    for number in range(3):
        engineer.models.create(f"finance/paged-{number}", label=LABEL)
    first = engineer.models.page(limit=3)
    second = engineer.models.page(limit=3, cursor=first["next_cursor"])
    assert [model["name"] for model in first["items"]] == ["paged-2", "paged-1", "paged-0"]
    assert [model["name"] for model in second["items"]] == ["classifier"]
    assert second["next_cursor"] is None


def test_predictions_are_logged_once_and_take_feedback(
    engineer: Bailiwick, installation: Installation
) -> None:
    rows = [{"merchant": "SHELL", "cost_centre": "Fleet"}, {"merchant": "BP", "cost_centre": "-"}]
    when = datetime(2026, 1, 4, 12, tzinfo=UTC)
    for _ in range(2):
        answer = engineer.predict("finance/cards", rows, record_ids=["a", "b"], times=[when, when])
    assert [one["label"] for one in answer["predictions"]] == ["Fuel", "Fuel"]
    with installation.platform.database.reading() as session:
        assert session.query(InferenceRecord).count() == 2
    assert engineer.feedback("finance/cards", {"a": "Fuel", "b": "Travel"}) == {
        "new": 2,
        "known": 0,
    }
    period = engineer.deployments.accuracy(
        "finance/cards", datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)
    )
    assert (period["rows"], period["correct"]) == (2, 1)


def test_rows_without_a_record_id_get_one_each(engineer: Bailiwick) -> None:
    rows = [{"merchant": "SHELL", "cost_centre": "Fleet"}] * 3
    answer = engineer.predict("finance/cards", rows)
    assert len({one["record_id"] for one in answer["predictions"]}) == 3


def test_a_deployment_is_found_by_name_and_by_id(engineer: Bailiwick) -> None:
    by_name = engineer.deployments.get("finance/cards")
    assert engineer.deployments.get(by_name["id"]) == by_name
    assert engineer.deployments.name_of(by_name["id"]) == "finance/cards"
    with pytest.raises(BailiwickAPIError, match="finance/none") as caught:
        engineer.deployments.get("finance/none")
    assert caught.value.status == 404


def test_a_version_is_promoted_after_another_person_approved_it(
    installation: Installation,
) -> None:
    with installation.client() as engineer, installation.client("approver") as approver:
        asked = engineer.approvals.request("finance/classifier@1")
        decided = approver.approvals.decide(asked["id"], approve=True, comment="looked at it")
        assert decided["state"] == "approved"
        pointer = engineer.promote("finance/classifier@1", reason="the same again")
        assert (pointer["alias"], pointer["version"]) == ("champion", 1)
        assert {move["alias"] for move in engineer.models.history("finance/classifier")} == {
            "champion",
            "challenger",
        }


def test_a_refusal_names_its_policies_and_its_decision(installation: Installation) -> None:
    with installation.client() as engineer:
        asked = engineer.approvals.request("finance/classifier@1")
        with pytest.raises(BailiwickAPIError) as caught:
            engineer.approvals.decide(asked["id"], approve=True)
        error = caught.value
        assert (error.status, error.code) == (403, "denied")
        assert "four-eyes" in error.policies
        assert error.decision is not None
        kept = engineer.rules.decision(error.decision)
        assert (kept["allowed"], kept["action"]) == (False, "approval:decide")


def test_a_version_is_downloaded_whole_and_verified(engineer: Bailiwick, tmp_path: Path) -> None:
    (file,) = engineer.models.download("finance/classifier@champion", tmp_path / "weights")
    expected = engineer.models.version("finance/classifier@1")["manifest"][0]
    assert hashlib.sha256(file.read_bytes()).hexdigest() == expected["sha256"]
    assert [path.name for path in file.parent.iterdir()] == ["model.safetensors"]


def test_a_file_that_is_not_the_manifests_is_not_kept(
    engineer: Bailiwick, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = engineer.models.version("finance/classifier@1")
    version["manifest"][0]["sha256"] = "0" * 64
    monkeypatch.setattr(engineer.models, "version", lambda _: version)
    with pytest.raises(TamperedFile, match="was not kept"):
        engineer.models.download("finance/classifier@1", tmp_path)
    assert list(tmp_path.glob("model*")) == []


@pytest.mark.parametrize("name", ["../outside", "/etc/outside", "a/../../outside", "..\\outside"])
def test_a_manifest_cannot_write_outside_the_folder(
    nowhere: Bailiwick, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    version = {"model": "finance/own", "number": 1, "manifest": [{"path": name, "sha256": ""}]}
    monkeypatch.setattr(nowhere.models, "version", lambda _: version)
    with pytest.raises(MisusedClient, match="outside the folder"):
        nowhere.models.download("finance/own@1", tmp_path / "inside")


def test_lineage_and_impact_are_told_by_name(engineer: Bailiwick) -> None:
    found = engineer.lineage.of("model:finance/classifier@1")
    assert [step["source"]["name"] for step in found["steps"]] == ["finance/purchases@1"]
    impact = engineer.impact("finance/purchases@1")
    assert impact["deployments"] == ["finance/cards"]
    runs = list(engineer.lineage.runs(kind="train"))
    assert [engineer.lineage.run(run["id"])["kind"] for run in runs] == ["train"]


def test_the_log_is_read_proved_and_exported(installation: Installation, tmp_path: Path) -> None:
    with installation.client("ada") as ada:
        file = ada.audit.export(tmp_path / "log.ndjson")
        assert file.read_bytes().count(b"\n") > 1
        assert ada.audit.verification()["ok"]
        assert ada.audit.checkpoint()["size"] == len(list(ada.audit.events()))


def test_people_get_roles_and_tokens(installation: Installation) -> None:
    with installation.client("ada") as ada:
        ada.principals.create("grace", kind="person", roles=[("auditor", "*")])
        made = ada.tokens.create("grace", name="laptop")
        with Bailiwick(installation.url, made["token"]) as grace:
            assert grace.me()["name"] == "grace"
            ada.tokens.revoke(made["id"])
            with pytest.raises(BailiwickAPIError) as caught:
                grace.me()
        assert caught.value.status == 401
        ada.principals.revoke("grace", "auditor")
        assert ada.principals.get("grace")["roles"] == []


def test_address_and_token_come_from_the_environment(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BAILIWICK_URL", installation.url + "/")
    monkeypatch.setenv("BAILIWICK_TOKEN", f" {installation.tokens['engineer']}\n")
    with Bailiwick() as client:
        assert client.me()["name"] == "engineer"
        assert client.health() == {"status": "ready"}


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda client: client.models.get("classifier"), "no NAMESPACE/NAME"),
        (lambda client: client.models.get("../me"), "no NAMESPACE/NAME"),
        (lambda client: client.models.version("finance/classifier"), "NAMESPACE/NAME@VERSION"),
        (lambda client: client.train("finance/a", [], purpose="x"), "one dataset"),
        (lambda client: client.train("finance/a", ["f/a@1", "f/b@1"], purpose="x"), "one dataset"),
        (
            lambda client: client.predict("finance/cards", [{}], record_ids=["a", "b"]),
            "one record id",
        ),
        (
            lambda client: client.predict("finance/cards", [{}], times=[datetime(2026, 1, 1)]),  # noqa: DTZ001
            "zone",
        ),
        (
            lambda client: client.datasets.register(
                "f/a", "none.csv", text=["a"], label="b", date="c"
            ),
            "none.csv cannot be read",
        ),
        (
            lambda client: client.datasets.register("f/a", "x", text="a", label="b", date="c"),
            "list of columns",
        ),
    ],
)
def test_what_is_plainly_wrong_is_said_without_asking(
    nowhere: Bailiwick, call: Any, said: str
) -> None:
    with pytest.raises(MisusedClient, match=said):
        call(nowhere)


def test_typed_answers_have_exactly_the_fields_of_the_api(platform: Platform) -> None:
    app = create_api(platform, FakeModels())  # type: ignore[arg-type]
    schemas = app.openapi()["components"]["schemas"]
    compared = 0
    for name, schema in schemas.items():
        shape = getattr(shapes, SHAPES.get(name, name.removesuffix("Out")), None)
        if isinstance(shape, type) and (name.endswith("Out") or name in SHAPES):
            assert set(get_type_hints(shape)) == set(schema["properties"]), name
            compared += 1
    assert compared == len(shapes.__all__) - 1  # all but the page, which is generic


# Where the API's name for a shape is not the client's with `Out` behind it.
SHAPES = {
    "AccessReviewPage": "AccessReview",
    "EventOut": "AuditEvent",
    "BaselineOut": "TrafficBaseline",
    "PredictOut": "Predictions",
    "WindowOut": "WatchedWindow",
    "LineageNode": "LineageNode",
    "LineageStep": "LineageStep",
    "MarkOnColumn": "MarkOnColumn",
    "Prediction": "Prediction",
    "RolloutDetail": "RolloutDetail",
    "bailiwick__api__retraining__PolicyOut": "RetrainingPolicy",
    "ConsiderationOut": "Consideration",
    "bailiwick__api__policies__PolicyOut": "Policy",
}
