"""One of everything that the API serves, and requests that reach each of its operations."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import select

from bailiwick.core.ids import new_id
from bailiwick.lineage import DatasetVersion, Run
from bailiwick.monitoring import CheckResult, Monitor, evaluate
from bailiwick.policy import ApprovalRequest, Decision, Label
from bailiwick.registry import ModelVersion, RegisteredModel
from factories import CONFIDENTIAL
from support import api_bodies
from support.api_routes import Operation
from support.api_world import World

Places = dict[str, str]


def furnish(world: World, label: Label = CONFIDENTIAL, *, champions: int = 1) -> Places:
    """A watched deployment with an alert, a policy, a job and what led there; their names."""
    deployment = world.running(label=label, keeps_text=True)
    for _ in range(1, champions):
        _succeed(world)
    body: dict[str, Any] = {"deployment_id": str(deployment.id), "acts_as": "robot"}
    monitor = world.post("/monitors", body).json()["id"]
    body |= {"dataset": "finance/purchases"}
    policy = world.post("/retraining-policies", body).json()["id"]
    order = {
        "model": "finance/classifier",
        "dataset": "finance/purchases",
        "dataset_versions": [1],
        "purpose": "accounting",
    }
    job = world.post("/jobs", order).json()["id"]
    check, alert = alerted(world, monitor)
    with world.platform.database.reading() as session:
        approval = session.scalars(select(ApprovalRequest.id)).first()
        run = session.scalars(select(Run.id).where(Run.kind == "train")).first()
        asked = select(Decision.id).where(Decision.label_id.is_not(None))
        decision = session.scalars(asked).first()
    return {
        "deployment_id": str(deployment.id),
        "monitor_id": monitor,
        "policy_id": policy,
        "job_id": job,
        "check_id": check,
        "alert_id": alert,
        "approval_id": str(approval),
        "run_id": str(run),
        "decision_id": str(decision),
        "token_id": str(uuid4()),
        "model": "classifier",
        "dataset": "purchases",
        "environment": "ledger",
        "principal": "robot",
        "number": "1",
    }


def _succeed(world: World) -> None:
    """Let the model's champion be followed by the next version."""
    with world.platform.database.transaction() as session:
        make = world.factory(session)
        model = session.scalars(select(RegisteredModel)).one()
        data = session.scalars(select(DatasetVersion)).one()
        make.champion(make.model_version(model, data))


def elsewhere(places: Places) -> Places:
    """The same places where nothing is: other ids, other names."""
    named = {"model": "nothing", "dataset": "nothing"}
    ids = {name: str(uuid4()) for name in places if name.endswith("_id")}
    return places | ids | named


def reach(world: World, operation: Operation, places: Places, *, by: str | None) -> Any:
    """The answer to a request that fits the operation."""
    filled = _filled(operation, places)
    options: dict[str, Any] = {"json": _body(operation, places)}
    if operation.path.endswith("/versions") and operation.method == "POST":
        options = {"data": api_bodies.SPEC, "files": {"file": ("rows.csv", api_bodies.CSV)}}
    if operation.method == "GET":
        options = {}
    return world.ask(operation.method, operation.url(filled), by=by, **options)


def _filled(operation: Operation, places: Places) -> Places:
    kinds = {
        "/models": "model",
        "/datasets": "dataset",
        "/environments": "environment",
        "/principals": "principal",
    }
    named = next((k for prefix, k in kinds.items() if f"/v1{prefix}" in operation.path), "model")
    filled = places | {
        "ns": "finance",
        "namespace": "*",
        "role": "service",
        "name": places[named],
        "path": "model.safetensors",
        "alias": "champion",
        "node": f"model:finance/{places['model']}@1",
        "dataset": f"finance/{places['dataset']}@1",
        "start": "2025-01-01T00:00:00Z",
        "end": "2027-01-01T00:00:00Z",
        "index": "0",
        "size": "1",
        "old_size": "1",
    }
    if named == "principal":
        filled["name"] = places["principal"]
    return filled


def _body(operation: Operation, places: Places) -> Any:
    model, dataset = f"finance/{places['model']}", f"finance/{places['dataset']}"
    deployment = {"deployment_id": places["deployment_id"], "acts_as": "robot"}
    record = {
        "record_id": "r",
        "at": "2026-01-01T00:00:00Z",
        "prediction": "Fuel",
        "confidence": 0.5,
        "characters": 1,
        "words": 1,
        "unseen_words_ratio": 0.0,
    }
    bodies: dict[str, Any] = {
        "POST /models": api_bodies.model("fresh"),
        "PATCH /models/{ns}/{name}": {"description": "new"},
        "PUT /models/{ns}/{name}/aliases/champion": {"version": 1, "reason": "x"},
        "POST /models/{ns}/{name}/aliases/champion/rollback": {"reason": "x"},
        "POST /datasets": api_bodies.model("fresh"),
        "POST /environments": {"name": "new", "zone": "eu", "clearance_level": "internal"},
        "POST /deployments": {
            "namespace": "finance",
            "name": "fresh",
            "model": model,
            "environment": places["environment"],
            "purpose": "accounting",
        },
        "PATCH /deployments/{deployment_id}": {"state": "stopped"},
        "POST /deployments/{deployment_id}/predict": api_bodies.instances("a"),
        "POST /deployments/{deployment_id}/inferences": {"records": [record]},
        "POST /deployments/{deployment_id}/feedback": {
            "feedback": [{"record_id": "a", "label": "Fuel"}]
        },
        "POST /monitors": deployment,
        "PATCH /monitors/{monitor_id}": {"min_rows": 7},
        "POST /alerts/{alert_id}/resolve": {"resolution": "x"},
        "POST /jobs": {
            "model": model,
            "dataset": dataset,
            "dataset_versions": [1],
            "purpose": "accounting",
        },
        "POST /retraining-policies": deployment | {"dataset": dataset},
        "PATCH /retraining-policies/{policy_id}": {"cooldown_days": 3},
        "POST /retraining-policies/{policy_id}/jobs": {"reason": "x"},
        "POST /approvals": {"subject": {"type": "retraining-policy", "id": places["policy_id"]}},
        "POST /approvals/{approval_id}/decide": {"approve": True},
        "POST /principals": {"name": "fresh", "kind": "person"},
        "POST /principals/{name}/roles": {"role": "engineer"},
        "POST /tokens": {"principal": places["principal"], "name": "x"},
    }
    return bodies.get(f"{operation.method} {operation.path.removeprefix('/api/v1')}", {})


def alerted(world: World, monitor_id: str) -> tuple[str, str]:
    """A check that found drift, with its report, and the alert that it raised."""
    platform = world.platform
    at = platform.clock.now()
    with platform.database.transaction() as session:
        monitor = session.get_one(Monitor, UUID(monitor_id))
        check = CheckResult(
            id=new_id(),
            monitor_id=monitor.id,
            job_id=new_id(),
            version_id=session.scalars(select(ModelVersion.id)).first(),
            window_start=at - timedelta(days=30),
            window_end=at,
            window_digest="0" * 64,
            rows=500,
            labelled_rows=0,
            accuracy=None,
            verdict="drift",
            sentence="prediction moved",
            results=[{"column": "prediction", "drifted": True}],
            details={"accuracy": {"dropped": False}},
            report_blob=platform.blobs.put_bytes(b"<html>report</html>"),
            at=at,
        )
        session.add(check)
        session.flush()
        robot = world.principals["robot"].id
        alert = evaluate(session, monitor, check, actor_id=robot, at=at)
        assert alert is not None
        return str(check.id), str(alert.id)
