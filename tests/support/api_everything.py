"""One of everything that the API serves, and requests that reach each of its operations."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import select

from bailiwick.access import add_member, create_group, grant_role
from bailiwick.core.ids import new_id
from bailiwick.lineage import DatasetVersion, Run, set_mark
from bailiwick.monitoring import CheckResult, Monitor, evaluate
from bailiwick.policy import ApprovalRequest, Decision, Label, PolicyBundle, bundle_digest
from bailiwick.registry import ModelVersion, RegisteredModel
from bailiwick.registry.tables import Breach
from factories import CONFIDENTIAL
from support import api_bodies
from support.alerting import channel
from support.api_routes import Operation
from support.api_under_way import asked_to_label, replayed, rolled_out
from support.api_world import World
from support.watched import drifted

Places = dict[str, str]


def furnish(world: World, label: Label = CONFIDENTIAL, *, champions: int = 1) -> Places:
    """A watched deployment with an alert, a policy, a job and what led there; their names."""
    deployment = world.running(label=label, keeps_text=True)
    for _ in range(1, champions):
        _succeed(world)
    body: dict[str, Any] = {"deployment_id": str(deployment.id), "acts_as": "robot"}
    monitor = world.post("/monitors", body | {"alarms_by": "checks"}).json()["id"]
    body |= {"dataset": "finance/purchases"}
    policy = world.post("/retraining-policies", body).json()["id"]
    order = {
        "model": "finance/classifier",
        "dataset": "finance/purchases",
        "dataset_versions": [1],
        "purpose": "accounting",
    }
    job = world.post("/jobs", order).json()["id"]
    backtest = replayed(world, str(deployment.id))
    check, alert = alerted(world, monitor)
    breach = _breached(world, deployment.id)
    _gather(world)
    silence = world.post("/silences", api_bodies.silence(str(deployment.id))).json()["id"]
    _paged(world)
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
        "backtest_id": backtest,
        "check_id": check,
        "alert_id": alert,
        "incident_id": drifted(world, monitor),
        "breach_id": breach,
        "silence_id": silence,
        "rollout_id": rolled_out(world, deployment.id),
        "channel": "pager",
        "approval_id": str(approval),
        "run_id": str(run),
        "decision_id": str(decision),
        "mark_id": _marked(world),
        "waiver_id": _asked_to_waive(world, label),
        "item_id": asked_to_label(world, deployment.id),
        "delegation_id": world.post("/delegations", api_bodies.delegation(), by="approver").json()[
            "id"
        ],
        "digest": _proposed(world),
        "token_id": str(uuid4()),
        "model": "classifier",
        "dataset": "purchases",
        "environment": "ledger",
        "principal": "robot",
        "group": "team",
        "number": "1",
    }


def _gather(world: World) -> None:
    """Make a group of the robot alone, which gives it a role that it has."""
    with world.platform.database.transaction() as session:
        make = world.factory(session)
        robot = session.merge(world.principals["robot"])
        by: dict[str, Any] = {"actor_id": make.root.id, "at": make.at}
        group = create_group(session, "team", **by)
        add_member(session, group, robot, **by)
        grant_role(session, group, "service", **by)


def _paged(world: World) -> None:
    """Open a channel that may be told names of what is public."""
    with world.platform.database.transaction() as session:
        make = world.factory(session)
        channel(make, "pager", clearance_level="public", clearance_compartments=())


def _asked_to_waive(world: World, label: Label) -> str:
    """A waiver for the only dataset that nobody has answered."""
    subject = {"type": "dataset", "dataset": "finance/purchases"}
    asked = world.post("/waivers", api_bodies.waiver(subject, label.to_dict()))
    return str(asked.json()["id"])


def _breached(world: World, deployment_id: UUID) -> str:
    """The deployment was out of policy once, and is not any more."""
    at = world.platform.clock.now()
    with world.platform.database.transaction() as session:
        engineer = world.principals["engineer"].id
        breach = Breach(
            id=new_id(),
            deployment_id=deployment_id,
            version_id=session.scalars(select(ModelVersion.id)).first(),
            policy_ids=["residency"],
            reason="out of its residency",
            cause="a label rose",
            caused_by=engineer,
            owner_id=engineer,
            found_at=at,
            resolved_at=at,
            resolution="moved",
        )
        session.add(breach)
        return str(breach.id)


def _succeed(world: World) -> None:
    """Let the model's champion be followed by the next version."""
    with world.platform.database.transaction() as session:
        make = world.factory(session)
        model = session.scalars(select(RegisteredModel)).one()
        data = session.scalars(select(DatasetVersion)).one()
        make.champion(make.model_version(model, data))


def _proposed(world: World) -> str:
    """A policy bundle that passed its checks: the shipped one with another line."""
    files = {
        **world.platform.rules.files,
        "gates.yaml": world.platform.rules.files["gates.yaml"] + b"# other\n",
    }
    with world.platform.database.transaction() as session:
        bundle = PolicyBundle(
            digest=bundle_digest(files),
            files={name: content.decode() for name, content in files.items()},
            note="",
            checks={},
            passed=True,
            proposed_by=world.principals["engineer"].id,
            at=world.platform.clock.now(),
        )
        session.add(bundle)
        return bundle.digest


