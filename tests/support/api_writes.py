"""Every write of the API in an order in which each can be made: what is asked, by whom."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from bailiwick.policy import bundle_digest
from support import api_bodies
from support.api_everything import alerted
from support.api_world import World
from support.watched import drifted, labelled_days, quiet_week

MODEL, DATASET = "finance/classifier", "finance/purchases"
VERSION = {"type": "model-version", "model": MODEL, "version": 2}
RECORD = {
    "record_id": "r",
    "at": "2026-01-01T00:00:00Z",
    "prediction": "Fuel",
    "confidence": 0.5,
    "characters": 1,
    "words": 1,
    "unseen_words_ratio": 0.0,
}
DEPLOYMENT = {
    "namespace": "finance",
    "name": "fresh",
    "model": MODEL,
    "environment": "ledger",
    "purpose": "accounting",
}
ORDER = {
    "model": MODEL,
    "dataset": DATASET,
    "dataset_versions": [1],
    "purpose": "accounting",
}

POLICIES = {"files": api_bodies.POLICIES}
DIGEST = bundle_digest({name: text.encode() for name, text in api_bodies.POLICIES.items()})


@dataclass
class Step:
    """One write. `{places}` of path and body are filled in; `keeps` names the answer's id."""

    route: str
    path: str
    body: Any = None
    by: str = "engineer"
    keeps: str | None = None
    before: Callable[[World, dict[str, str]], None] | None = None
    extra: dict[str, Any] = field(default_factory=dict)


def raise_alert(world: World, places: dict[str, str]) -> None:
    _, places["alert"] = alerted(world, places["monitor"])


def watch_a_week(world: World, places: dict[str, str]) -> None:
    quiet_week(world, places["monitor"])


def label_some(world: World, places: dict[str, str]) -> None:
    labelled_days(world, places["monitor"])


def drift(world: World, places: dict[str, str]) -> None:
    places["incident"] = drifted(world, places["monitor"])


def find_the_request(world: World, places: dict[str, str]) -> None:
    places["asked"] = world.get(f"/waivers/{places['waiver']}").json()["approval_id"]


def find_something_to_label(world: World, places: dict[str, str]) -> None:
    queue = world.get(f"/deployments/{places['deployment']}/labelling").json()["items"]
    places["item"] = queue[0]["id"]


