"""Ways to get data out from under their label: copies, words, and training."""

import gzip
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import select

from bailiwick.lifecycle import Platform
from bailiwick.lineage import DatasetVersion
from bailiwick.policy import load_label
from support import api_bodies
from support.api_world import World
from support.escapes import arrived, denied_by, founded, label_of, made, rows, uploaded


@pytest.fixture(scope="module")
def works(shared_platform: Platform) -> Iterator[World]:
    """An installation where each test works with things of its own names."""
    world = founded(shared_platform)
    world.join("admin", "admin").join("analyst", "steward", "engineer", clearance="internal")
    yield world
    world.client.close()


def order(model: str, data: str, **changes: Any) -> dict[str, Any]:
    """A training on a dataset's first version."""
    body = {"model": model, "dataset": data, "dataset_versions": [1], "purpose": "accounting"}
    return body | changes


# ---- Copies of data ------------------------------------------------------------------------


def test_a_file_brought_in_again_under_another_name_and_a_lower_label(works: World) -> None:
    csv = rows("Copied")
    uploaded(works, "finance/ledger-a", label=label_of("restricted"), csv=csv)
    copy = arrived(works, "finance/leaflet", label=label_of("internal"), csv=csv, by="analyst")
    assert copy["label"]["level"] == "restricted"
    assert works.get("/datasets/finance/leaflet/versions/1", by="analyst").status_code == 404
    assert works.get("/datasets/finance/leaflet/versions", by="analyst").json()["items"] == []


def test_a_file_brought_in_again_into_another_namespace(works: World) -> None:
    csv = rows("Moved")
    uploaded(works, "finance/ledger-b", label=label_of("restricted"), csv=csv)
    copy = arrived(works, "people/leaflet", label=label_of("public", compartments=[]), csv=csv)
    assert (copy["label"]["level"], copy["label"]["compartments"]) == ("restricted", ["finance"])


def test_the_same_rows_in_another_wrapping(works: World) -> None:
    csv = rows("Wrapped")
    uploaded(works, "finance/ledger-c", label=label_of("restricted"), csv=csv)
    copy = arrived(works, "finance/wrapped", label=label_of("internal"), csv=gzip.compress(csv))
    assert copy["label"]["level"] == "restricted"


def test_the_same_file_read_with_other_columns(works: World) -> None:
    """Another text column makes other rows; the file that arrived is the same."""
    csv = rows("Reread")
    uploaded(works, "finance/ledger-d", label=label_of("restricted"), csv=csv)
    copy = arrived(works, "finance/reread", label=label_of("internal"), csv=csv, text="merchant")
    assert copy["label"]["level"] == "restricted"


def test_a_copy_of_a_copy(works: World) -> None:
    csv = rows("Twice")
    for name, level in (("e1", "restricted"), ("e2", "internal"), ("e3", "public")):
        copy = arrived(works, f"finance/{name}", label=label_of(level), csv=csv)
        assert copy["label"]["level"] == "restricted"


def test_a_copy_where_the_two_labels_leave_nothing_to_do(works: World) -> None:
    """Who brings it in learns that it is known under another label, and not where."""
    csv = rows("Torn")
    uploaded(works, "finance/ledger-f", label=label_of(residency=["us"]), csv=csv)
    made(works, "/datasets", "finance/torn", label=label_of(residency=["eu"]), by="steward")
    answer = works.ask(
        "POST",
        "/datasets/finance/torn/versions",
        by="steward",
        data=api_bodies.SPEC,
        files={"file": ("rows.csv", csv)},
    )
    assert answer.status_code == 422
    assert "the same rows, registered before" in answer.json()["detail"]
    assert "ledger-f" not in answer.text


def test_what_a_copy_is_a_copy_of_is_its_lineage(works: World) -> None:
    csv = rows("Traced")
    uploaded(works, "finance/ledger-g", label=label_of("restricted"), csv=csv)
    uploaded(works, "finance/traced", label=label_of("internal"), csv=csv)
    answer = works.get("/lineage?node=dataset:finance/traced@1&direction=up")
    assert [step["source"]["name"] for step in answer.json()["steps"]] == ["finance/ledger-g@1"]


@pytest.mark.parametrize("method", ["PATCH", "PUT", "POST"])
def test_a_lower_label_said_of_what_stands(works: World, method: str) -> None:
    path = f"finance/stands-{method.lower()}"
    made(works, "/models", path, label=label_of("restricted"))
    made(works, "/datasets", path, label=label_of("restricted"))
    lower = {"label": label_of("public"), "description": "x"}
    for kind in ("models", "datasets"):
        works.ask(method, f"/{kind}/{path}", by="engineer", json=lower)
        works.ask(method, f"/{kind}/{path}", by="steward", json=lower)
        works.ask(method, f"/{kind}/{path}/label", by="steward", json=lower | {"reason": "x"})
        assert works.get(f"/{kind}/{path}").json()["label"]["level"] == "restricted"


