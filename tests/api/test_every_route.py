"""What holds for every operation, found by walking the OpenAPI document."""

from typing import Any

import pytest
from sqlalchemy import select

from bailiwick.lineage import Content, DatasetVersion, Node, add_dataset_version
from bailiwick.policy import Decision
from support.api_everything import Places, elsewhere, furnish, reach
from support.api_routes import OPEN, Operation, operations
from support.api_world import SECRET, World

# Their answers are the same for everybody who is signed in, or name no data at all.
ABOUT_ALL = {
    "/me",
    "/principal-names",
    "/policies",
    "/classifications",
    "/environments",
    "/environments/{name}",
}
# What the whole installation works by; whoever holds a role anywhere reads it.
RULES = {"/policies/bundles"}
# Who decides in whose place in a namespace: it says nothing of what lies there.
UNLABELLED = "/delegations"

COPIED = (
    "rows_blob",
    "columns",
    "text_columns",
    "label_column",
    "date_column",
    "rows",
    "first_time",
    "last_time",
)


@pytest.fixture
def every(world: World) -> list[Operation]:
    """Every governed operation."""
    document = world.get("//openapi.json", by=None).json()
    return [operation for operation in operations(document) if operation.path not in OPEN]


@pytest.fixture
def secret(world: World) -> Places:
    """Everything, above the clearance of `junior`, who holds every role that works."""
    places = furnish(world, SECRET)
    world.join("junior", "engineer", "steward", "service", "approver", clearance="internal")
    return places


def test_without_a_token_nothing_is_answered(world: World, every: list[Operation]) -> None:
    places = furnish(world)
    answers = {(o.method, o.path): reach(world, o, places, by=None).status_code for o in every}
    assert set(answers.values()) == {401}


def test_without_a_role_there_is_no_data(world: World, every: list[Operation]) -> None:
    places = furnish(world)
    world.join("outsider")
    for operation in every:
        path = operation.path.removeprefix("/api/v1")
        answer = reach(world, operation, places, by="outsider")
        if path in ABOUT_ALL - {"/environments", "/environments/{name}"}:
            assert answer.status_code == 200
        elif operation.action == "self:update":
            assert answer.is_success or answer.json()["code"] == "conflict"  # no passwords here
        elif path == "/decisions":
            own = str(world.principals["outsider"].id)
            assert {item["principal_id"] for item in answer.json()["items"]} == {own}
            assert {item["namespace"] for item in answer.json()["items"]} == {None}
        elif answer.status_code == 200:
            assert answer.json().get("items") == [], (operation.method, path)
        else:
            assert answer.status_code in {403, 404}, (operation.method, path, answer.text)


def test_what_is_hidden_answers_exactly_like_what_is_not_there(
    world: World, every: list[Operation], secret: Places
) -> None:
    nowhere = elsewhere(secret)
    differing = []
    asked = 0
    for operation in every:
        hidden = reach(world, operation, secret, by="junior")
        absent = reach(world, operation, nowhere, by="junior")
        if asks(hidden) == asks(absent) or UNLABELLED in operation.path:
            continue
        asked += 1
        if told(hidden) != told(absent):
            differing.append((operation.method, operation.path, hidden.text, absent.text))
        assert hidden.status_code == 404, (operation.method, operation.path, hidden.text)
    assert differing == []
    assert asked > 35


def test_wrong_input_does_not_tell_them_apart_either(world: World, secret: Places) -> None:
    order = {"dataset": "finance/none", "dataset_versions": [1], "purpose": "odd"}
    mine = {"namespace": "finance", "name": "x", "purpose": "odd", "environment": "none"}
    pairs: list[tuple[str, dict[str, Any]]] = [
        ("/jobs", order | {"risk_tier": "odd", "recipe_name": "odd"}),
        ("/deployments", mine | {"pinned_version": 7}),
    ]
    for path, body in pairs:
        hidden = world.post(path, body | {"model": "finance/classifier"}, by="junior")
        absent = world.post(path, body | {"model": "finance/nothing"}, by="junior")
        assert told(hidden) == told(absent)
    subject = {"type": "model-version", "model": "finance/classifier", "version": 1}
    hidden = world.post("/approvals", {"subject": subject}, by="junior")
    absent = world.post("/approvals", {"subject": subject | {"version": 9}}, by="junior")
    assert told(hidden) == told(absent)
    named = {"deployment_id": secret["deployment_id"], "acts_as": "nobody"}
    hidden = world.post("/monitors", named, by="junior")
    absent = world.post("/monitors", named | {"deployment_id": elsewhere(secret)["job_id"]})
    assert told(hidden) == told(absent)