UPLOAD = {"data": api_bodies.SPEC, "files": {"file": ("rows.csv", api_bodies.CSV)}}
WATCHED = {"deployment_id": "{deployment}", "acts_as": "robot"}
BY_CHECKS = {"alarms_by": "checks"}
PROMOTE = Step(
    "PUT /models/{ns}/{name}/aliases/champion",
    "/models/finance/classifier/aliases/champion",
    {"version": 2, "reason": "better"},
)
STEPS = [
    Step("POST /models", "/models", api_bodies.model()),
    Step("PATCH /models/{ns}/{name}", "/models/finance/notes", {"description": "new"}),
    Step(
        "PUT /models/{ns}/{name}/evaluation-settings",
        "/models/finance/classifier/evaluation-settings",
        {"golden_set": "finance/purchases@1", "segments": ["cost_centre"]},
        by="steward",
    ),
    Step("POST /datasets", "/datasets", api_bodies.model("feed")),
    Step("POST /datasets/{ns}/{name}/versions", "/datasets/finance/feed/versions", extra=UPLOAD),
    Step(
        "POST /datasets/{ns}/{name}/versions/{number}/scan",
        "/datasets/finance/purchases/versions/1/scan",
        {"rows": 50},
        by="steward",
    ),
    Step(
        "PUT /datasets/{ns}/{name}/quarantine",
        "/datasets/finance/purchases/quarantine",
        {
            "batches": [
                {"start": "2031-01-01T00:00:00Z", "end": "2031-01-02T00:00:00Z", "why": "doubled"}
            ],
            "reason": "a feed sent everything twice",
        },
        by="steward",
    ),
    Step(
        "PUT /datasets/{ns}/{name}/taxonomy",
        "/datasets/finance/purchases/taxonomy",
        {"renames": {"Petrol": "Fuel"}, "reason": "one ledger account now"},
        by="steward",
    ),
    Step(
        "POST /datasets/{ns}/{name}/marks",
        "/datasets/finance/purchases/marks",
        {"column": "merchant", "mark": "free-text"},
        by="steward",
        keeps="mark",
    ),
    Step(
        "POST /datasets/{ns}/{name}/marks/{mark_id}/decide",
        "/datasets/finance/purchases/marks/{mark}/decide",
        {"accept": False},
        by="steward",
    ),
    Step(
        "PATCH /datasets/{ns}/{name}",
        "/datasets/finance/feed",
        {"description": "new", "retention_days": 30},
        by="steward",
    ),
    Step(
        "POST /datasets/{ns}/{name}/versions/{number}/label",
        "/datasets/finance/feed/versions/1/label",
        api_bodies.relabelling(),
        by="steward",
    ),
    Step(
        "POST /datasets/{ns}/{name}/label",
        "/datasets/finance/feed/label",
        api_bodies.relabelling(),
        by="steward",
    ),
    Step(
        "POST /environments",
        "/environments",
        {"name": "new", "zone": "eu", "clearance_level": "internal"},
        by="admin",
    ),
    Step("POST /deployments", "/deployments", DEPLOYMENT),
    Step("PATCH /deployments/{deployment_id}", "/deployments/{deployment}", {"state": "stopped"}),
    Step("PATCH /deployments/{deployment_id}", "/deployments/{deployment}", {"state": "active"}),
    Step(
        "PUT /deployments/{deployment_id}/intake",
        "/deployments/{deployment}/intake",
        {"segments": ["region"]},
    ),
    Step("POST /otlp/v1/traces", "/otlp/v1/traces", api_bodies.spans("finance/cards")),
    Step(
        "POST /deployments/{deployment_id}/predict",
        "/deployments/{deployment}/predict",
        api_bodies.instances("a"),
    ),
    Step(
        "POST /deployments/{deployment_id}/inferences",
        "/deployments/{deployment}/inferences",
        {"records": [RECORD]},
    ),
    Step(
        "POST /deployments/{deployment_id}/feedback",
        "/deployments/{deployment}/feedback",
        {"feedback": [{"record_id": "a", "label": "Fuel"}]},
    ),
    Step(
        "POST /deployments/{deployment_id}/text-erasures",
        "/deployments/{deployment}/text-erasures",
        {"subject": "Ada", "reason": "she asked for it"},
        by="steward",
    ),
    Step(
        "PUT /deployments/{deployment_id}/records",
        "/deployments/{deployment}/records",
        {"hot_days": 2_000},
    ),
    Step("POST /approvals", "/approvals", {"subject": VERSION}, keeps="approval"),
    Step(
        "POST /approvals/{approval_id}/decide",
        "/approvals/{approval}/decide",
        {"approve": True},
        by="approver",
    ),
    Step(
        "PUT /deployments/{deployment_id}/rollout-plan",
        "/deployments/{deployment}/rollout-plan",
        {"canary_shares": [0.5]},
    ),
    PROMOTE,
    Step(
        "POST /deployments/{deployment_id}/rollout/stop",
        "/deployments/{deployment}/rollout/stop",
        {"reason": "not yet"},
    ),
    PROMOTE,
    Step(
        "POST /deployments/{deployment_id}/rollout/advance",
        "/deployments/{deployment}/rollout/advance",
        {"reason": "known to be good"},
    ),
    Step(
        "POST /deployments/{deployment_id}/rollout/rollback",
        "/deployments/{deployment}/rollout/rollback",
        {"reason": "not good after all"},
    ),
    Step(
        "DELETE /deployments/{deployment_id}/rollout-plan",
        "/deployments/{deployment}/rollout-plan",
    ),
    PROMOTE,
    Step(
        "POST /models/{ns}/{name}/aliases/champion/rollback",
        "/models/finance/classifier/aliases/champion/rollback",
        {"reason": "worse after all"},
    ),
    Step("POST /policies/bundles", "/policies/bundles", POLICIES, by="steward"),
    Step(
        "POST /policies/bundles/{digest}/approval",
        f"/policies/bundles/{DIGEST}/approval",
        by="steward",
        keeps="asked",
    ),
    Step(
        "POST /approvals/{approval_id}/decide",
        "/approvals/{asked}/decide",
        {"approve": True},
        by="approver",
    ),
    Step(
        "POST /policies/bundles/{digest}/activate",
        f"/policies/bundles/{DIGEST}/activate",
        {"reason": "decided"},
        by="steward",
    ),
    Step("POST /policies/rollback", "/policies/rollback", {"reason": "back"}, by="admin"),
    Step(
        "POST /waivers",
        "/waivers",
        api_bodies.waiver({"type": "dataset", "dataset": DATASET}),
        keeps="waiver",
    ),
    Step(
        "POST /approvals/{approval_id}/comments",
        "/approvals/{asked}/comments",
        {"text": "which columns?"},
        by="approver",
        before=find_the_request,
    ),
    Step("POST /delegations", "/delegations", api_bodies.delegation(), "approver", "lent"),
    Step(
        "POST /approvals/{approval_id}/decide",
        "/approvals/{asked}/decide",
        {"approve": True},
        by="steward",
    ),
    Step("DELETE /delegations/{delegation_id}", "/delegations/{lent}", by="approver"),
    Step("POST /waivers/{waiver_id}/end", "/waivers/{waiver}/end", {"reason": "over"}),
    Step(
        "POST /waivers",
        "/waivers",
        api_bodies.waiver({"type": "dataset", "dataset": DATASET}, reason="once more"),
        keeps="waiver",
    ),
    Step(
        "POST /approvals/{approval_id}/withdraw",
        "/approvals/{asked}/withdraw",
        before=find_the_request,
    ),
    Step("POST /monitors", "/monitors", WATCHED | BY_CHECKS, keeps="monitor"),
    Step("PATCH /monitors/{monitor_id}", "/monitors/{monitor}", {"min_rows": 7}),
    Step(
        "POST /deployments/{deployment_id}/baselines",
        "/deployments/{deployment}/baselines",
        {"first": "2025-12-28T00:00:00Z", "end": "2026-01-04T00:00:00Z", "reason": "a quiet week"},
        before=watch_a_week,
    ),
    Step(
        "POST /deployments/{deployment_id}/labelling",
        "/deployments/{deployment}/labelling",
        api_bodies.days_to_label(),
    ),
    Step(
        "POST /deployments/{deployment_id}/labelling/{item_id}/skip",
        "/deployments/{deployment}/labelling/{item}/skip",
        before=find_something_to_label,
    ),
    Step(
        "POST /deployments/{deployment_id}/comparisons",
        "/deployments/{deployment}/comparisons",
        api_bodies.spans_of_days(),
    ),
    Step(
        "POST /deployments/{deployment_id}/labels/references",
        "/deployments/{deployment}/labels/references",
        {"first": "2025-12-20T00:00:00Z", "end": "2026-01-04T00:00:00Z", "reason": "a quiet time"},
        before=label_some,
    ),
    Step(
        "POST /deployments/{deployment_id}/incidents/{incident_id}/accept",
        "/deployments/{deployment}/incidents/{incident}/accept",
        {"reason": "as it will be"},
        before=drift,
    ),
    Step("POST /alerts/{alert_id}/acknowledge", "/alerts/{alert}/acknowledge", before=raise_alert),
    Step("POST /alerts/{alert_id}/resolve", "/alerts/{alert}/resolve", {"resolution": "over"}),
    Step(
        "POST /retraining-policies",
        "/retraining-policies",
        WATCHED | {"dataset": DATASET},
        keeps="policy",
    ),
    Step(
        "PATCH /retraining-policies/{policy_id}",
        "/retraining-policies/{policy}",
        {"cooldown_days": 3},
    ),
    Step(
        "POST /retraining-policies/{policy_id}/jobs",
        "/retraining-policies/{policy}/jobs",
        {"reason": "asked to"},
    ),
    Step(
        "POST /silences",
        "/silences",
        {"deployment_id": "{deployment}", "reason": "x", "ends_at": "2026-01-15T00:00:00Z"},
        keeps="silence",
    ),
    Step("POST /silences/{silence_id}/end", "/silences/{silence}/end"),
    Step("POST /channels", "/channels", api_bodies.channel(), by="admin"),
    Step("PATCH /channels/{name}", "/channels/fresh", {"severities": ["page"]}, by="admin"),
    Step("POST /channels/{name}/trials", "/channels/fresh/trials", by="admin"),
    Step("POST /backtests", "/backtests", {"deployment_id": "{deployment}"}),
    Step("POST /jobs", "/jobs", ORDER, keeps="job"),
    Step("POST /jobs/{job_id}/cancel", "/jobs/{job}/cancel"),
    Step("POST /principals", "/principals", {"name": "new", "kind": "person"}, by="admin"),
    Step(
        "POST /principals/{name}/roles",
        "/principals/new/roles",
        {"role": "engineer", "namespace": "finance"},
        by="admin",
    ),
    Step(
        "DELETE /principals/{name}/roles/{namespace}/{role}",
        "/principals/new/roles/finance/engineer",
        by="admin",
    ),
    Step(
        "PATCH /principals/{name}",
        "/principals/new",
        {"clearance_level": "confidential"},
        by="admin",
    ),
    Step("POST /groups", "/groups", {"name": "team"}, by="admin"),
    Step("PATCH /groups/{name}", "/groups/team", {"claim": "Finance Team"}, by="admin"),
    Step("POST /groups/{name}/members", "/groups/team/members", {"principal": "new"}, by="admin"),
    Step("POST /groups/{name}/roles", "/groups/team/roles", {"role": "engineer"}, by="admin"),
    Step(
        "DELETE /groups/{name}/roles/{namespace}/{role}",
        "/groups/team/roles/*/engineer",
        by="admin",
    ),
    Step("DELETE /groups/{name}/members/{member}", "/groups/team/members/new", by="admin"),
    Step("POST /tokens", "/tokens", {"principal": "new", "name": "x"}, by="admin", keeps="token"),
    Step("DELETE /tokens/{token_id}", "/tokens/{token}", by="admin"),
    Step(
        "POST /principals/{name}/password",
        "/principals/new/password",
        {"new_password": "correct horse battery"},
        by="admin",
    ),
    Step("POST /principals/{name}/sign-out", "/principals/new/sign-out", by="admin"),
    Step("POST /me/password", "/me/password", {"new_password": "correct horse battery"}),
    Step("POST /me/sign-out", "/me/sign-out"),
    Step("POST /principals/{name}/disable", "/principals/new/disable", by="admin"),
]
