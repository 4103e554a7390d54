"""Ways to get a model to where its label may not go."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import func, select

from bailiwick.lifecycle import Platform
from bailiwick.lineage import Dataset, DatasetVersion
from bailiwick.policy import DeniedByPolicy, Label, intern_label, load_label
from bailiwick.registry import Environment, ModelVersion, RegisteredModel
from factories import CONFIDENTIAL
from support import api_bodies
from support.api_world import SECRET, World
from support.escapes import denied_by, founded

PLACE = {"zone": "eu", "clearance_level": "restricted", "clearance_compartments": ["finance"]}
RECORD = {
    "record_id": "r",
    "at": "2026-01-01T00:00:00Z",
    "prediction": "Fuel",
    "confidence": 0.5,
    "characters": 1,
    "words": 1,
    "unseen_words_ratio": 0.0,
}


@dataclass(frozen=True)
class Served:
    """A model, champion of confidential data, that may hold restricted data too."""

    world: World
    model: str
    deployment_id: str

    def promote(self, label: Label) -> None:
        """A version that learned from data with this label becomes champion."""
        with self.world.platform.database.transaction() as session:
            make = self.world.factory(session)
            name = self.model.partition("/")[2]
            model = session.scalars(select(RegisteredModel).filter_by(name=name)).one()
            of_level = select(DatasetVersion).join(Dataset, Dataset.id == DatasetVersion.dataset_id)
            data = session.scalars(of_level.where(Dataset.name == label.level)).one()
            make.champion(make.model_version(model, data))

    def deploy_again(self, *, by: str = "engineer", **changes: Any) -> Any:
        """The same model somewhere else, or otherwise."""
        wanted = {"namespace": "finance", "name": f"{self.model.partition('/')[2]}-again"}
        wanted |= {"model": self.model, "environment": "ledger", "purpose": "accounting"}
        return self.world.post("/deployments", wanted | changes, by=by)

    def log(self, record: dict[str, Any], **more: Any) -> Any:
        """A request that was answered elsewhere."""
        path = f"/deployments/{self.deployment_id}/inferences"
        return self.world.post(path, {"records": [record]} | more)

    def shown(self) -> Any:
        """The deployment as the engineer sees it."""
        return self.world.get(f"/deployments/{self.deployment_id}").json()

    def turn(self, state: str, *, by: str = "engineer") -> Any:
        """Start or stop it."""
        return self.world.patch(f"/deployments/{self.deployment_id}", {"state": state}, by=by)


@pytest.fixture(scope="module")
def works(shared_platform: Platform) -> Iterator[World]:
    """Two datasets, confidential and restricted, and a place that is cleared for the first."""
    world = founded(shared_platform)
    world.join("admin", "admin").join("low", "engineer", "service", clearance="internal")
    world.join("middle", "engineer", clearance="confidential")
    with world.platform.database.transaction() as session:
        make = world.factory(session)
        for seed, label in enumerate((CONFIDENTIAL, SECRET)):
            make.dataset_version(make.dataset(label.level, label=label), rows=60, seed=seed)
        make.environment()
    yield world
    world.client.close()


@pytest.fixture
def served(works: World) -> Served:
    """A deployment of the test's own, of a model that may hold restricted data."""
    with works.platform.database.transaction() as session:
        make = works.factory(session)
        name = f"reader-{session.scalar(select(func.count()).select_from(RegisteredModel))}"
        model = make.model(name, label=SECRET)
        data = session.scalars(select(DatasetVersion).order_by(DatasetVersion.id)).first()
        assert data is not None
        make.champion(make.model_version(model, data))
        place = session.scalars(select(Environment).filter_by(name="ledger")).one()
        deployment = make.deployment(model, place, name=name)
        return Served(works, f"finance/{name}", str(deployment.id))


@pytest.mark.parametrize(
    ("place", "policy"),
    [
        ({"clearance_level": "internal"}, "no-deploy-up"),
        ({"clearance_compartments": []}, "no-deploy-up"),
        ({"clearance_compartments": ["people", "health", "legal"]}, "no-deploy-up"),
        ({"zone": "us"}, "residency"),
        ({"zone": "world"}, "residency"),
    ],
    ids=["level", "no-compartment", "other-compartments", "another-zone", "the-zone-around-it"],
)
def test_deploying_where_the_label_may_not_go(
    served: Served, place: dict[str, Any], policy: str
) -> None:
    environment = f"place-{served.model.partition('/')[2]}"
    body = PLACE | place | {"name": environment}
    assert served.world.post("/environments", body, by="admin").status_code == 201
    assert denied_by(served.deploy_again(environment=environment)) == [policy]


def test_deploying_for_another_purpose(served: Served) -> None:
    assert denied_by(served.deploy_again(purpose="research")) == ["purpose"]
    assert denied_by(served.deploy_again(purpose="Accounting")) == ["purpose"]


