"""Ways to keep what one had when a label rises, or to find what did not rise with it."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from bailiwick.lifecycle import Platform
from bailiwick.lifecycle.relabelling import relabel_dataset
from bailiwick.lineage import (
    DatasetVersion,
    LineageEdge,
    Run,
    find_dataset,
    find_dataset_version,
)
from bailiwick.policy import Label, intern_label, load_label
from bailiwick.registry import ModelVersion, find_environment, find_model
from support import api_bodies
from support.api_world import SECRET, World
from support.escapes import arrived, denied_by, founded, label_of, rows, trained, uploaded


@pytest.fixture(scope="module")
def works(shared_platform: Platform) -> Iterator[World]:
    """Each test works with data and models of its own names."""
    world = founded(shared_platform)
    world.join("junior", "engineer", "steward", "approver", clearance="confidential")
    world.join("admin", "admin").join("stranger", "steward", namespace="people")
    with world.platform.database.transaction() as session:
        world.factory(session).environment(clearance="confidential")
    yield world
    world.client.close()


def raised(world: World, path: str, label: Label = SECRET) -> None:
    """The steward learns that the dataset is more sensitive than was thought."""
    platform = world.platform
    with platform.database.transaction() as session:
        make = world.factory(session)
        steward = make.actor(session.merge(world.principals["steward"]))
        dataset = find_dataset(session, *path.split("/"))
        by: Any = {"rules": platform.rules, "actor": steward, "at": make.at}
        relabel_dataset(session, dataset, label, reason="it holds health data", **by)


def level(world: World, path: str) -> str:
    """Of the dataset version or model version at this path of the API."""
    answered: str = world.get(path).json()["label"]["level"]
    return answered


def crowned(world: World, model: str) -> None:
    """Another person approves the model's first version, and it becomes champion."""
    with world.platform.database.transaction() as session:
        make = world.factory(session)
        found = find_model(session, *model.split("/"))
        make.champion(session.scalars(select(ModelVersion).filter_by(model_id=found.id)).one())


# ---- Copies --------------------------------------------------------------------------------


def test_a_copy_that_was_there_before_the_original_got_its_label(works: World) -> None:
    """Whoever brings a file in early, under a low label, keeps it no longer than the others."""
    csv = rows("Early")
    uploaded(works, "finance/early", label=label_of("internal"), csv=csv, by="junior")
    model, _ = trained(works, "finance/early")
    arrived(works, "finance/proper", label=label_of("restricted"), csv=csv)
    assert level(works, "/datasets/finance/early/versions/1") == "restricted"
    assert level(works, f"/models/{model}/versions/1") == "restricted"
    for path in ("/datasets/finance/early/versions/1", f"/models/{model}/versions/1"):
        assert works.get(path, by="junior").status_code == 404


def test_a_copy_of_data_whose_label_rises(works: World) -> None:
    csv = rows("Followed")
    uploaded(works, "finance/source", csv=csv)
    uploaded(works, "people/followed", csv=csv)
    raised(works, "finance/source")
    assert level(works, "/datasets/people/followed/versions/1") == "restricted"


def test_an_original_whose_copys_label_rises(works: World) -> None:
    csv = rows("Mirrored")
    uploaded(works, "finance/first", csv=csv)
    model, _ = trained(works, "finance/first")
    uploaded(works, "people/mirror", csv=csv)
    raised(works, "people/mirror")
    assert level(works, "/datasets/finance/first/versions/1") == "restricted"
    assert level(works, f"/models/{model}/versions/1") == "restricted"


# ---- Who may raise, and lower --------------------------------------------------------------


