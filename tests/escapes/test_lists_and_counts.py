"""Ways to learn from lists, filters, pages and counts what one may not see."""

import base64
from typing import Any
from uuid import UUID

import pytest

from factories import CONFIDENTIAL
from support import api_bodies
from support.api_routes import OPEN, operations
from support.api_world import World
from support.escapes import NAMES, Vault, trained, uploaded

LISTS = (
    "/models",
    "/datasets",
    "/runs",
    "/deployments",
    "/monitors",
    "/alerts",
    "/retraining-policies",
    "/jobs",
    "/approvals",
)


@pytest.fixture(scope="module")
def shelf(vault: Vault) -> Vault:
    """The vault, and beside it two models and a dataset that the junior may see."""
    world = vault.world
    undone = world.app.state.platform
    world.app.state.platform = world.platform
    for path, name in (("/models", "open"), ("/models", "plain"), ("/datasets", "rows")):
        assert world.post(path, api_bodies.model(name), by="senior").status_code == 201
    # Newer than those: what a page leaves out lies on both sides of what it shows.
    secret = api_bodies.model("later", label=api_bodies.LABEL | {"level": "restricted"})
    for path in ("/models", "/datasets"):
        assert world.post(path, secret, by="senior").status_code == 201
    world.app.state.platform = undone
    return vault


def names(answer: Any) -> list[str]:
    return [item["name"] for item in answer.json()["items"]]


def cursor_at(identifier: str) -> str:
    return base64.urlsafe_b64encode(UUID(identifier).bytes).decode().rstrip("=")


@pytest.mark.parametrize("path", LISTS)
def test_a_list_of_everything(shelf: Vault, path: str) -> None:
    seen = shelf.get(path, by="senior").json()["items"]
    assert len(seen) >= 1
    hidden = {item["id"] for item in seen if item.get("name") not in ("open", "plain", "rows")}
    for by in ("junior", "stranger"):
        answer = shelf.get(path, by=by)
        assert not hidden & {item["id"] for item in answer.json()["items"]}
        assert not any(name in answer.text for name in NAMES)
        assert answer.json()["next_cursor"] is None


def test_every_other_list_that_the_api_has_or_will_have(shelf: Vault) -> None:
    document = shelf.world.get("//openapi.json", by=None).json()
    lists = [
        operation.path
        for operation in operations(document)
        if operation.method == "GET"
        and operation.path not in OPEN
        and "{" not in operation.path
        and not any(
            parameter.get("required") for parameter in operation.document.get("parameters", [])
        )
    ]
    assert len(lists) > len(LISTS)
    ids = {shelf.places[name] for name in ("deployment_id", "policy_id", "alert_id", "version_id")}
    for path in lists:
        for by in ("junior", "stranger"):
            text = shelf.get("/" + path, by=by).text
            assert not any(name in text for name in (*NAMES, *ids)), (path, by)


def test_a_page_of_one_tells_whether_there_is_another(shelf: Vault) -> None:
    """A cursor after the last visible item would tell that more lie behind it."""
    first = shelf.get("/models?limit=1")
    assert names(first) == ["plain"]
    second = shelf.get(f"/models?limit=1&cursor={first.json()['next_cursor']}")
    assert names(second) == ["open"]
    assert second.json()["next_cursor"] is None, "the hidden model is older, and no page tells so"


def test_the_size_of_a_page(shelf: Vault) -> None:
    for limit in (1, 2, 3, 499):
        assert set(names(shelf.get(f"/models?limit={limit}"))) <= {"open", "plain"}
    assert shelf.get("/models?limit=0").status_code == 422
    assert shelf.get("/models?limit=100000").status_code == 422


def test_a_cursor_made_from_the_id_of_a_hidden_item(shelf: Vault) -> None:
    for model in shelf.get("/models", by="senior").json()["items"]:
        answer = shelf.get(f"/models?cursor={cursor_at(model['id'])}")
        assert set(names(answer)) <= {"open", "plain"}


def test_a_cursor_taken_from_somebody_who_sees_more(shelf: Vault) -> None:
    theirs = shelf.get("/models?limit=1", by="senior")
    assert names(theirs) == ["later"]
    answer = shelf.get(f"/models?limit=5&cursor={theirs.json()['next_cursor']}")
    assert names(answer) == ["plain", "open"]


@pytest.mark.parametrize("cursor", ["x", "' OR 1=1 --", "AAAA", "%00", "=" * 40])
def test_a_cursor_that_was_never_given_out(shelf: Vault, cursor: str) -> None:
    answer = shelf.world.get("/models", by="junior", params={"cursor": cursor})
    assert answer.status_code == 422
    assert answer.json()["code"] == "invalid"


