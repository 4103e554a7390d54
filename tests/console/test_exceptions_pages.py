"""Waivers, comments and lent voices on the pages: what is shown, to whom, and what forms do."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from bailiwick.access import Principal, find_principal, issue_token
from bailiwick.lifecycle import Platform
from bailiwick.lineage import DatasetVersion
from bailiwick.policy import ApprovalRequest, Delegation, Waiver, intern_label
from bailiwick.registry import ModelVersion
from console.story import sign_in
from factories import CONFIDENTIAL, Factory
from support.waiving import acting, asked, excuse, request_of

SignedIn = Callable[[str], TestClient]
ROLES: dict[str, tuple[str, ...]] = {
    "ada": ("admin", "approver"),
    "stella": ("steward",),
    "otto": ("auditor",),
}
LOWER: dict[str, Any] = {
    "level": "internal",
    "residency": ["eu"],
    "purposes": ["accounting"],
    "reason": "only totals are left in it",
    "evidence": "checked by two people on Monday",
    "until": "2023-02-01",
}


@dataclass(frozen=True)
class Scene:
    """A dataset whose waiver waits, a version that has one, and one that failed its gates."""

    platform: Platform
    tokens: dict[str, str]
    dataset_version: UUID
    running: UUID
    failed: UUID
    waits: UUID
    request: UUID
    acts: UUID


@pytest.fixture
def scene(platform: Platform) -> Scene:
    with platform.database.transaction() as session:
        make = Factory(session, platform)
        running = make.running()
        data = session.scalars(select(DatasetVersion)).one()
        failed = make.model_version(make.model("weak"), data, accuracy=0.2)
        served = session.scalars(select(ModelVersion).where(ModelVersion.number == 1)).first()
        assert served is not None
        waits, acts = asked(make, data.dataset), acting(make, served)
        people = {name: make.principal(name, *roles) for name, roles in ROLES.items()}
        low = make.principal("low", "engineer", clearance="public")
        people |= {"engineer": make.engineer, "approver": make.approver, "low": low}
        session.flush()
        tokens = {name: _token(make, person) for name, person in people.items()}
        request = request_of(make, waits).id
        return Scene(platform, tokens, data.id, running.id, failed.id, waits.id, request, acts.id)


def _token(make: Factory, person: Principal) -> str:
    return issue_token(make.session, person, "console", actor_id=make.root.id, at=make.at)[1]


@pytest.fixture
def signed_in(browser: TestClient, scene: Scene) -> SignedIn:
    """The browser, signed in as somebody."""

    def as_somebody(name: str) -> TestClient:
        browser.cookies.clear()
        sign_in(browser, scene.tokens[name])
        return browser

    return as_somebody


def waiver(scene: Scene, identifier: UUID) -> Waiver:
    with scene.platform.database.reading() as session:
        return session.get_one(Waiver, identifier)


def test_the_list_shows_each_with_its_state_and_leads_to_it(
    scene: Scene, signed_in: SignedIn
) -> None:
    page = signed_in("otto").get("/console/waivers").text
    for identifier in (scene.waits, scene.acts):
        assert f"/console/waivers/{identifier}" in page
    assert "finance/purchases" in page
    assert "finance/classifier@1" in page
    assert "requested</span>" in page
    assert "active</span>" in page
    assert signed_in("low").get("/console/waivers").text.count("<tr>") == 0


def test_one_waiver_says_why_on_what_evidence_and_who_agreed(
    scene: Scene, signed_in: SignedIn
) -> None:
    page = signed_in("otto").get(f"/console/waivers/{scene.acts}").text
    assert "it holds no names" in page
    assert "scan of 5 January: no findings" in page
    assert "approver" in page
    assert "End the waiver" not in page  # an auditor only reads
    assert signed_in("low").get(f"/console/waivers/{scene.acts}").status_code == 404


def test_it_shows_wherever_it_acts(scene: Scene, signed_in: SignedIn) -> None:
    browser = signed_in("engineer")
    page = browser.get("/console/models/finance/classifier/versions/1").text
    assert f'by a <a href="/console/waivers/{scene.acts}">waiver</a>' in page
    assert "Counts as" in page
    assert "Counts as" not in browser.get("/console/models/finance/weak/versions/1").text
    assert "Counts as" not in browser.get("/console/datasets/finance/purchases").text


def test_it_is_ended_by_those_who_may_with_a_reason(scene: Scene, signed_in: SignedIn) -> None:
    path = f"/console/waivers/{scene.acts}"
    stella = signed_in("stella")
    assert "End the waiver" in stella.get(path).text
    assert stella.post(f"{path}/end", data={"reason": " "}).status_code == 422
    assert stella.post(f"{path}/end", data={"reason": "names were found"}).status_code == 303
    page = stella.get(path).text
    assert "names were found" in page
    assert "End the waiver" not in page
    assert waiver(scene, scene.acts).state == "ended"
    again = stella.post(f"{path}/end", data={"reason": "x"})
    assert (again.status_code, "cannot be ended" in again.text) == (409, True)


def test_a_void_one_says_so(scene: Scene, signed_in: SignedIn) -> None:
    with scene.platform.database.transaction() as session:
        version = session.scalars(select(ModelVersion).where(ModelVersion.number == 1)).first()
        assert version is not None
        served = session.get_one(ModelVersion, waiver(scene, scene.acts).subject_id)
        served.label_id = intern_label(session, replace(CONFIDENTIAL, level="restricted"))
    page = signed_in("otto").get(f"/console/waivers/{scene.acts}").text
    assert "It does not act: the label of what it is about has changed" in page
    assert "classifier" not in page  # its name is for those cleared for the label of now
    assert "void</span>" in signed_in("otto").get("/console/waivers").text


@pytest.mark.parametrize("kind", ["model-version", "dataset-version", "deployment"])
def test_a_lower_label_is_asked_for_in_a_form(scene: Scene, signed_in: SignedIn, kind: str) -> None:
    identifier = {
        "model-version": scene.failed,
        "dataset-version": scene.dataset_version,
        "deployment": scene.running,
    }[kind]
    path = f"/console/waivers/about/{kind}/{identifier}"
    engineer = signed_in("engineer")
    form = engineer.get(path).text
    assert "<option selected>confidential</option>" in form
    assert "restricted</option>" not in form  # a waiver only lowers
    answer = engineer.post(path, data=LOWER)
    assert answer.status_code == 303
    made = waiver(scene, UUID(answer.headers["location"].rpartition("/")[2]))
    assert (made.state, made.subject_id) == ("requested", identifier)
    assert "only totals are left" in engineer.get(answer.headers["location"]).text
    assert "only totals are left" in engineer.get("/console/approvals").text


def test_a_gate_is_excused_in_a_form_that_offers_the_failed_ones(
    scene: Scene, signed_in: SignedIn
) -> None:
    path = f"/console/waivers/about/model-version/{scene.failed}"
    engineer = signed_in("engineer")
    form = engineer.get(path).text
    assert 'value="min_accuracy"' in form
    assert 'value="max_parameters"' not in form
    assert path in engineer.get("/console/models/finance/weak/versions/1").text
    answer = engineer.post(path, data=LOWER | {"gate": "min_accuracy"})
    made = waiver(scene, UUID(answer.headers["location"].rpartition("/")[2]))
    assert (made.kind, made.gate, made.waived_label_id) == ("gate", "min_accuracy", None)
    with scene.platform.database.reading() as session:
        asked_for = select(ApprovalRequest.id).where(ApprovalRequest.subject_id == made.id)
        request = session.scalars(asked_for).one()
    decide = f"/console/approvals/{request}/decide"
    assert signed_in("ada").post(decide, data={"answer": "approve"}).status_code == 303
    page = signed_in("engineer").get("/console/models/finance/weak/versions/1").text
    assert page.count("excused</span>") == 1
    assert "Need not pass min accuracy" in page


@pytest.mark.parametrize(
    ("name", "status"), [("otto", 403), ("approver", 403), ("low", 404), ("stella", 200)]
)
def test_the_form_is_for_those_who_may_ask(
    scene: Scene, signed_in: SignedIn, name: str, status: int
) -> None:
    path = f"/console/waivers/about/model-version/{scene.failed}"
    somebody = signed_in(name)
    assert somebody.get(path).status_code == status
    assert somebody.post(path, data=LOWER).status_code == (303 if status == 200 else status)


def test_what_is_nothing_has_no_form(scene: Scene, signed_in: SignedIn) -> None:
    engineer = signed_in("engineer")
    for path in (f"model-version/{scene.waits}", f"waiver/{scene.waits}", f"run/{scene.failed}"):
        assert engineer.get(f"/console/waivers/about/{path}").status_code == 404


def test_the_approval_shows_what_is_waived_and_is_discussed(
    scene: Scene, signed_in: SignedIn
) -> None:
    page = signed_in("ada").get("/console/approvals").text
    assert f'<a href="/console/waivers/{scene.waits}">label of finance/purchases</a>' in page
    assert "scan of 5 January: no findings" in page
    path = f"/console/approvals/{scene.request}"
    said = signed_in("stella").post(f"{path}/comments", data={"text": "<b>which</b> columns?"})
    assert said.headers["location"] == f"/console/approvals#request-{scene.request}"
    assert "&lt;b&gt;which&lt;/b&gt; columns?" in signed_in("ada").get("/console/approvals").text
    auditor = signed_in("otto")
    assert "Comment</button>" not in auditor.get("/console/approvals").text
    assert auditor.post(f"{path}/comments", data={"text": "x"}).status_code == 403
    assert signed_in("low").post(f"{path}/comments", data={"text": "x"}).status_code == 404


def test_who_asked_withdraws_and_nobody_else_is_offered_it(
    scene: Scene, signed_in: SignedIn
) -> None:
    path = f"/console/approvals/{scene.request}/withdraw"
    assert "Withdraw</button>" not in signed_in("ada").get("/console/approvals").text
    assert signed_in("stella").post(path).status_code == 409
    engineer = signed_in("engineer")
    assert "Withdraw</button>" in engineer.get("/console/approvals").text
    assert engineer.post(path).status_code == 303
    page = engineer.get("/console/approvals").text
    assert "withdrawn</span>" in page
    assert "Withdraw</button>" not in page
    assert waiver(scene, scene.waits).state == "ended"


def test_a_voice_is_lent_used_and_taken_back(scene: Scene, signed_in: SignedIn) -> None:
    approver = signed_in("approver")
    lend = {"to": "stella", "namespace": "*", "until": "2023-01-20", "reason": "on leave"}
    assert approver.post("/console/delegations", data=lend).status_code == 303
    assert "Take back" in approver.get("/console/approvals").text
    stella = signed_in("stella")
    page = stella.get("/console/approvals").text
    assert "in the voice of approver" in page
    assert "Take back" not in page
    with scene.platform.database.reading() as session:
        lent = session.scalars(select(Delegation)).one()
    assert lent.until.date().isoformat() == "2023-01-20"
    vote = {"answer": "approve", "voice": str(lent.from_id)}
    path = f"/console/approvals/{scene.request}/decide"
    assert stella.post(path, data=vote).status_code == 303
    assert "in the voice of approver" in stella.get(f"/console/waivers/{scene.waits}").text
    assert waiver(scene, scene.waits).state == "active"
    revoke = f"/console/delegations/{lent.id}/revoke"
    assert stella.post(revoke).status_code == 403
    assert signed_in("approver").post(revoke).status_code == 303
    assert "revoked</span>" in signed_in("approver").get("/console/approvals").text


def test_an_approver_with_a_lent_voice_chooses_between_the_two(
    scene: Scene, signed_in: SignedIn
) -> None:
    lend = {"to": "ada", "namespace": "finance", "until": "2023-01-20", "reason": "on leave"}
    # The approver's role is held everywhere, so it is held in finance too.
    assert signed_in("approver").post("/console/delegations", data=lend).status_code == 303
    ada = signed_in("ada")
    page = ada.get("/console/approvals").text
    assert "ada (you)</option>" in page
    assert ">approver</option>" in page
    path = f"/console/approvals/{scene.request}/decide"
    undecided = ada.post(path, data={"answer": "approve"})
    assert (undecided.status_code, "say which one" in undecided.text) == (422, True)
    with scene.platform.database.reading() as session:
        own = find_principal(session, "ada").id
    assert ada.post(path, data={"answer": "approve", "voice": str(own)}).status_code == 303


def test_requests_that_expired_are_shown_as_such_and_offer_nothing(
    scene: Scene, signed_in: SignedIn, clock: Any
) -> None:
    clock.advance_to(clock.now() + timedelta(days=14))
    with scene.platform.database.transaction() as session:
        make = Factory(session, scene.platform)
        make.__dict__["root"] = find_principal(session, "root")
        tokens = {"ada": _token(make, find_principal(session, "ada"))}
    scene.tokens.update(tokens)
    page = signed_in("ada").get("/console/approvals").text
    assert "expired</span>" in page
    assert "Approve</button>" not in page


def test_what_a_relabelling_voided_says_why_and_hides_what_it_is_about(
    scene: Scene, signed_in: SignedIn
) -> None:
    with scene.platform.database.transaction() as session:
        data = session.get_one(DatasetVersion, scene.dataset_version)
        data.dataset.label_id = intern_label(session, replace(CONFIDENTIAL, level="restricted"))
    page = signed_in("ada").get("/console/approvals").text
    assert "Its answers count for nothing: its label has changed" in page
    assert "finance/purchases" not in page
    assert "Approve</button>" not in page


def test_an_excuse_that_acts_is_on_the_list_by_its_gate(scene: Scene, signed_in: SignedIn) -> None:
    with scene.platform.database.transaction() as session:
        make = Factory(session, scene.platform)
        for name in ("root", "engineer", "approver"):
            make.__dict__[name] = find_principal(session, name)
        acting(make, session.get_one(ModelVersion, scene.failed), excuse(make.at, "min_accuracy"))
    assert "miss min accuracy" in signed_in("otto").get("/console/waivers").text
