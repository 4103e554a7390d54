from typing import Any

import pytest
from sqlalchemy import select

from bailiwick.lineage import DatasetVersion
from bailiwick.registry import Deployment, RegisteredModel
from support import api_bodies
from support.api_world import SECRET, World

MODEL = "/models/finance/classifier"
FILE = f"{MODEL}/versions/1/files/model.safetensors"


@pytest.fixture
def deployment(world: World) -> Deployment:
    """A champion that runs, and all that led there."""
    return world.running()


def test_a_model_is_registered_read_listed_and_described(world: World) -> None:
    made = world.post("/models", api_bodies.model(description="reads notes"))
    assert made.status_code == 201
    told = made.json()
    assert told["label"] == api_bodies.LABEL
    assert told["aliases"] == {}
    assert world.get("/models/finance/notes").json() == told
    assert world.get("/models").json() == {"items": [told], "next_cursor": None}
    assert world.get("/models?namespace=other").json()["items"] == []
    changed = world.patch("/models/finance/notes", {"description": "new"})
    assert changed.json() == told | {"description": "new"}


@pytest.mark.parametrize("name", ["", "Big", "a/b", "a b", "-a", "ä", "a" * 101, "a\n"])
def test_a_name_that_is_no_slug_is_refused(world: World, name: str) -> None:
    assert world.post("/models", api_bodies.model(name)).status_code == 422


def test_a_name_is_taken_once(world: World) -> None:
    world.post("/models", api_bodies.model())
    answer = world.post("/models", api_bodies.model())
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")


def test_nobody_registers_above_their_clearance(world: World) -> None:
    world.join("junior", "engineer", clearance="internal")
    answer = world.post("/models", api_bodies.model(), by="junior")
    assert answer.status_code == 404
    low = api_bodies.LABEL | {"level": "internal"}
    assert world.post("/models", api_bodies.model(label=low), by="junior").status_code == 201


def test_a_role_counts_in_its_namespace_only(world: World) -> None:
    world.join("clerk", "engineer", namespace="people")
    world.post("/models", api_bodies.model())
    assert world.get("/models", by="clerk").json()["items"] == []
    assert world.get("/models/finance/notes", by="clerk").status_code == 404
    assert world.post("/models", api_bodies.model("x"), by="clerk").status_code == 404
    own = api_bodies.model("x", namespace="people")
    assert world.post("/models", own, by="clerk").status_code == 201


