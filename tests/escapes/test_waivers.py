"""Ways to make an exception reach further, last longer or come easier than people approved."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from bailiwick.core.clock import ReplayClock
from bailiwick.lifecycle import Platform
from bailiwick.lineage import DatasetVersion
from bailiwick.registry import ModelVersion, find_model
from support.api_world import SECRET, World
from support.escapes import denied_by, founded, label_of, made


@pytest.fixture(scope="module")
def works(shared_platform: Platform) -> Iterator[World]:
    """Secret data, and people who may not see them unless others make an exception."""
    world = founded(shared_platform)
    world.join("second", "approver").join("both", "engineer", "steward", "approver")
    world.join("junior", "engineer", "steward", "approver", clearance="confidential")
    with world.platform.database.transaction() as session:
        make = world.factory(session)
        make.dataset_version(make.dataset("secrets", label=SECRET), rows=60)
        make.environment(clearance="confidential")
    yield world
    world.client.close()


@dataclass
class Case:
    """A model of secret data with one version, and the waivers that are asked for about it."""

    world: World
    model: str

    @property
    def version(self) -> str:
        """The version's path."""
        return f"/models/{self.model}/versions/1"

    def until(self, **later: float) -> datetime:
        """Some time from now."""
        return self.world.platform.clock.now() + timedelta(**later or {"hours": 8})

    def wait(self, **later: float) -> None:
        """Let time pass; no tick runs."""
        clock = self.world.platform.clock
        assert isinstance(clock, ReplayClock)
        clock.advance_to(self.until(**later))

    def ask(self, *, by: str = "engineer", **changes: Any) -> Any:
        """Ask that the version may count as confidential."""
        body = {
            "subject": {"type": "model-version", "model": self.model, "version": 1},
            "kind": "declassification",
            "label": label_of("confidential"),
            "reason": "aggregates only",
            "evidence": "membership test",
            "expires_at": self.until().isoformat(),
        }
        return self.world.post("/waivers", body | changes, by=by)

    def decide(self, waiver: Any, *people: str) -> Any:
        """Let people approve it; the last answer."""
        for by in people:
            path = f"/approvals/{waiver['approval_id']}/decide"
            answer = self.world.post(path, {"approve": True}, by=by)
        return answer

    def waived(self, **changes: Any) -> Any:
        """A waiver that acts: secret things take two people."""
        asked = self.ask(**changes)
        assert asked.status_code == 201, asked.text
        assert self.decide(asked.json(), "approver", "second").json()["state"] == "approved"
        return asked.json()

    def another(self) -> None:
        """The next version, of the same data."""
        with self.world.platform.database.transaction() as session:
            make = self.world.factory(session)
            data = session.scalars(select(DatasetVersion)).first()
            assert data is not None
            make.model_version(find_model(session, *self.model.split("/")), data)

    def opens(self, path: str | None = None) -> bool:
        """Whether the junior sees it."""
        return bool(self.world.get(path or self.version, by="junior").status_code == 200)


@pytest.fixture
def case(works: World) -> Case:
    """A case of the test's own."""
    with works.platform.database.reading() as session:
        number = session.scalar(select(func.count()).select_from(ModelVersion))
    found = Case(works, made(works, "/models", f"finance/w{number}", label=label_of("restricted")))
    found.another()
    assert not found.opens()
    return found


def test_what_others_approved_opens_that_and_nothing_beside_it(case: Case) -> None:
    """The way that is open: one version, and not its model, its data or its sisters."""
    case.another()
    case.waived()
    assert case.opens()
    assert case.opens(f"{case.version}/files/model.safetensors")
    for path in (
        f"/models/{case.model}",
        f"/models/{case.model}/versions/2",
        f"/models/{case.model}/history",
        "/datasets/finance/secrets/versions/1",
    ):
        assert not case.opens(path), path


def test_a_waiver_that_waits_for_its_approval(case: Case) -> None:
    waiver = case.ask().json()
    assert not case.opens()
    assert case.decide(waiver, "approver").json()["state"] == "open"
    assert not case.opens()