def test_lists_and_counts_tell_nothing_of_what_is_hidden(
    world: World, every: list[Operation], secret: Places
) -> None:
    lists = [
        o
        for o in every
        if o.method == "GET" and "{" not in o.path and "node" not in str(o.document)
    ]
    seen = {o.path: reach(world, o, secret, by="junior") for o in lists}
    for path, answer in seen.items():
        if path.removeprefix("/api/v1") in ABOUT_ALL | RULES | {UNLABELLED}:
            continue
        assert secret["deployment_id"] not in answer.text
        assert "classifier" not in answer.text, path
        assert "purchases" not in answer.text, path
        if path.endswith("/decisions"):  # what was refused them about the installation
            assert {item["namespace"] for item in answer.json()["items"]} <= {None}
        elif answer.status_code == 200 and path != "/metrics":
            assert answer.json()["items"] == [], path
    metrics = [line for line in seen["/metrics"].text.splitlines() if line[:1] not in {"#", ""}]
    own = "bailiwick_decisions_last_day{"  # what they asked themselves about the installation
    assert [line for line in metrics if not line.startswith(own)] == [
        "bailiwick_alerts_unresolved 0.0",
        "bailiwick_oldest_undelivered_message_seconds 0.0",
        "bailiwick_checks_lag_seconds 0.0",
    ]
    assert 'bailiwick_jobs{kind="train"' in world.get("//metrics").text


def test_a_denial_that_hid_something_is_hidden_from_whom_it_hid_it(
    world: World, secret: Places
) -> None:
    assert world.get("/models/finance/classifier", by="junior").status_code == 404
    with world.platform.database.reading() as session:
        hidden = [
            decision
            for decision in session.query(Decision).filter(Decision.allowed.is_(False))
            if decision.principal_id == world.principals["junior"].id
        ]
    assert [decision.action for decision in hidden] == ["model:read"]
    assert world.get("/decisions", by="junior").json()["items"] == []
    path = f"/decisions/{hidden[0].id}"
    absent = world.get(f"/decisions/{secret['job_id']}", by="junior")
    assert told(world.get(path, by="junior")) == told(absent)
    assert world.get(path, by="auditor").json()["action"] == "model:read"


def test_ones_own_denials_about_what_one_may_see_can_be_read(world: World) -> None:
    furnish(world)
    denied = world.ask(
        "PATCH", "/models/finance/classifier", by="auditor", json={"description": ""}
    )
    assert (denied.status_code, denied.json()["policies"]) == (403, ["auditors-only-read"])
    own = world.get(f"/decisions/{denied.json()['decision']}", by="auditor").json()
    assert (own["action"], own["allowed"]) == ("model:update", False)
    refused = world.post("/principals", {"name": "x", "kind": "person"}, by="steward")
    assert refused.status_code == 404  # stewards may not see principals at all
    items = world.get("/decisions?allowed=false", by="steward").json()["items"]
    assert [item["action"] for item in items] == ["model:update", "principal:create"][::-1]


def test_lineage_keeps_the_place_of_what_is_hidden_and_not_its_name(world: World) -> None:
    furnish(world)
    world.join("analyst", "engineer", clearance="confidential")
    with world.platform.database.transaction() as session:
        make = world.factory(session)
        source = session.scalars(select(DatasetVersion)).one()
        derived = make.dataset("audits", label=SECRET)
        add_dataset_version(
            session,
            derived,
            Content(**{f: getattr(source, f) for f in COPIED} | {"content_digest": "f" * 64}),
            scheme=world.platform.rules.scheme,
            kind="prepare",
            inputs=[(Node("dataset-version", source.id), "finance/purchases", source.label_id)],
            started_at=make.at,
            actor_id=make.engineer.id,
            at=make.at,
        )
    path = "/lineage?direction=down&node=dataset:finance/purchases@1"
    everything = {step["target"]["name"] for step in world.get(path).json()["steps"]}
    assert everything == {"finance/classifier@1", "finance/audits@1"}
    answer = world.get(path, by="analyst")
    targets = [step["target"] for step in answer.json()["steps"]]
    assert [target["name"] for target in targets if target["type"] == "dataset-version"] == [None]
    assert "audits" not in answer.text
    impact = world.get("/lineage/impact?dataset=finance/purchases@1", by="analyst").json()
    assert [node["name"] for node in impact["model_versions"]] == ["finance/classifier@1"]
    assert impact["deployments"] == ["finance/cards"]


def told(answer: Any) -> tuple[int, bytes, str | None]:
    """What a caller can tell from an answer."""
    return answer.status_code, answer.content, answer.headers.get("ETag")


def asks(answer: Any) -> tuple[str, bytes]:
    """What was asked."""
    return str(answer.request.url), answer.request.content