@pytest.mark.usefixtures("deployment")
class TestVersions:
    def test_a_version_tells_where_it_came_from_and_what_the_gates_said(self, world: World) -> None:
        told = world.get(f"{MODEL}/versions/1").json()
        assert (told["model"], told["number"]) == ("finance/classifier", 1)
        assert told["label"] == api_bodies.LABEL
        assert told["evaluation"]["passed"] is True
        assert told["manifest"][0]["path"] == "model.safetensors"
        assert world.get(f"/runs/{told['run_id']}").json()["outputs"] == [
            f"model-version:{told['id']}"
        ]
        assert world.get(f"{MODEL}/versions").json()["items"] == [told]

    @pytest.mark.parametrize("number", ["2", "0", "-1"])
    def test_a_version_that_is_not_there_is_not_found(self, world: World, number: str) -> None:
        assert world.get(f"{MODEL}/versions/{number}").status_code == 404

    def test_a_file_is_sent_as_it_was_registered(self, world: World) -> None:
        answer = world.get(FILE)
        manifest = world.get(f"{MODEL}/versions/1").json()["manifest"]
        assert answer.headers["Content-Type"] == "application/octet-stream"
        assert len(answer.content) == manifest[0]["size_bytes"]

    @pytest.mark.parametrize("path", ["other", "../model.safetensors", "%2e%2e/x", "/etc/passwd"])
    def test_only_files_of_the_manifest_are_sent(self, world: World, path: str) -> None:
        assert world.get(f"{MODEL}/versions/1/files/{path}").status_code == 404

    def test_weights_are_content_and_not_for_auditors(self, world: World) -> None:
        assert world.get(FILE, by="auditor").status_code == 403
        assert world.get(FILE, by="robot").status_code == 200

    def test_a_damaged_blob_is_told_and_not_sent(self, world: World) -> None:
        digest = world.get(f"{MODEL}/versions/1").json()["manifest"][0]["sha256"]
        world.platform.blobs.path_of(digest).write_bytes(b"rotten")
        answer = world.get(FILE)
        assert (answer.status_code, answer.json()["code"]) == (500, "corrupt-blob")
        assert "restore" in answer.json()["detail"]
        assert b"rotten" not in answer.content

    def test_a_missing_blob_is_told(self, world: World) -> None:
        digest = world.get(f"{MODEL}/versions/1").json()["manifest"][0]["sha256"]
        world.platform.blobs.path_of(digest).unlink()
        assert "backup" in world.get(FILE).json()["detail"]

    def test_the_alias_and_its_history_are_read(self, world: World) -> None:
        alias = world.get(f"{MODEL}/aliases/champion").json()
        assert (alias["alias"], alias["version"]) == ("champion", 1)
        moves = world.get(f"{MODEL}/history").json()["items"]
        assert {(move["alias"], move["old_version_id"]) for move in moves} == {
            ("champion", None),
            ("challenger", None),
        }
        missing = world.get(f"{MODEL}/aliases/best")
        assert missing.status_code == 404
        assert "best" in missing.json()["detail"]

    def test_without_approval_nobody_promotes_not_even_an_admin(self, world: World) -> None:
        _train(world)
        for by in ("engineer", "admin", "robot"):
            answer = world.ask(
                "PUT", f"{MODEL}/aliases/champion", by=by, json={"version": 2, "reason": "mine"}
            )
            assert answer.status_code == 403
            assert answer.json()["policies"] == ["promotion-needs-approvals"]
        assert world.get(f"{MODEL}/aliases/champion").json()["version"] == 1

    def test_asked_approved_promoted_and_rolled_back(self, world: World) -> None:
        _train(world)
        subject = {"type": "model-version", "model": "finance/classifier", "version": 2}
        asked = world.post("/approvals", {"subject": subject}).json()
        own = world.post(f"/approvals/{asked['id']}/decide", {"approve": True})
        assert own.status_code == 403
        decided = world.post(
            f"/approvals/{asked['id']}/decide", {"approve": True, "comment": "yes"}, by="approver"
        )
        assert (decided.json()["state"], decided.json()["votes"][0]["comment"]) == (
            "approved",
            "yes",
        )
        body = {"version": 2, "reason": "better"}
        promoted = world.ask("PUT", f"{MODEL}/aliases/champion", by="engineer", json=body)
        assert promoted.json()["version"] == 2
        assert world.get("/deployments").json()["items"][0]["rollout"]["version"] == 2
        back = world.post(f"{MODEL}/aliases/champion/rollback", {"reason": "worse"})
        assert back.json()["version"] == 1
        again = world.post(f"{MODEL}/aliases/champion/rollback", {"reason": "worse"})
        assert again.status_code == 409
        moves = world.get(f"{MODEL}/history").json()["items"]
        assert [m["reason"] for m in moves if m["alias"] == "champion"][:2] == ["worse", "better"]

    def test_an_approval_is_decided_once_and_by_an_approver(self, world: World) -> None:
        _train(world)
        subject = {"type": "model-version", "model": "finance/classifier", "version": 2}
        asked = world.post("/approvals", {"subject": subject}).json()
        path = f"/approvals/{asked['id']}/decide"
        assert world.post(path, {"approve": True}, by="steward").status_code == 403
        assert world.post(path, {"approve": False}, by="approver").json()["state"] == "rejected"
        late = world.post(path, {"approve": True}, by="approver")
        assert (late.status_code, "rejected already" in late.json()["detail"]) == (409, True)
        listed = world.get("/approvals?state=rejected").json()["items"]
        assert [item["id"] for item in listed] == [asked["id"]]

    def test_a_version_without_passed_gates_has_nothing_to_approve(self, world: World) -> None:
        _train(world, accuracy=0.1)
        subject = {"type": "model-version", "model": "finance/classifier", "version": 2}
        answer = world.post("/approvals", {"subject": subject})
        assert answer.status_code == 409
        assert "gates" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("changes", "status", "said"),
    [
        ({"environment": "nowhere"}, 404, "nowhere"),
        ({"model": "finance/nothing"}, 404, "no such thing"),
        ({"purpose": "human-resources"}, 403, "purpose"),
        ({"pinned_version": 9}, 404, "no such thing"),
        ({"keeps_text": True}, 403, "keep text"),
        ({"name": "cards"}, 409, "already"),
    ],
)
def test_a_deployment_that_cannot_be_is_refused_in_words(
    world: World, deployment: Deployment, changes: dict[str, Any], status: int, said: str
) -> None:
    body = {
        "namespace": "finance",
        "name": "second",
        "model": "finance/classifier",
        "environment": "ledger",
        "purpose": "accounting",
    }
    answer = world.post("/deployments", body | changes)
    assert answer.status_code == status
    assert said in answer.json()["detail"]
    assert len(world.get("/deployments").json()["items"]) == 1
    assert deployment.name == "cards"


def test_an_environment_below_the_label_is_refused_and_names_the_policy(world: World) -> None:
    world.running(label=SECRET)
    place = {"name": "open", "zone": "eu", "clearance_level": "internal"}
    assert world.post("/environments", place, by="admin").status_code == 201
    body = {
        "namespace": "finance",
        "name": "second",
        "model": "finance/classifier",
        "environment": "open",
        "purpose": "accounting",
    }
    answer = world.post("/deployments", body)
    assert (answer.status_code, answer.json()["policies"]) == (403, ["no-deploy-up"])
    denied = world.get("/decisions?allowed=false").json()["items"][0]
    assert (denied["action"], denied["id"]) == ("deployment:serve", answer.json()["decision"])


def test_environments_are_listed_and_read_by_whoever_holds_a_role(
    world: World, deployment: Deployment
) -> None:
    world.join("clerk", "engineer", namespace="people").join("outsider")
    (listed,) = world.get("/environments", by="clerk").json()["items"]
    assert world.get("/environments/ledger", by="clerk").json() == listed
    assert listed["id"] == str(deployment.environment_id)
    for path in ("/environments", "/environments/ledger", "/environments/none"):
        assert world.get(path, by="outsider").status_code == 403


def test_a_deployment_is_stopped_and_started_with_if_match(
    world: World, deployment: Deployment
) -> None:
    path = f"/deployments/{deployment.id}"
    tag = world.get(path).headers["ETag"]
    stopped = world.patch(path, {"state": "stopped"}, headers={"If-Match": tag})
    assert stopped.json()["state"] == "stopped"
    stale = world.patch(path, {"state": "active"}, headers={"If-Match": tag})
    assert stale.status_code == 412
    assert world.patch(path, {"state": "resting"}).status_code == 422


def _train(world: World, accuracy: float = 0.8) -> None:
    """A second version, judged by the gates."""
    with world.platform.database.transaction() as session:
        model = session.scalars(select(RegisteredModel)).one()
        data = session.scalars(select(DatasetVersion)).one()
        world.factory(session).model_version(model, data, accuracy=accuracy)