def test_keeping_text_where_text_must_stay_out(served: Served) -> None:
    assert denied_by(served.deploy_again(keeps_text=True)) == ["text-stays-out"]


def test_sending_text_to_a_deployment_that_keeps_none(served: Served) -> None:
    answer = served.log(RECORD | {"text": "zanzibar garage"})
    assert (answer.status_code, answer.json()["new"]) == (202, 0)
    assert [one["code"] for one in answer.json()["rejected"]] == ["text-not-kept"]
    assert "zanzibar" not in answer.text
    with served.world.platform.database.engine.connect() as connection:
        for table in ("inference_records", "rejected_records"):
            assert "zanzibar" not in str(connection.exec_driver_sql(f"SELECT * FROM {table}").all())  # noqa: S608


def test_text_of_requests_where_none_is_kept(served: Served) -> None:
    path = f"/deployments/{served.deployment_id}/predict"
    features = {"merchant": "zanzibar garage", "cost_centre": "c"}
    answer = served.world.post(path, {"instances": [{"features": features}]})
    assert answer.status_code == 200
    with served.world.platform.database.engine.connect() as connection:
        kept = connection.exec_driver_sql("SELECT * FROM inference_records").all()
    assert kept
    assert "zanzibar" not in str(kept)


def test_deploying_it_in_a_namespace_of_ones_own(served: Served) -> None:
    """The deployment carries the version's label there too, and making it takes both namespaces."""
    served.world.join("theirs", "engineer", namespace="people")
    assert served.deploy_again(namespace="people", by="theirs").status_code == 404
    placed = served.deploy_again(namespace="people").json()
    assert placed["label"]["level"] == "confidential"
    path = f"/deployments/{placed['id']}/predict"
    assert served.world.post(path, api_bodies.instances("a"), by="low").status_code == 404


def test_a_higher_champion_for_a_place_that_is_not_cleared(served: Served) -> None:
    with pytest.raises(DeniedByPolicy) as refused:
        served.promote(SECRET)
    assert refused.value.details["policies"] == ["no-deploy-up"]
    assert served.shown()["rollout"]["version"] == 1


def test_stopping_while_a_higher_champion_is_made_and_starting_again(served: Served) -> None:
    assert served.turn("stopped").status_code == 200
    served.promote(SECRET)
    assert denied_by(served.turn("active")) == ["no-deploy-up"]
    assert served.shown()["state"] == "stopped"


def test_reading_about_a_higher_champion_through_a_deployment_that_is_stopped(
    served: Served,
) -> None:
    path = f"/deployments/{served.deployment_id}"
    assert served.world.get(path, by="middle").status_code == 200
    served.turn("stopped")
    served.promote(SECRET)
    for shown in ("", "/rollout", "/checks"):
        assert served.world.get(path + shown, by="middle").status_code == 404
    listed = served.world.get("/deployments?limit=500", by="middle").text
    assert served.deployment_id not in listed


def test_a_model_page_that_falls_behind_its_versions(served: Served) -> None:
    """The model's own label rises with its versions, so that whoever sees it may see them."""
    name = served.model.partition("/")[2]
    with served.world.platform.database.transaction() as session:
        model = session.scalars(select(RegisteredModel).filter_by(name=name)).one()
        model.label_id = intern_label(session, CONFIDENTIAL)
    with pytest.raises(DeniedByPolicy) as refused:  # it may not hold more than it says
        served.promote(SECRET)
    assert refused.value.details["policies"] == ["no-train-down"]
    with served.world.platform.database.reading() as session:
        model = session.scalars(select(RegisteredModel).filter_by(name=name)).one()
        for version in session.scalars(select(ModelVersion).filter_by(model_id=model.id)):
            held, own = load_label(session, version.label_id), load_label(session, model.label_id)
            assert served.world.platform.rules.scheme.dominates(own, held)


@pytest.mark.parametrize("number", [2, 99])
def test_pinning_a_number_that_only_another_model_has(served: Served, number: int) -> None:
    assert served.deploy_again(pinned_version=number).status_code == 404


def test_logging_requests_for_a_version_of_another_model(served: Served) -> None:
    with served.world.platform.database.reading() as session:
        other = session.scalars(
            select(ModelVersion.id)
            .join(RegisteredModel, RegisteredModel.id == ModelVersion.model_id)
            .where(RegisteredModel.name != served.model.partition("/")[2])
        ).first()
    answer = served.log(RECORD, version_id=str(other or served.deployment_id))
    assert answer.status_code == 422


def test_starting_what_one_may_not_see(served: Served) -> None:
    served.turn("stopped")
    assert served.turn("active", by="low").status_code == 404
    assert served.turn("active").status_code == 200