def test_a_filter_that_names_what_is_hidden(shelf: Vault) -> None:
    places = shelf.places
    job = shelf.get("/jobs/{job_id}", by="senior").json()
    for path in (
        "/models?namespace=finance&limit=500",
        f"/jobs?subject_id={job['subject_id']}",
        "/jobs?state=queued&kind=train",
        "/runs?kind=train",
        f"/alerts?deployment_id={places['deployment_id']}&state=open",
        "/approvals?state=approved",
    ):
        assert shelf.get(path, by="senior").json()["items"], path
        for by in ("junior", "stranger"):
            found = shelf.get(path, by=by).json()["items"]
            assert {item.get("name") for item in found} <= {"open", "plain"}, path


def test_decisions_about_what_is_hidden_even_ones_own(shelf: Vault) -> None:
    """A denial that hid something would tell, in a list, that it is there."""
    shelf.world.app.state.platform, undone = shelf.world.platform, shelf.world.app.state.platform
    assert shelf.get("/models/finance/{model}").status_code == 404
    shelf.world.app.state.platform = undone
    of_all = shelf.get("/decisions?limit=500", by="senior").json()["items"]
    junior = str(shelf.world.principals["junior"].id)
    assert any(item["principal_id"] == junior and not item["allowed"] for item in of_all)
    for query in ("", "&allowed=false", "&allowed=true"):
        own = shelf.get(f"/decisions?limit=500{query}").json()["items"]
        assert not any(item["principal_id"] == junior and not item["allowed"] for item in own)
        assert not any(name in str(own) for name in (*NAMES, shelf.places["deployment_id"]))


def test_decisions_about_other_people(shelf: Vault) -> None:
    junior = str(shelf.world.principals["junior"].id)
    items = shelf.get("/decisions?limit=500").json()["items"]
    unlabelled = [item for item in items if item["namespace"] is None]
    assert {item["principal_id"] for item in unlabelled} <= {junior}


def test_numbers_of_jobs_and_alerts_in_the_metrics(shelf: Vault) -> None:
    seen = shelf.get("//metrics", by="senior").text
    assert 'bailiwick_jobs{kind="train",state="queued"} 1.0' in seen
    assert "bailiwick_alerts_unresolved 1.0" in seen
    for by in ("junior", "stranger"):
        text = shelf.get("//metrics", by=by).text
        assert "bailiwick_jobs{" not in text
        assert "bailiwick_alerts_unresolved 0.0" in text
        assert not any(name in text for name in NAMES)


def test_who_there_is_and_which_tokens_they_hold(shelf: Vault) -> None:
    for path in ("/principals", "/tokens", "/groups", "/audit/events", "/audit/export"):
        assert shelf.get(path).status_code == 403
    assert shelf.get("/principals/robot").status_code == 404
    assert shelf.get("/principals/nobody-there").status_code == 404
    assert shelf.get("/principals/robot").text == shelf.get("/principals/nobody-there").text


def test_lineage_to_data_in_a_namespace_where_one_holds_nothing(world: World) -> None:
    """The hidden data keep their place, without a name, and cannot be asked about."""
    data = uploaded(world, "people/payslips")
    model, data_id = trained(world, data)
    world.join("local", "engineer", namespace="finance")
    up = f"/lineage?node=model:{model}@1&direction=up"
    down = f"/lineage?node=dataset:{data}@1&direction=down"
    assert data in world.get(up).text
    seen = world.get(up, by="local")
    assert [step["source"]["name"] for step in seen.json()["steps"]] == [None]
    assert data not in seen.text
    assert world.get(down, by="local").status_code == 404
    assert world.get(f"/lineage/impact?dataset={data}@1", by="local").status_code == 404
    runs = world.get("/runs", by="local")
    assert data not in runs.text
    assert data_id in runs.text, "that there is something is known, by an id that opens nothing"


def test_the_impact_of_data_that_one_may_see_on_models_that_one_may_not(world: World) -> None:
    data = uploaded(world, "finance/invoices")
    model, _ = trained(world, data, namespace="people")
    world.join("local", "engineer", namespace="finance")
    path = f"/lineage/impact?dataset={data}@1"
    assert [node["name"] for node in world.get(path).json()["model_versions"]] == [f"{model}@1"]
    assert world.get(path, by="local").json() == {
        "dataset": f"{data}@1",
        "model_versions": [],
        "deployments": [],
    }


def test_names_are_the_one_thing_that_creating_tells(shelf: Vault) -> None:
    """Who may create in a namespace learns that a name is taken, and nothing else about it."""
    taken = shelf.world.post("/models", api_bodies.model("classifier"), by="junior")
    assert taken.status_code == 409
    assert (
        shelf.world.post("/models", api_bodies.model("classifier"), by="stranger").status_code
        == 404
    )
    assert set(taken.json()) == {"type", "title", "status", "code", "detail"}
    assert CONFIDENTIAL.level not in taken.text
    assert "restricted" not in taken.text