def test_making_it_again_with_a_lower_label(works: World) -> None:
    for kind in ("/models", "/datasets"):
        made(works, kind, "finance/again", label=label_of("restricted"))
        body = api_bodies.model("again", label=label_of("public"))
        assert works.post(kind, body).status_code == 409
        assert works.get(f"{kind}/finance/again").json()["label"]["level"] == "restricted"


@pytest.mark.parametrize(
    "label",
    [
        {"level": "none"},
        {"level": "Public"},
        {"level": ""},
        {"compartments": ["finance", "nothing"]},
        {"residency": []},
        {"purposes": []},
        {"residency": ["moon"]},
        {"clearance": "public"},
        {"level": None},
    ],
)
def test_a_label_made_of_other_words(works: World, label: dict[str, Any]) -> None:
    for kind in ("/models", "/datasets"):
        body = api_bodies.model("worded", label=api_bodies.LABEL | label)
        assert works.post(kind, body).status_code == 422


def test_something_made_above_ones_own_clearance(works: World) -> None:
    """It could never be looked after by whoever made it."""
    for kind in ("/models", "/datasets"):
        body = api_bodies.model("beyond", label=label_of("restricted"))
        assert works.post(kind, body, by="analyst").status_code == 404


# ---- Training ------------------------------------------------------------------------------


def test_training_a_model_that_may_hold_less_than_its_data(works: World) -> None:
    data = uploaded(works, "finance/deep", label=label_of("restricted"), csv=rows("Deep"))
    model = made(works, "/models", "finance/shallow", label=label_of("internal"))
    assert denied_by(works.post("/jobs", order(model, data))) == ["no-train-down"]


def test_training_a_model_that_lacks_a_compartment(works: World) -> None:
    data = uploaded(works, "finance/need-to-know", csv=rows("Need"))
    label = label_of("restricted", compartments=[])
    model = made(works, "/models", "finance/open-plan", label=label)
    assert denied_by(works.post("/jobs", order(model, data))) == ["no-train-down"]


def test_training_on_data_that_one_may_not_see(works: World) -> None:
    data = uploaded(works, "finance/unseen", label=label_of("restricted"), csv=rows("Unseen"))
    label = label_of("internal")
    model = made(works, "/models", "finance/own", label=label, by="analyst")
    hidden = works.post("/jobs", order(model, data), by="analyst")
    absent = works.post("/jobs", order(model, "finance/nothing"), by="analyst")
    assert (hidden.status_code, hidden.content) == (absent.status_code, absent.content)
    assert hidden.status_code == 404


def test_training_on_data_of_a_namespace_where_one_holds_nothing(works: World) -> None:
    data = uploaded(works, "people/reviews", csv=rows("Review"))
    works.join("local", "engineer", namespace="finance")
    model = made(works, "/models", "finance/local", by="local")
    assert works.post("/jobs", order(model, data), by="local").status_code == 404


def test_training_a_model_of_a_namespace_where_one_holds_nothing(works: World) -> None:
    data = uploaded(works, "finance/mine", csv=rows("Mine"))
    model = made(works, "/models", "people/theirs")
    works.join("trainer", "engineer", namespace="finance")
    assert works.post("/jobs", order(model, data), by="trainer").status_code == 404


def test_training_for_a_purpose_that_the_data_do_not_allow(works: World) -> None:
    data = uploaded(works, "finance/purposeful", csv=rows("Purpose"))
    model = made(works, "/models", "finance/purposeless")
    answer = works.post("/jobs", order(model, data, purpose="human-resources"))
    assert denied_by(answer) == ["training-purpose"]
    assert denied_by(works.post("/jobs", order(model, data, purpose="ACCOUNTING")))


def test_an_order_that_claims_a_retraining_policys_mandate(works: World) -> None:
    data = uploaded(works, "finance/ordered", csv=rows("Ordered"))
    model = made(works, "/models", "finance/ordering")
    for extra in ({"retraining_policy_id": "x"}, {"acts_as": "robot"}, {"label": label_of()}):
        assert works.post("/jobs", order(model, data, **extra)).status_code == 422


def test_everything_that_was_made_here_carries_a_label(works: World) -> None:
    with works.platform.database.reading() as session:
        for version in session.scalars(select(DatasetVersion)):
            label = load_label(session, version.label_id)
            own = load_label(session, version.dataset.label_id)
            assert works.platform.rules.scheme.dominates(label, own)