@pytest.mark.parametrize(
    "label",
    [
        label_of("internal"),
        label_of("restricted", compartments=[]),
        label_of("restricted", residency=["world"]),
        label_of("restricted", purposes=["accounting", "research"]),
    ],
    ids=["level", "compartments", "residency", "purposes"],
)
def test_lowering_one_part_of_a_label_while_another_rises(works: World, label: Any) -> None:
    data = uploaded(works, f"finance/lower-{len(str(label))}", csv=rows(str(len(str(label)))))
    with works.platform.database.transaction() as session:
        make = works.factory(session)
        steward = make.actor(session.merge(works.principals["steward"]))
        by: Any = {"rules": works.platform.rules, "actor": steward, "at": make.at}
        dataset = find_dataset(session, *data.split("/"))
        with pytest.raises(Exception, match="a label only rises"):
            relabel_dataset(session, dataset, Label.from_dict(label), reason="x", **by)
    assert level(works, f"/datasets/{data}") == "confidential"


# ---- What was allowed before ---------------------------------------------------------------


def test_an_approval_that_was_given_under_the_old_label(works: World) -> None:
    uploaded(works, "finance/approved", csv=rows("Approved"))
    model, _ = trained(works, "finance/approved")
    subject = {"type": "model-version", "model": model, "version": 1}
    request = works.post("/approvals", {"subject": subject}).json()["id"]
    voted = works.post(f"/approvals/{request}/decide", {"approve": True}, by="approver")
    assert voted.json()["state"] == "approved"
    raised(works, "finance/approved")
    path = f"/models/{model}/aliases/champion"
    answer = works.ask("PUT", path, by="engineer", json={"version": 1, "reason": "x"})
    assert denied_by(answer) == ["promotion-needs-approvals"]


def test_answering_a_request_that_was_made_under_the_old_label(works: World) -> None:
    uploaded(works, "finance/asked", csv=rows("Asked"))
    model, _ = trained(works, "finance/asked")
    subject = {"type": "model-version", "model": model, "version": 1}
    request = works.post("/approvals", {"subject": subject}).json()["id"]
    raised(works, "finance/asked")
    assert (
        works.post(f"/approvals/{request}/decide", {"approve": True}, by="junior").status_code
        == 404
    )
    late = works.post(f"/approvals/{request}/decide", {"approve": True}, by="approver")
    assert late.status_code == 409


def test_what_was_said_about_it_before(works: World) -> None:
    """Requests, comments and the evaluation on the console's page rise with their subject."""
    uploaded(works, "finance/discussed", csv=rows("Discussed"))
    model, _ = trained(works, "finance/discussed")
    subject = {"type": "model-version", "model": model, "version": 1}
    request = works.post("/approvals", {"subject": subject}).json()["id"]
    assert works.get(f"/approvals/{request}", by="junior").status_code == 200
    assert model in works.get("//console/approvals", by="junior").text
    raised(works, "finance/discussed")
    assert works.get(f"/approvals/{request}", by="junior").status_code == 404
    assert request not in works.get("/approvals?limit=500", by="junior").text
    assert model not in works.get("//console/approvals", by="junior").text
    assert works.get(f"/approvals/{request}/comments", by="junior").status_code == 404


def test_the_job_that_made_it(works: World) -> None:
    uploaded(works, "finance/worked", csv=rows("Worked"))
    model, _ = trained(works, "finance/worked")
    with works.platform.database.reading() as session:
        found = find_model(session, *model.split("/"))
        identifier = str(found.id)
    (job,) = works.get(f"/jobs?subject_id={identifier}", by="junior").json()["items"]
    raised(works, "finance/worked")
    assert works.get(f"/jobs?subject_id={identifier}", by="junior").json()["items"] == []
    for path in ("", "/events"):
        assert works.get(f"/jobs/{job['id']}{path}", by="junior").status_code == 404
    assert works.get(f"//console/jobs/{job['id']}", by="junior").status_code == 404


