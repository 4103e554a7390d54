"""Ways to get past the people who must approve by letting the platform do it on its own."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from bailiwick.access import disable, grant_role, revoke_role
from bailiwick.access.principals import find_principal
from bailiwick.lifecycle import Platform, run_next, training_jobs
from bailiwick.lifecycle.tables import Job
from bailiwick.lineage import Dataset, DatasetVersion
from bailiwick.policy import intern_label, load_label
from bailiwick.registry import ModelVersion, RegisteredModel
from factories import CONFIDENTIAL
from support.api_world import SECRET, World
from support.escapes import denied_by, with_console
from support.lifecycle_children import FakeTraining
from support.lifecycle_world import World as Kept
from support.lifecycle_world import bring, factory_again, found_world, requests


class Mandate:
    """A deployment under an approved retraining policy, and the team that looks after it."""

    def __init__(self, platform: Platform) -> None:
        self.kept: Kept = found_world(platform, window_days=3_650)
        self.world = with_console(World(platform))
        with platform.database.transaction() as session:
            make = factory_again(session, platform)
            for name in ("root", "engineer", "approver", "retrainer"):
                self.world.know(make, find_principal(session, name))
        self.world.join("both", "engineer", "approver").join("robot", "service", kind="service")
        self.path = f"/retraining-policies/{self.kept.policy.id}"

    def champion(self) -> int:
        """The champion's number."""
        aliases = self.world.get("/models/finance/classifier").json()["aliases"]
        number: int = aliases["champion"]
        return number

    def retrained(self, **overrides: Any) -> Any:
        """A retraining by hand, carried out; the job as it ended."""
        asked = self.world.post(self.path + "/jobs", {"reason": "x"} | overrides)
        assert asked.status_code == 202, asked.text
        assert run_next(self.world.platform, owner="worker")
        return self.world.get(f"/jobs/{asked.json()['id']}").json()


@pytest.fixture(autouse=True)
def training(monkeypatch: pytest.MonkeyPatch) -> FakeTraining:
    child = FakeTraining()
    monkeypatch.setattr(training_jobs, "run_child", child)
    return child


@pytest.fixture
def mandate(platform: Platform) -> Mandate:
    return Mandate(platform)


def test_what_was_approved_is_promoted_without_asking_again(mandate: Mandate) -> None:
    """The way that is open, beside which the ways below are shut."""
    assert mandate.retrained()["result"]["verdict"] == "promoted"
    assert mandate.champion() == 2


def test_retraining_by_hand_with_settings_that_nobody_has_approved(mandate: Mandate) -> None:
    for overrides in ({"recipe": {"train_epochs": 1}}, {"max_rows": 100}, {"window_days": 3_000}):
        assert mandate.retrained(**overrides)["result"]["verdict"] == "passed", overrides
    assert mandate.champion() == 1


def test_changing_the_policy_after_it_was_approved_or_for_the_time_of_one_training(
    mandate: Mandate, training: FakeTraining
) -> None:
    """What was trained under other settings is not what was approved, though they are back."""
    mandate.world.patch(mandate.path, {"max_rows": 998})
    assert mandate.world.get(mandate.path).json()["approved"] is False
    assert mandate.retrained()["result"]["verdict"] == "passed"
    mandate.world.patch(mandate.path, {"max_rows": 999})

    def put_back() -> None:
        mandate.world.patch(mandate.path, {"max_rows": 1_000})

    training.meanwhile = [put_back]
    ended = mandate.retrained()
    assert mandate.world.get(mandate.path).json()["approved"] is True
    assert ended["result"]["verdict"] == "passed"
    assert mandate.champion() == 1


def test_approving_a_policy_that_one_has_changed(mandate: Mandate) -> None:
    """Whoever changed it is its maker, whoever created it, and whoever asks."""
    subject = {"subject": {"type": "retraining-policy", "id": str(mandate.kept.policy.id)}}
    for number, asking in enumerate(("both", "engineer")):
        mandate.world.patch(mandate.path, {"max_rows": 900 + number}, by="both")
        request = mandate.world.post("/approvals", subject, by=asking).json()["id"]
        path = f"/approvals/{request}/decide"
        answer = mandate.world.post(path, {"approve": True}, by="both")
        assert denied_by(answer) == ["four-eyes"]


def test_a_service_that_has_lost_its_role(mandate: Mandate, training: FakeTraining) -> None:
    with mandate.world.platform.database.transaction() as session:
        revoke_role(
            session,
            find_principal(session, "retrainer"),
            "service",
            namespace="*",
            actor_id=mandate.kept.engineer_id,
            at=mandate.world.platform.clock.now(),
        )
    assert mandate.retrained()["state"] == "failed"
    assert training.specs == []
    assert mandate.champion() == 1


def test_a_service_that_was_disabled(mandate: Mandate, training: FakeTraining) -> None:
    """Its roles are still there; that it may not act is enough."""
    with mandate.world.platform.database.transaction() as session:
        retrainer = find_principal(session, "retrainer")
        at = mandate.world.platform.clock.now()
        disable(session, retrainer, actor_id=mandate.kept.engineer_id, at=at)
    assert mandate.retrained()["state"] == "failed"
    assert training.specs == []


