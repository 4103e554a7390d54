"""Waivers and approvals from outside: what one asks, sees, votes, and what then acts."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from bailiwick.access import issue_token
from bailiwick.lifecycle.relabelling import relabel_dataset
from bailiwick.lineage import Dataset, Run
from bailiwick.policy import Decision, Label
from support import api_bodies
from support.api_world import SECRET, World

DATASET = {"type": "dataset", "dataset": "finance/purchases"}
VERSION = {"type": "model-version", "model": "finance/classifier", "version": 1}
LOW = api_bodies.LABEL | {"level": "internal"}
PATHS: dict[str, Callable[[str], tuple[dict[str, Any], str]]] = {
    "dataset": lambda _: (DATASET, "/datasets/finance/purchases"),
    "dataset version": lambda _: (
        DATASET | {"type": "dataset-version", "version": 1},
        "/datasets/finance/purchases/versions/1",
    ),
    "model version": lambda _: (VERSION, "/models/finance/classifier/versions/1"),
    "deployment": lambda identifier: (
        {"type": "deployment", "id": identifier},
        f"/deployments/{identifier}",
    ),
}


@pytest.fixture
def deployment(world: World) -> str:
    """What runs; `junior` is cleared for nothing of it."""
    running = world.running()
    world.join("junior", "engineer", clearance="internal")
    return str(running.id)


def asked(world: World, subject: dict[str, Any], **changes: Any) -> dict[str, Any]:
    body = api_bodies.waiver(subject, **changes) | {"label": LOW}
    answer = world.post("/waivers", body)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def voted(world: World, approval_id: str, *, by: str = "approver", **more: Any) -> Any:
    return world.post(f"/approvals/{approval_id}/decide", {"approve": True} | more, by=by)


def acting(world: World, subject: dict[str, Any]) -> str:
    waiver = asked(world, subject)
    assert voted(world, waiver["approval_id"]).json()["state"] == "approved"
    return str(waiver["id"])


@pytest.mark.parametrize("kind", PATHS)
def test_what_is_waived_is_read_listed_and_says_so(
    world: World, deployment: str, kind: str
) -> None:
    subject, path = PATHS[kind](deployment)
    assert world.get(path, by="junior").status_code == 404
    assert world.get(path).json()["waivers"] == []
    waiver_id = acting(world, subject)
    seen = world.get(path, by="junior").json()
    assert seen["label"] == api_bodies.LABEL  # its own label is the one that is shown
    (acts,) = seen["waivers"]
    assert (acts["id"], acts["kind"], acts["label"]["level"]) == (
        waiver_id,
        "declassification",
        "internal",
    )
    if kind in ("dataset", "deployment"):
        listed = world.get(f"/{kind}s", by="junior").json()["items"]
        assert [item["id"] for item in listed] == [seen["id"]]
    end = f"/waivers/{waiver_id}/end"
    assert world.post(end, {"reason": "names were found"}).json()["state"] == "ended"
    assert world.get(path, by="junior").status_code == 404
    assert world.get(path).json()["waivers"] == []


def test_a_waiver_says_what_it_is_about_who_asked_and_how_it_stands(
    world: World, deployment: str
) -> None:
    assert deployment
    waiver = asked(world, VERSION)
    path = f"/waivers/{waiver['id']}"
    assert waiver["state"] == "requested"
    assert waiver["subject"] == "finance/classifier@1"
    assert (waiver["label"]["level"], waiver["waived_label"]["level"]) == (
        "confidential",
        "internal",
    )
    approval = world.get(f"/approvals/{waiver['approval_id']}", by="approver").json()
    assert approval["subject"] == "label of finance/classifier@1"
    assert (approval["subject_type"], approval["purpose"]) == ("waiver", "waive")
    voted(world, waiver["approval_id"])
    shown = world.get(path, by="auditor").json()
    assert (shown["state"], shown["void"]) == ("active", None)
    assert [one["id"] for one in world.get("/waivers?state=active").json()["items"]] == [
        waiver["id"]
    ]
    assert world.get("/waivers?state=requested").json()["items"] == []
    about = f"/waivers?subject_id={shown['subject_id']}"
    assert len(world.get(about).json()["items"]) == 1
    assert world.get(path, by="junior").status_code == 404
    assert world.get("/waivers", by="junior").json()["items"] == []


def test_time_ends_it_without_any_tick(world: World, deployment: str, clock: Any) -> None:
    assert deployment
    waiver = acting(world, DATASET)
    clock.advance_to(clock.now().replace(month=2, day=1, hour=0))
    assert world.get("/datasets/finance/purchases", by="junior").status_code == 404
    assert world.get(f"/waivers/{waiver}").json()["state"] == "expired"
    assert [one["id"] for one in world.get("/waivers?state=expired").json()["items"]] == [waiver]
    ended = world.post(f"/waivers/{waiver}/end", {"reason": "x"})
    assert (ended.status_code, "is expired" in ended.text) == (409, True)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"expires_at": "2027-02-01T00:00:00Z"}, "within 365 days"),
        ({"expires_at": "2025-02-01T00:00:00Z"}, "within 365 days"),
        ({"expires_at": "2026-02-01T00:00:00"}, ""),
        ({"reason": " "}, "needs its reason"),
        ({"evidence": ""}, "needs its evidence"),
        ({"label": api_bodies.LABEL | {"level": "restricted"}}, "only lowers"),
        ({"label": api_bodies.LABEL | {"level": "secret"}}, "no level"),
        ({"label": None}, "give one of the two"),
        ({"gate": "min_accuracy"}, "give one of the two"),
        ({"kind": "gate", "label": None, "gate": "min_accuracy"}, "gates are for model versions"),
    ],
)
def test_what_cannot_be_waived_is_refused_with_what_to_do(
    world: World, deployment: str, changes: dict[str, Any], said: str
) -> None:
    assert deployment
    answer = world.post("/waivers", api_bodies.waiver(DATASET) | changes)
    assert answer.status_code == 422
    assert said in answer.text
    assert world.get("/waivers").json()["items"] == []


def test_an_excused_gate_shows_on_the_version(world: World, deployment: str) -> None:
    assert deployment
    with world.platform.database.transaction() as session:
        make = world.factory(session)
        data = make.dataset_version(make.dataset("small"), seed=3)
        make.model_version(make.model("weak"), data, accuracy=0.2)
    path = "/models/finance/weak/versions/1"
    rejections = world.get(path).json()["evaluation"]["rejections"]
    assert [one["gate"] for one in rejections] == ["min_accuracy", "min_gain_over_majority"]
    assert {one["waiver_id"] for one in rejections} == {None}
    waiver = world.post("/waivers", api_bodies.excuse("finance/weak", 1)).json()
    assert (waiver["kind"], waiver["waived_label"]) == ("gate", None)
    voted(world, waiver["approval_id"])
    shown = world.get(path).json()
    assert [one["waiver_id"] for one in shown["evaluation"]["rejections"]] == [waiver["id"], None]
    assert shown["evaluation"]["passed"] is False
    assert shown["evaluation"]["reasons"][0].startswith("accuracy 0.200 is below")
    assert [one["gate"] for one in shown["waivers"]] == ["min_accuracy"]
    passed = world.post("/waivers", api_bodies.excuse("finance/classifier", 1))
    assert (passed.status_code, passed.json()["code"]) == (409, "conflict")


def test_a_decision_that_a_waiver_made_possible_names_it(world: World, deployment: str) -> None:
    assert deployment
    world.join("helper", "steward", clearance="internal")
    waiver_id = acting(world, DATASET)
    mark = {"column": "merchant", "mark": "free-text"}
    assert world.post("/datasets/finance/purchases/marks", mark, by="helper").status_code == 201
    with world.platform.database.reading() as session:
        decision = session.scalars(select(Decision).where(Decision.action == "mark:write")).one()
    assert str(decision.waiver_id) == waiver_id


def test_a_run_on_a_waived_dataset_has_the_true_label(world: World, deployment: str) -> None:
    assert deployment
    for subject in (DATASET, DATASET | {"type": "dataset-version", "version": 1}):
        acting(world, subject)
    with world.platform.database.transaction() as session:
        make = world.factory(session)
        data = session.scalars(select(Run)).all()
        assert data
        found = session.scalars(select(Dataset).where(Dataset.name == "purchases")).one()
        version = make.dataset_version(found, seed=9)
        trained = make.model_version(make.model("later"), version)
        path = f"/models/finance/later/versions/{trained.number}"
    assert world.get(path).json()["label"] == api_bodies.LABEL
    assert world.get(path, by="junior").status_code == 404


def relabelled(world: World, level: str) -> None:
    with world.platform.database.transaction() as session:
        make = world.factory(session)
        dataset = session.scalars(select(Dataset).where(Dataset.name == "purchases")).one()
        relabel_dataset(
            session,
            dataset,
            Label.from_dict(api_bodies.LABEL | {"level": level}),
            reason="it names patients",
            rules=world.platform.rules,
            actor=make.actor(session.merge(world.principals["steward"])),
            at=make.at,
        )


def test_when_the_label_rises_waivers_end_and_approvals_are_void_and_say_why(
    world: World, deployment: str
) -> None:
    assert deployment
    policy = world.post("/waivers", api_bodies.waiver(DATASET)).json()
    waiver_id = acting(world, VERSION)
    relabelled(world, "restricted")
    shown = world.get(f"/approvals/{policy['approval_id']}", by="approver").json()
    assert shown["state"] == "withdrawn"
    assert "label has risen" in shown["void"]
    late = voted(world, policy["approval_id"])
    assert (late.status_code, late.json()["code"]) == (409, "conflict")
    ended = world.get(f"/waivers/{waiver_id}").json()
    assert ended["state"] == "ended"
    assert "label" in ended["end_reason"]
    assert world.get("/models/finance/classifier/versions/1", by="junior").status_code == 404


def test_comments_are_said_before_and_after_by_those_who_may(world: World, deployment: str) -> None:
    assert deployment
    approval = asked(world, DATASET)["approval_id"]
    path = f"/approvals/{approval}/comments"
    for by in ("engineer", "approver", "steward", "robot"):
        assert world.post(path, {"text": f"from {by}"}, by=by).status_code == 201
    assert world.post(path, {"text": "x"}, by="auditor").status_code == 403
    assert world.post(path, {"text": "x"}, by="junior").status_code == 404
    assert world.get(path, by="junior").status_code == 404
    assert world.post(path, {"text": ""}).status_code == 422
    assert world.post(path, {"text": " "}).status_code == 422
    page = world.get(f"{path}?limit=3", by="auditor").json()
    assert [one["text"] for one in page["items"]] == ["from robot", "from steward", "from approver"]
    rest = world.get(f"{path}?cursor={page['next_cursor']}", by="auditor").json()
    assert [one["text"] for one in rest["items"]] == ["from engineer"]


def test_the_deadline_is_chosen_and_kept(world: World, deployment: str, clock: Any) -> None:
    assert deployment
    with world.platform.database.transaction() as session:
        make = world.factory(session)
        make.model_version(make.model("next"), make.dataset_version(make.dataset("more"), seed=4))
    subject = VERSION | {"model": "finance/next"}
    late = {"subject": subject, "expires_at": "2026-06-01T00:00:00Z"}
    assert "at most 90 days" in world.post("/approvals", late).text
    asked_for = {"subject": subject, "expires_at": "2026-01-06T08:00:00Z"}
    approval = world.post("/approvals", asked_for).json()
    assert approval["expires_at"] == "2026-01-06T08:00:00Z"
    clock.advance_to(clock.now().replace(day=6))
    path = f"/approvals/{approval['id']}"
    assert world.get(path).json()["state"] == "expired"
    assert [one["id"] for one in world.get("/approvals?state=expired").json()["items"]] == [
        approval["id"]
    ]
    assert approval["id"] not in world.get("/approvals?state=open").text
    assert voted(world, approval["id"]).status_code == 409


def test_who_asked_takes_it_back_and_nobody_else(world: World, deployment: str) -> None:
    assert deployment
    waiver = asked(world, DATASET)
    path = f"/approvals/{waiver['approval_id']}"
    assert world.post(f"{path}/withdraw", by="steward").status_code == 409
    assert world.post(f"{path}/withdraw", by="auditor").status_code == 403
    assert world.post(f"{path}/withdraw").json()["state"] == "withdrawn"
    assert world.get(f"/waivers/{waiver['id']}").json()["state"] == "ended"
    assert voted(world, waiver["approval_id"]).status_code == 409
    assert world.get("/approvals?state=withdrawn").json()["items"][0]["id"] in path


def test_two_tokens_of_one_person_are_one_person(world: World) -> None:
    world.running(label=SECRET)  # a waiver of what is restricted needs two people
    with world.platform.database.transaction() as session:
        approver = session.merge(world.principals["approver"])
        root = world.principals["root"].id
        _, world.tokens["approver again"] = issue_token(
            session, approver, "second", actor_id=root, at=world.platform.clock.now()
        )
    waiver = world.post("/waivers", api_bodies.waiver(DATASET, SECRET.to_dict())).json()
    assert voted(world, waiver["approval_id"]).json()["state"] == "open"
    again = voted(world, waiver["approval_id"], by="approver again")
    assert (again.status_code, "have answered this request already" in again.text) == (409, True)
    assert world.get(f"/waivers/{waiver['id']}").json()["state"] == "requested"
    world.join("other", "approver")
    assert voted(world, waiver["approval_id"], by="other").json()["state"] == "approved"
    assert world.get(f"/waivers/{waiver['id']}").json()["state"] == "active"


def test_a_lent_voice_is_used_shown_listed_and_taken_back(world: World, deployment: str) -> None:
    assert deployment
    first, second = asked(world, DATASET), asked(world, VERSION)
    assert voted(world, first["approval_id"], by="steward").status_code == 403
    lent = world.post("/delegations", api_bodies.delegation(), by="approver")
    assert (lent.status_code, lent.json()["state"]) == (201, "standing")
    lender = lent.json()["from_id"]
    used = voted(world, first["approval_id"], by="steward", voice_id=lender).json()
    (vote,) = used["votes"]
    assert (vote["voice_id"], vote["approver_id"] != lender) == (lender, True)
    for reader in ("steward", "approver", "auditor"):
        assert [one["id"] for one in world.get("/delegations", by=reader).json()["items"]] == [
            lent.json()["id"]
        ]
    path = f"/delegations/{lent.json()['id']}"
    assert world.ask("DELETE", path, by="steward").status_code == 403
    assert world.ask("DELETE", path, by="approver").status_code == 204
    assert world.get("/delegations", by="approver").json()["items"][0]["state"] == "revoked"
    refused = voted(world, second["approval_id"], by="steward", voice_id=lender)
    assert (refused.status_code, "not lent to you" in refused.text) == (409, True)


def test_delegations_elsewhere_are_not_listed_but_ones_own_are(world: World) -> None:
    world.join("away", "approver", namespace="people").join("deputy", "steward", namespace="people")
    body = api_bodies.delegation("deputy", namespace="people")
    assert world.post("/delegations", body, by="away").status_code == 201
    assert world.post("/delegations", body | {"namespace": "*"}, by="away").status_code == 404
    world.join("local", "engineer", namespace="finance")
    assert world.get("/delegations", by="local").json()["items"] == []
    for reader in ("away", "deputy", "auditor"):
        assert len(world.get("/delegations", by=reader).json()["items"]) == 1


def test_a_token_made_for_reading_neither_votes_nor_asks(world: World, deployment: str) -> None:
    assert deployment
    waiver = asked(world, DATASET)
    with world.platform.database.transaction() as session:
        for name in ("approver", "engineer"):
            _, world.tokens[f"{name} reading"] = issue_token(
                session,
                session.merge(world.principals[name]),
                "reads",
                actor_id=world.principals["root"].id,
                at=world.platform.clock.now(),
                scopes=["read"],
            )
    refused = voted(world, waiver["approval_id"], by="approver reading")
    assert refused.json()["policies"] == ["token-scope"]
    body = api_bodies.waiver(DATASET)
    assert world.post("/waivers", body, by="engineer reading").json()["policies"] == ["token-scope"]
    lending = world.post("/delegations", api_bodies.delegation(), by="approver reading")
    assert lending.json()["policies"] == ["token-scope"]