def _marked(world: World) -> str:
    """A mark on a column of the only dataset."""
    with world.platform.database.transaction() as session:
        data = session.scalars(select(DatasetVersion)).one().dataset
        robot, at = world.principals["robot"].id, world.platform.clock.now()
        return str(set_mark(session, data, "merchant", "free-text", actor_id=robot, at=at).id)


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
        "/groups": "group",
        "/channels": "channel",
    }
    named = next((k for prefix, k in kinds.items() if f"/v1{prefix}" in operation.path), "model")
    filled = places | {
        "ns": "finance",
        "namespace": "*",
        "role": "service",
        "member": "robot",
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
        "seconds": "0",
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
        "PUT /models/{ns}/{name}/evaluation-settings": {"segments": ["cost_centre"]},
        "PUT /models/{ns}/{name}/aliases/champion": {"version": 1, "reason": "x"},
        "POST /models/{ns}/{name}/aliases/champion/rollback": {"reason": "x"},
        "POST /datasets": api_bodies.model("fresh"),
        "PATCH /datasets/{ns}/{name}": {"description": "new"},
        "POST /datasets/{ns}/{name}/label": api_bodies.relabelling(),
        "POST /datasets/{ns}/{name}/versions/{number}/label": api_bodies.relabelling(),
        "PUT /datasets/{ns}/{name}/quarantine": {
            "batches": [
                {"start": "2021-01-01T00:00:00Z", "end": "2021-01-02T00:00:00Z", "why": "x"}
            ],
            "reason": "x",
        },
        "PUT /datasets/{ns}/{name}/taxonomy": {"renames": {"Petrol": "Fuel"}, "reason": "x"},
        "POST /datasets/{ns}/{name}/marks": {"column": "merchant", "mark": "identifier"},
        "POST /datasets/{ns}/{name}/marks/{mark_id}/decide": {"accept": False},
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
        "POST /deployments/{deployment_id}/text-erasures": {"subject": "Ada", "reason": "x"},
        "PUT /deployments/{deployment_id}/records": {"hot_days": 2_000},
        "POST /deployments/{deployment_id}/comparisons": api_bodies.spans_of_days(),
        "POST /deployments/{deployment_id}/labelling": api_bodies.days_to_label(),
        "PUT /deployments/{deployment_id}/rollout-plan": {"canary_shares": [0.5]},
        "POST /deployments/{deployment_id}/rollout/advance": {"reason": "x"},
        "POST /deployments/{deployment_id}/rollout/stop": {"reason": "x"},
        "POST /deployments/{deployment_id}/rollout/rollback": {"reason": "x"},
        "PUT /deployments/{deployment_id}/intake": {"segments": ["region"]},
        "POST /otlp/v1/traces": api_bodies.spans(places["deployment_id"]),
        "POST /monitors": deployment,
        "PATCH /monitors/{monitor_id}": {"min_rows": 7},
        "POST /deployments/{deployment_id}/baselines": api_bodies.baseline(),
        "POST /deployments/{deployment_id}/incidents/{incident_id}/accept": {"reason": "x"},
        "POST /deployments/{deployment_id}/labels/references": api_bodies.baseline(),
        "POST /alerts/{alert_id}/resolve": {"resolution": "x"},
        "POST /silences": api_bodies.silence(places["deployment_id"]),
        "POST /channels": api_bodies.channel(),
        "PATCH /channels/{name}": {"severities": ["page"]},
        "POST /jobs": {
            "model": model,
            "dataset": dataset,
            "dataset_versions": [1],
            "purpose": "accounting",
        },
        "POST /retraining-policies": deployment | {"dataset": dataset},
        "PATCH /retraining-policies/{policy_id}": {"cooldown_days": 3},
        "POST /retraining-policies/{policy_id}/jobs": {"reason": "x"},
        "POST /backtests": {"deployment_id": places["deployment_id"]},
        "POST /approvals": {"subject": {"type": "retraining-policy", "id": places["policy_id"]}},
        "POST /approvals/{approval_id}/decide": {"approve": True},
        "POST /approvals/{approval_id}/comments": {"text": "looked at it"},
        "POST /waivers": api_bodies.excuse(model, 1),
        "POST /waivers/{waiver_id}/end": {"reason": "x"},
        "POST /delegations": api_bodies.delegation(),
        "POST /principals": {"name": "fresh", "kind": "person"},
        "PATCH /principals/{name}": {"clearance_level": "internal"},
        "POST /principals/{name}/roles": {"role": "engineer"},
        "POST /principals/{name}/password": {"new_password": "correct horse battery"},
        "POST /me/password": {"new_password": "correct horse battery"},
        "POST /groups": {"name": "fresh"},
        "PATCH /groups/{name}": {"description": "new"},
        "POST /groups/{name}/members": {"principal": "robot"},
        "POST /groups/{name}/roles": {"role": "engineer"},
        "POST /policies/bundles": {"files": api_bodies.POLICIES},
        "POST /policies/bundles/{digest}/activate": {"reason": "x"},
        "POST /policies/dry-run": {"files": api_bodies.POLICIES},
        "POST /policies/rollback": {"reason": "x"},
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