def test_everything_that_was_made_from_it_through_any_number_of_hops(works: World) -> None:
    uploaded(works, "finance/spring", csv=rows("Spring"))
    model, _ = trained(works, "finance/spring")
    crowned(works, model)
    with works.platform.database.transaction() as session:
        make = works.factory(session)
        found = find_model(session, *model.split("/"))
        deployment = make.deployment(found, find_environment(session, "ledger"), name="spring")
        identifier = str(deployment.id)
    paths = [
        "/datasets/finance/spring",
        "/datasets/finance/spring/versions/1",
        f"/models/{model}",
        f"/models/{model}/versions/1",
        f"/models/{model}/versions/1/files/model.safetensors",
        f"/models/{model}/history",
        f"/models/{model}/aliases/champion",
        f"/deployments/{identifier}",
        f"/deployments/{identifier}/rollout",
        f"/lineage?node=model:{model}@1",
    ]
    assert [works.get(path, by="junior").status_code for path in paths] == [200] * len(paths)
    tags = [works.get(path, by="junior").headers.get("etag", "*") for path in paths]
    raised(works, "finance/spring")
    for path, tag in zip(paths, tags, strict=True):
        answer = works.get(path, by="junior", headers={"If-None-Match": tag})
        assert answer.status_code == 404, path
    asked = works.post(f"/deployments/{identifier}/predict", api_bodies.instances("a"), by="junior")
    assert asked.status_code == 404
    for path in ("/models", "/datasets", "/deployments", "/runs"):
        text = works.get(f"{path}?limit=500", by="junior").text
        assert "spring" not in text


def test_going_back_to_a_version_whose_label_has_risen(works: World) -> None:
    uploaded(works, "finance/older", csv=rows("Older"))
    uploaded(works, "finance/newer", csv=rows("Newer"))
    model, _ = trained(works, "finance/older")
    crowned(works, model)
    with works.platform.database.transaction() as session:
        make = works.factory(session)
        found = find_model(session, *model.split("/"))
        found.label_id = intern_label(session, SECRET)
        newer = find_dataset(session, "finance", "newer")
        make.champion(make.model_version(found, find_dataset_version(session, newer, 1)))
        make.deployment(found, find_environment(session, "ledger"), name="older")
    raised(works, "finance/older")
    answer = works.post(f"/models/{model}/aliases/champion/rollback", {"reason": "x"})
    assert denied_by(answer) == ["no-deploy-up"]
    assert works.get(f"/models/{model}/aliases/champion").json()["version"] == 2


def test_a_key_that_was_used_before_it_rose(works: World) -> None:
    """The kept answer is what its asker was told already; somebody with other rights gets none."""
    body = api_bodies.model("kept-answer")
    key = {"Idempotency-Key": "rising"}
    assert works.post("/datasets", body, by="junior", headers=key).status_code == 201
    raised(works, "finance/kept-answer")
    assert works.get("/datasets/finance/kept-answer", by="junior").status_code == 404
    with works.platform.database.reading() as session:
        label = find_dataset(session, "finance", "kept-answer").label_id
    again = works.post("/datasets", body, by="junior", headers=key)
    assert again.status_code == 201
    assert label not in again.text
    assert again.json()["label"]["level"] == "confidential", "what was said then, and no more"


def test_a_stored_label_that_does_not_dominate_what_it_was_made_from(works: World) -> None:
    """Whatever the tests before have moved: every run wrote at least what it read."""
    scheme = works.platform.rules.scheme
    compared = 0
    with works.platform.database.reading() as session:
        for run in session.scalars(select(Run)):
            ends = {direction: labels(session, run, direction) for direction in ("input", "output")}
            for made_of in ends["input"]:
                for own in ends["output"]:
                    assert scheme.dominates(own, made_of)
                    compared += 1
    assert compared > 5


def labels(session: Session, run: Run, direction: str) -> list[Label]:
    """Those of what the run read or wrote."""
    edges = session.scalars(select(LineageEdge).filter_by(run_id=run.id, direction=direction))
    tables: Any = {"dataset-version": DatasetVersion, "model-version": ModelVersion}
    found = [session.get_one(tables[edge.node_type], edge.node_id) for edge in edges]
    return [load_label(session, one.label_id) for one in found]