def test_a_person_who_was_disabled_while_a_job_of_theirs_waited(mandate: Mandate) -> None:
    order = {"model": "finance/classifier", "dataset": "finance/purchases"}
    order |= {"dataset_versions": [1], "purpose": "accounting"}  # type: ignore[dict-item]
    job = mandate.world.post("/jobs", order).json()["id"]
    with mandate.world.platform.database.transaction() as session:
        engineer = find_principal(session, "engineer")
        at = mandate.world.platform.clock.now()
        disable(session, engineer, actor_id=find_principal(session, "root").id, at=at)
    assert run_next(mandate.world.platform, owner="worker")
    with mandate.world.platform.database.reading() as session:
        ended = session.scalars(select(Job).where(Job.state == "failed")).one()
        assert str(ended.id) == job
        assert session.scalars(select(ModelVersion)).one().number == 1


def test_data_whose_label_rises_while_they_are_learned_from(
    mandate: Mandate, training: FakeTraining
) -> None:
    """The model may hold confidential data; by the time that it has learned, these are above."""

    def rise() -> None:
        with mandate.world.platform.database.transaction() as session:
            for version in session.scalars(select(DatasetVersion)):
                version.label_id = intern_label(session, SECRET)

    training.meanwhile = [rise]
    assert mandate.retrained()["state"] == "failed"
    assert mandate.champion() == 1
    with mandate.world.platform.database.reading() as session:
        assert session.scalars(select(ModelVersion)).one().number == 1


def test_data_whose_label_rises_while_a_model_that_may_hold_them_learns(
    mandate: Mandate, training: FakeTraining
) -> None:
    def rise() -> None:
        with mandate.world.platform.database.transaction() as session:
            secret = intern_label(session, SECRET)
            session.scalars(select(RegisteredModel)).one().label_id = secret
            for version in session.scalars(select(DatasetVersion)):
                version.label_id = secret

    training.meanwhile = [rise]
    job = mandate.retrained(max_rows=500)
    assert job["result"]["verdict"] == "passed"
    with mandate.world.platform.database.reading() as session:
        newest = session.scalars(select(ModelVersion).order_by(ModelVersion.number.desc())).first()
        assert newest is not None
        assert load_label(session, newest.label_id) == SECRET


def test_text_of_requests_that_flows_into_a_dataset_with_a_lower_label(mandate: Mandate) -> None:
    """What is gathered carries the deployment's label, whatever the dataset's own says."""
    platform = mandate.world.platform
    with platform.database.transaction() as session:
        low = replace(CONFIDENTIAL, level="public", compartments=frozenset())
        session.scalars(select(Dataset)).one().label_id = intern_label(session, low)
    mandate.world.join("outside", "engineer", "steward", clearance="public")
    inferences, labels = requests(30, first=platform.clock.now() - timedelta(days=10))
    bring(mandate.kept, inferences, labels)
    assert mandate.retrained()["state"] == "succeeded"
    items = mandate.world.get("/datasets/finance/purchases/versions").json()["items"]
    assert items[0]["label"]["level"] == "confidential"
    assert (
        mandate.world.get("/datasets/finance/purchases/versions/2", by="outside").status_code == 404
    )


def test_gathering_into_a_dataset_where_the_service_holds_nothing(
    mandate: Mandate, training: FakeTraining
) -> None:
    """It is refused before a row is read, and nothing is left in the other namespace."""
    with mandate.world.platform.database.transaction() as session:
        session.scalars(select(Dataset)).one().namespace = "people"
        retrainer = find_principal(session, "retrainer")
        at = mandate.world.platform.clock.now()
        by: dict[str, Any] = {"actor_id": mandate.kept.engineer_id, "at": at}
        revoke_role(session, retrainer, "service", namespace="*", **by)
        grant_role(session, retrainer, "service", namespace="finance", **by)
    assert mandate.retrained()["state"] == "failed"
    assert training.specs == []
    with mandate.world.platform.database.reading() as session:
        assert session.scalars(select(DatasetVersion)).one().number == 1


def test_naming_a_person_as_the_one_who_retrains(mandate: Mandate) -> None:
    body = {"deployment_id": str(mandate.kept.deployment.id), "dataset": "finance/purchases"}
    for path in ("/retraining-policies", "/monitors"):
        sent = body if path == "/retraining-policies" else {"deployment_id": body["deployment_id"]}
        answer = mandate.world.post(path, sent | {"acts_as": "approver"})
        assert answer.status_code == 404
        assert answer.json()["detail"].startswith("there is no service")


def test_the_result_of_a_job_that_read_more_than_its_deployment_may_hold(mandate: Mandate) -> None:
    """Its figures, and the names in its errors, are of the data that it read."""
    with mandate.world.platform.database.transaction() as session:
        secret = intern_label(session, SECRET)
        session.scalars(select(Dataset)).one().label_id = secret
        session.scalars(select(DatasetVersion)).one().label_id = secret
    mandate.world.join("junior", "engineer", clearance="confidential")
    ended = mandate.retrained()
    assert (ended["state"], mandate.champion()) == ("failed", 1), "the model may not hold them"
    assert mandate.world.get(f"/deployments/{mandate.kept.deployment.id}", by="junior").is_success
    for path in ("", "/events"):
        assert mandate.world.get(f"/jobs/{ended['id']}{path}", by="junior").status_code == 404
    page = mandate.world.get(f"//console/deployments/{mandate.kept.deployment.id}", by="junior")
    assert page.status_code == 200
    assert ended["id"] not in page.text
