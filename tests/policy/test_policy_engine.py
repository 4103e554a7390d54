"""The engine itself: what it loads, what it refuses, and that every fault is a denial."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bailiwick.core import errors
from bailiwick.policy.bundles import Rules, read_bundle
from bailiwick.policy.classification import Label, Scheme
from bailiwick.policy.decisions import Actor, PolicyEngine, Resource

POLICIES = Path(__file__).parents[2] / "policies"
SCHEME = Scheme.load(POLICIES / "classification.yaml")
ENGINE = Rules.load(POLICIES).engine
SCHEMA = b"""
entity Actor = { id: String, kind: String, roles: Set<String>, roles_anywhere: Set<String>,
                 clearance_level: Long, clearance_compartments: Set<String> };
entity Thing = { namespace?: String, rank?: Long };
action "changing";
action "thing:use" in ["changing"] appliesTo { principal: [Actor], resource: [Thing], context: {} };
"""
PERMIT = b'@id("p") @reason("Anyone may.") permit (principal, action, resource);'
EVE = Actor(
    "e1",
    "person",
    "Eve",
    {"finance": frozenset({"engineer"}), "*": frozenset({"guest"})},
    "confidential",
    frozenset({"finance"}),
)
LEDGER = Label("confidential", frozenset({"finance"}), frozenset({"eu"}), frozenset({"accounting"}))
VERSION = Resource("ModelVersion", "v1", "finance", LEDGER)


def an_engine(policies: bytes, schema: bytes = SCHEMA) -> PolicyEngine:
    return PolicyEngine({"own.cedar": policies, "bailiwick.cedarschema": schema}, SCHEME)


def test_a_denial_says_which_policy_and_what_to_do() -> None:
    verdict = ENGINE.decide(replace(EVE, clearance_level="public"), "version:read", VERSION)
    assert not verdict.allowed
    assert verdict.policy_ids == ("no-read-up",)
    assert verdict.reason == ENGINE.explain("no-read-up").reason
    assert verdict.bundle_digest == ENGINE.bundle_digest


def test_a_denial_that_nothing_permits_says_what_the_actor_holds_there() -> None:
    elsewhere = replace(VERSION, namespace="people", label=None)
    verdict = ENGINE.decide(EVE, "model:read", replace(elsewhere, type="Model"))
    assert verdict.policy_ids == verdict.errors == ()
    assert verdict.reason == (
        "No policy permits model:read: Eve holds guest in people; "
        "ask an administrator for a role that may."
    )


def test_roles_are_those_of_the_namespace_and_those_held_everywhere() -> None:
    def held_on(namespace: str | None) -> frozenset[str]:
        return EVE.roles_on(Resource("Model", "m", namespace, None))

    assert held_on("finance") == {"engineer", "guest"}
    assert held_on("people") == held_on(None) == {"guest"}
    assert EVE.roles_anywhere() == {"engineer", "guest"}


def test_a_forbid_that_fails_to_evaluate_denies_what_cedar_alone_would_allow() -> None:
    forbid = b"""@id("f") @reason("No.") forbid (principal, action, resource)
                 when { resource has rank && resource.rank + 1 > 9 };"""
    engine = an_engine(PERMIT + forbid)
    small = Resource("Thing", "t", None, None, {"rank": 3})
    assert engine.decide(EVE, "thing:use", small).allowed
    verdict = engine.decide(EVE, "thing:use", replace(small, attributes={"rank": 2**63 - 1}))
    assert not verdict.allowed
    assert verdict.policy_ids == ("p",)  # Cedar had said allow
    assert "overflow" in verdict.errors[0]
    assert "denies" in verdict.reason


@pytest.mark.parametrize(
    ("resource", "context"),
    [
        (replace(VERSION, label=replace(LEDGER, level="secret")), {}),
        (replace(VERSION, attributes={"owner": "eve"}), {}),
        (replace(VERSION, attributes={"requested_by": object()}), {}),
        (replace(VERSION, type="Nothing"), {}),
        (replace(VERSION, type="not a type"), {}),
        (replace(VERSION, type="Actor", id="e1"), {}),
        (VERSION, {"unexpected": 1}),
        (VERSION, {"unexpected": {1, "a"}}),
    ],
)
def test_what_does_not_fit_the_schema_is_denied_and_not_raised(
    resource: Resource, context: Mapping[str, Any]
) -> None:
    verdict = ENGINE.decide(EVE, "version:read", resource, context)
    assert not verdict.allowed
    assert verdict.errors


def test_confidential_values_stay_out_of_the_reason() -> None:
    verdict = ENGINE.decide(EVE, "version:read", replace(VERSION, attributes={"x": "IBAN 123"}))
    assert verdict.errors
    assert "IBAN" not in verdict.reason


def test_an_identifier_cannot_break_out_of_its_place() -> None:
    hostile = '"} , {"type": "ModelVersion"'
    verdict = ENGINE.decide(
        replace(EVE, id=hostile), "version:read", replace(VERSION, id=hostile + "\n\\")
    )
    assert verdict.allowed
    assert verdict.errors == ()


@pytest.mark.parametrize(
    "label", [LEDGER, LEDGER.to_dict(), LEDGER.to_dict() | {"level": 2}], ids=["label", "dict", "n"]
)
@pytest.mark.parametrize("level", ["confidential", 2])
def test_labels_and_levels_in_a_context_may_be_names_or_numbers(
    label: object, level: object
) -> None:
    context = {
        "purpose": "accounting",
        "input_label": label,
        "target_level": level,
        "target_compartments": {"finance"},
    }
    model = Resource("Model", "m", "finance", None)
    assert ENGINE.decide(EVE, "training:start", model, context).allowed
    refused = ENGINE.decide(EVE, "training:start", model, context | {"target_level": "internal"})
    assert refused.policy_ids == ("no-train-down",)


def test_a_row_appears_in_a_list_as_far_as_it_could_be_read() -> None:
    model = Resource("Model", "m", "finance", LEDGER)
    assert ENGINE.decide(EVE, "model:list", model).allowed
    assert not ENGINE.decide(EVE, "model:list", replace(model, namespace="people")).allowed
    low = replace(EVE, clearance_level="internal")
    assert ENGINE.decide(low, "model:list", model).policy_ids == ("no-read-up",)


def test_attributes_that_are_none_are_left_out() -> None:
    approval = Resource("Approval", "a", "finance", None, {"requested_by": "x", "trained_by": None})
    approver = replace(EVE, roles={"finance": frozenset({"approver"})})
    assert ENGINE.decide(approver, "approval:decide", approval, {"single_sign_on": True}).allowed


def test_the_digest_changes_with_any_byte_and_name_and_with_nothing_else() -> None:
    assert an_engine(PERMIT).bundle_digest == an_engine(PERMIT).bundle_digest
    assert an_engine(PERMIT).bundle_digest != an_engine(PERMIT + b"\n").bundle_digest
    renamed = PolicyEngine({"new.cedar": PERMIT, "bailiwick.cedarschema": SCHEMA}, SCHEME)
    assert renamed.bundle_digest != an_engine(PERMIT).bundle_digest
    assert Rules.load(POLICIES).digest == ENGINE.bundle_digest


def test_a_policy_is_explained_with_its_text_and_file() -> None:
    policy = ENGINE.explain("four-eyes")
    assert (policy.file, policy.effect) == ("duties.cedar", "forbid")
    assert "requested_by" in policy.text
    assert "four-eyes" in policy.text
    with pytest.raises(errors.NotFound, match="no policy nine-eyes"):
        ENGINE.explain("nine-eyes")


def test_actions_are_those_that_a_request_can_name_without_the_groups() -> None:
    assert an_engine(PERMIT).actions == {"thing:use"}
    assert {"model:list", "deployment:keep-text", "search:run"} <= ENGINE.actions
    assert not {"reading", "build"} & ENGINE.actions


@pytest.mark.parametrize(
    ("policies", "says"),
    [
        (b"permit (", r"own\.cedar .* end of input"),
        (
            b'@id("a") @reason("r") permit (principal, action, resource) when {resource.x == 1};',
            "x",
        ),
        (b'@id("a") permit (principal, action, resource);', r"own\.cedar: every policy needs an"),
        (b'@reason("a") permit (principal, action, resource);', r"own\.cedar: every policy needs"),
        (PERMIT + PERMIT, r"given twice: \['p'\]"),
        (b'@id("t") @reason("r") permit (principal == ?principal, action, resource);', "templates"),
        (b"\xff", r"own\.cedar is not UTF-8"),
    ],
)
def test_a_broken_policy_file_is_refused_by_name(policies: bytes, says: str) -> None:
    with pytest.raises(errors.Invalid, match=says):
        an_engine(policies)


def test_a_broken_or_missing_schema_or_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(errors.Invalid, match=r"bailiwick\.cedarschema is not a Cedar schema"):
        an_engine(PERMIT, b"entity Actor")
    (tmp_path / "own.cedar").write_bytes(PERMIT)
    with pytest.raises(errors.Invalid, match="need their schema"):
        PolicyEngine(read_bundle(tmp_path), SCHEME)
    with pytest.raises(errors.Invalid, match="BAILIWICK_POLICIES"):
        read_bundle(tmp_path / "nowhere")


def test_a_bundle_without_policies_denies_everything() -> None:
    engine = PolicyEngine({"bailiwick.cedarschema": SCHEMA}, SCHEME)
    assert not engine.decide(EVE, "thing:use", Resource("Thing", "t", None, None)).allowed