def test_a_waiver_that_one_person_alone_has_approved(case: Case) -> None:
    waiver = case.ask().json()
    case.decide(waiver, "approver")
    again = case.decide(waiver, "approver")
    assert again.status_code == 409
    assert not case.opens()


def test_approving_a_waiver_that_one_has_asked_for(case: Case) -> None:
    waiver = case.ask(by="both").json()
    assert denied_by(case.decide(waiver, "both")) == ["four-eyes"]


def test_approving_a_waiver_for_what_one_has_trained(case: Case) -> None:
    with case.world.platform.database.transaction() as session:
        make = case.world.factory(session)
        data = session.scalars(select(DatasetVersion)).first()
        assert data is not None
        both = session.merge(case.world.principals["both"])
        make.model_version(find_model(session, *case.model.split("/")), data, trained_by=both)
    subject = {"type": "model-version", "model": case.model, "version": 2}
    waiver = case.ask(subject=subject).json()
    assert denied_by(case.decide(waiver, "both")) == ["four-eyes"]


def test_asking_for_an_exception_for_what_one_may_not_see(case: Case) -> None:
    hidden = case.ask(by="junior")
    nothing = {"type": "model-version", "model": "finance/nothing", "version": 1}
    absent = case.ask(by="junior", subject=nothing)
    assert hidden.status_code == 404
    assert hidden.content == absent.content


def test_reading_about_an_exception_for_what_one_may_not_see(case: Case) -> None:
    waiver = case.ask().json()
    assert case.world.get(f"/waivers/{waiver['id']}").status_code == 200
    assert not case.opens(f"/waivers/{waiver['id']}")
    assert not case.opens(f"/approvals/{waiver['approval_id']}")
    listed = case.world.get("/waivers?limit=500", by="junior").text
    assert waiver["id"] not in listed
    assert "aggregates only" not in listed


@pytest.mark.parametrize(
    "label",
    [
        label_of("restricted"),
        label_of("restricted", compartments=["finance", "health"]),
        label_of("confidential", compartments=["people"]),
        label_of("confidential", residency=["de"]),
    ],
    ids=["the-same", "higher", "another-compartment", "another-zone"],
)
def test_an_exception_that_does_not_lower(case: Case, label: Any) -> None:
    assert case.ask(label=label).status_code == 422


@pytest.mark.parametrize("later", [{"hours": -1.0}, {"days": 400.0}, {"days": 36_500.0}])
def test_an_exception_that_ends_never_or_has_ended(case: Case, later: dict[str, float]) -> None:
    end = case.world.platform.clock.now() + timedelta(**later)
    assert case.ask(expires_at=end.isoformat()).status_code == 422


def test_an_exception_after_its_time_though_nobody_has_noted_its_end(case: Case) -> None:
    waiver = case.waived()
    assert case.opens()
    case.wait(hours=8)
    assert not case.opens()
    assert not case.opens(f"{case.version}/files/model.safetensors")
    assert case.world.get(f"/waivers/{waiver['id']}").json()["state"] == "expired"
    listed = case.world.get(f"/models/{case.model}/versions", by="junior")
    assert listed.status_code == 404


def test_an_exception_that_was_ended(case: Case) -> None:
    waiver = case.waived()
    ended = case.world.post(
        f"/waivers/{waiver['id']}/end", {"reason": "found a leak"}, by="steward"
    )
    assert ended.status_code == 200
    assert not case.opens()


def test_an_exception_that_is_approved_after_it_was_withdrawn(case: Case) -> None:
    waiver = case.ask().json()
    withdrawn = case.world.post(f"/approvals/{waiver['approval_id']}/withdraw")
    assert withdrawn.status_code == 200, withdrawn.text
    assert case.decide(waiver, "approver").status_code == 409
    assert not case.opens()


