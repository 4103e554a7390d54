"""Ways to learn what the columns hold of data that one may not see."""

from datetime import timedelta
from typing import Any

import pytest

from support.api_bodies import CSV
from support.api_world import World
from support.escapes import Vault, arrived, label_of, told, trained, uploaded

HIGHER = CSV.replace(b"cost_centre", b"diagnosis")


@pytest.mark.parametrize(
    "path",
    ["/datasets/finance/{dataset}/marks", "/datasets/finance/{dataset}/marks?state=accepted"],
)
def test_the_marks_of_hidden_data(vault: Vault, path: str) -> None:
    vault.is_shut(path)


def test_marking_and_scanning_hidden_data(vault: Vault) -> None:
    body: dict[str, Any] = {"column": "merchant", "mark": "identifier"}
    vault.is_shut("/datasets/finance/{dataset}/marks", method="POST", json=body)
    vault.is_shut("/datasets/finance/{dataset}/versions/1/scan", method="POST", json={})


def marked(world: World, data: str, column: str, mark: str = "personal-data") -> Any:
    body = {"column": column, "mark": mark}
    return world.post(f"/datasets/{data}/marks", body, by="steward")


def test_marks_on_what_a_visible_version_was_made_from(world: World) -> None:
    """A node of lineage that one may not see has neither name nor marks."""
    world.join("local", "engineer", "steward", namespace="finance")
    source = uploaded(world, "people/cards")
    model, _ = trained(world, source, namespace="finance")
    assert marked(world, source, "merchant").status_code == 201

    def made_from(by: str) -> list[tuple[str | None, list[str]]]:
        steps = world.get(f"/lineage?node=model:{model}@1", by=by).json()["steps"]
        return [(step["source"]["name"], step["source"]["marks"]) for step in steps]

    assert made_from("steward") == [(f"{source}@1", ["personal-data"])]
    assert made_from("local") == [(None, [])]
    hidden = world.get(f"/lineage?node=dataset:{source}@1", by="local")
    absent = world.get("/lineage?node=dataset:people/nothing@1", by="local")
    assert told(hidden) == told(absent)


def test_the_names_of_columns_that_only_a_higher_version_has(world: World) -> None:
    """Of its dataset one may see the rest; the scan of the higher version tells it nothing."""
    world.join("clerk", "steward", clearance="confidential")
    data = uploaded(world, "finance/cards", label=label_of("confidential"))
    arrived(world, data, csv=HIGHER, text="merchant")
    higher = {"label": label_of("restricted"), "reason": "it tells of illness"}
    raised = world.post(f"/datasets/{data}/versions/2/label", higher, by="steward")
    assert raised.status_code == 200, raised.text
    secret = marked(world, data, "diagnosis").json()["id"]
    marked(world, data, "merchant")
    world.post(f"/datasets/{data}/versions/2/scan", {}, by="steward")

    def columns(by: str) -> set[str]:
        items = world.get(f"/datasets/{data}/marks", by=by).json()["items"]
        return {one["column"] for one in items}

    assert "diagnosis" in columns("steward")
    assert columns("clerk") == {"merchant"}
    body = {"column": "diagnosis", "mark": "free-text"}
    guessed = world.post(f"/datasets/{data}/marks", body, by="clerk")
    wrong = world.post(f"/datasets/{data}/marks", body | {"column": "x"}, by="clerk")
    assert guessed.status_code == wrong.status_code == 422
    assert guessed.json()["detail"] == wrong.json()["detail"]
    assert "diagnosis" not in guessed.text
    decided = world.post(f"/datasets/{data}/marks/{secret}/decide", {"accept": False}, by="clerk")
    assert decided.status_code == 404
    assert world.post(f"/datasets/{data}/versions/2/scan", {}, by="clerk").status_code == 404


def test_marks_that_a_waiver_shows_in_one_place_show_in_the_other(world: World) -> None:
    """Not a way in: what a read of the dataset shows, its node in lineage shows, too."""
    world.join("clerk", "steward", "engineer", clearance="internal")
    data = uploaded(world, "finance/cards", label=label_of("confidential"))
    marked(world, data, "merchant")
    lower = {"kind": "declassification", "label": label_of("internal")}
    end = world.platform.clock.now() + timedelta(days=5)
    lower |= {"reason": "r", "evidence": "e", "expires_at": end.isoformat()}
    assert world.get(f"/datasets/{data}/marks", by="clerk").status_code == 404
    for subject in (
        {"type": "dataset", "dataset": data},
        {"type": "dataset-version", "dataset": data, "version": 1},
    ):
        asked = world.post("/waivers", lower | {"subject": subject}, by="steward")
        assert asked.status_code == 201, asked.text
        voted = world.post(
            f"/approvals/{asked.json()['approval_id']}/decide", {"approve": True}, by="approver"
        )
        assert voted.status_code == 200, voted.text
    (mark,) = world.get(f"/datasets/{data}/marks", by="clerk").json()["items"]
    assert mark["column"] == "merchant"
    node = world.get(f"/lineage?node=dataset:{data}@1", by="clerk").json()["start"]
    assert (node["name"], node["marks"]) == (f"{data}@1", ["personal-data"])