def test_what_is_made_from_something_that_counts_as_less(case: Case) -> None:
    """A model that learned from waived data carries the data's own label, and may not hold it."""
    subject = {"type": "dataset-version", "dataset": "finance/secrets", "version": 1}
    waiver = case.waived(subject=subject)
    assert case.opens("/datasets/finance/secrets/versions/1")
    low = made(case.world, "/models", f"{case.model}-low", label=label_of("confidential"))
    order = {"model": low, "dataset": "finance/secrets", "dataset_versions": [1]}
    answer = case.world.post("/jobs", order | {"purpose": "accounting"})
    assert denied_by(answer) == ["no-train-down"]
    junior = case.world.post("/jobs", order | {"purpose": "accounting"}, by="junior")
    assert junior.status_code in {403, 404}
    case.world.post(f"/waivers/{waiver['id']}/end", {"reason": "x"}, by="steward")


def test_deploying_something_that_counts_as_less_and_leaving_it_there(case: Case) -> None:
    """The deployment carries the true label, so nobody below it is answered."""
    with case.world.platform.database.transaction() as session:
        make = case.world.factory(session)
        model = find_model(session, *case.model.split("/"))
        make.champion(session.scalars(select(ModelVersion).filter_by(model_id=model.id)).one())
    wanted = {"namespace": "finance", "name": case.model.partition("/")[2], "model": case.model}
    wanted |= {"environment": "ledger", "purpose": "accounting"}
    assert denied_by(case.world.post("/deployments", wanted)) == ["no-deploy-up"]
    case.waived()
    placed = case.world.post("/deployments", wanted)
    assert placed.status_code == 201, placed.text
    path = f"/deployments/{placed.json()['id']}"
    assert placed.json()["label"]["level"] == "restricted"
    assert not case.opens(path)
    case.world.patch(path, {"state": "stopped"})
    case.wait(hours=8)
    assert denied_by(case.world.patch(path, {"state": "active"})) == ["no-deploy-up"]


def test_a_gate_that_cannot_be_excused_or_was_not_failed(case: Case) -> None:
    terms: dict[str, Any] = {"kind": "gate", "label": None}
    for gate in ("evidence", "approvals", "min_accuracy", "four-eyes", ""):
        assert case.ask(**terms, gate=gate).status_code in {409, 422}, gate


def test_a_gate_that_was_excused_for_another_version(case: Case) -> None:
    with case.world.platform.database.transaction() as session:
        make = case.world.factory(session)
        model = find_model(session, *case.model.split("/"))
        data = session.scalars(select(DatasetVersion)).first()
        assert data is not None
        for _ in range(2):
            make.model_version(model, data, accuracy=0.25)
    for number in (2, 3):
        failed = case.world.get(f"/models/{case.model}/versions/{number}").json()["evaluation"]
        assert not failed["passed"]
    subject = {"type": "model-version", "model": case.model, "version": 2}
    waiver = case.ask(kind="gate", label=None, gate="min_accuracy", subject=subject)
    assert waiver.status_code == 201, waiver.text
    assert case.decide(waiver.json(), "approver").json()["state"] == "approved"
    path = f"/models/{case.model}/aliases/champion"
    answer = case.world.ask("PUT", path, by="engineer", json={"version": 3, "reason": "x"})
    assert "promotion-needs-gates" in denied_by(answer)
    own = case.world.ask("PUT", path, by="engineer", json={"version": 2, "reason": "x"})
    assert denied_by(own) == ["promotion-needs-approvals"], "an exception is no approval"


def test_a_dataset_that_counts_as_less_and_its_rows(case: Case) -> None:
    """Its name and description may be read; the rows, each version of them, are other subjects."""
    subject = {"type": "dataset", "dataset": "finance/secrets"}
    waiver = case.waived(subject=subject)
    assert case.opens("/datasets/finance/secrets")
    assert case.world.get("/datasets/finance/secrets/versions", by="junior").json()["items"] == []
    assert not case.opens("/datasets/finance/secrets/versions/1")
    case.world.post(f"/waivers/{waiver['id']}/end", {"reason": "x"}, by="steward")
