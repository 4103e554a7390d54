"""Policies on the pages: what is in force, how others come into force, and why something was no."""

from collections.abc import Callable, Iterator

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from bailiwick.lifecycle import Platform
from console.story import sign_in
from support.api_world import World
from support.policy_bundles import SHIPPED, approve, edited, frozen, propose, stricter, team_of

HOME = "/console/policies"
SignedIn = Callable[[str], TestClient]


@pytest.fixture
def team(platform: Platform) -> Iterator[World]:
    """People who hold one role everywhere each."""
    team = team_of(platform)
    yield team
    team.client.close()


@pytest.fixture
def signed_in(app: FastAPI, team: World) -> Iterator[SignedIn]:
    """The browser of one of them."""
    own = "https://console.test"
    opened: list[TestClient] = []

    def open_as(name: str) -> TestClient:
        client = TestClient(app, base_url=own, follow_redirects=False, headers={"origin": own})
        opened.append(client)
        sign_in(client, team.tokens[name])
        return client

    yield open_as
    for client in opened:
        client.close()


def test_whoever_is_signed_in_reads_what_is_in_force(signed_in: SignedIn) -> None:
    page = signed_in("engineer").get(HOME).text
    assert "they came with Bailiwick" in page
    assert "no-read-up" in page
    assert "Min holdout rows" in page
    assert "Bring back" not in page


def test_a_proposal_goes_into_force_and_back_by_forms(team: World, signed_in: SignedIn) -> None:
    assert team.post("/models", frozen("before"), by="engineer").status_code == 201
    digest = propose(team, stricter("once"), note="Freeze it.")["digest"]
    steward, approver = signed_in("steward"), signed_in("approver")

    page = steward.get(f"{HOME}/{digest}").text
    for told in ("Freeze it.", "checks passed", "Ask for approval", "frozen", "model:create"):
        assert told in page
    assert "engineer on model frozen/before</a>" in page, "what would have been denied"
    assert "Put in force" not in page, "nobody has approved it"
    assert "Ask for approval" not in approver.get(f"{HOME}/{digest}").text.replace("asked", "")
    assert steward.post(f"{HOME}/{digest}/approval").status_code == 303
    assert "Nobody has answered" in steward.get(f"{HOME}/{digest}").text
    assert "waiting for approval" in steward.get(HOME).text
    assert (
        f'<a href="{HOME}/{digest}">policies {digest[:12]}</a>'
        in approver.get("/console/approvals").text
    )

    early = steward.post(f"{HOME}/{digest}/activate", data={"reason": "now"})
    assert early.status_code == 403
    assert "bundle-needs-approvals" in early.text
    (waiting,) = team.get("/approvals", by="approver").json()["items"]
    answer = {"answer": "approve", "comment": "yes"}
    decided = approver.post(f"/console/approvals/{waiting['id']}/decide", data=answer)
    assert decided.status_code == 303

    assert "Put in force" in steward.get(f"{HOME}/{digest}").text
    assert ">approved<" in steward.get(HOME).text
    done = steward.post(f"{HOME}/{digest}/activate", data={"reason": "agreed on Monday"})
    assert done.headers["location"] == f"{HOME}/{digest}"
    page = steward.get(HOME).text
    assert "agreed on Monday" in page
    assert "<dt>Approved by</dt><dd>approver</dd>" in page
    assert "Bring back" in page
    assert team.post("/models", frozen("after"), by="engineer").status_code == 403

    back = steward.post(f"{HOME}/rollback", data={"reason": "it was too much"})
    assert back.status_code == 303, back.text
    assert team.post("/models", frozen("after"), by="engineer").status_code == 201
    assert "was in force" in steward.get(f"{HOME}/{digest}").text
    assert "Bring back" in steward.get(f"{HOME}/{digest}").text


def test_a_proposal_that_fails_its_checks_says_where(team: World, signed_in: SignedIn) -> None:
    loose = edited("duties.cedar", "resource.requested_by != principal.id", "true")
    digest = propose(team, loose)["digest"]
    page = signed_in("steward").get(f"{HOME}/{digest}").text
    assert "checks failed" in page
    assert "an approver does not decide her own request" in page
    assert "Ask for approval" not in page
    assert "checks failed" in signed_in("steward").get(HOME).text
    broken = propose(team, SHIPPED | {"roles.cedar": "permit ("})["digest"]
    assert "roles.cedar" in signed_in("auditor").get(f"{HOME}/{broken}").text


def test_who_may_not_govern_is_offered_nothing_and_refused(
    team: World, signed_in: SignedIn
) -> None:
    digest = propose(team, stricter("twice"))["digest"]
    approve(team, digest)
    engineer = signed_in("engineer")
    assert "Because" not in engineer.get(f"{HOME}/{digest}").text
    refused = engineer.post(f"{HOME}/{digest}/activate", data={"reason": "because"})
    assert refused.status_code in {403, 404}
    assert team.get("/policies", by="engineer").json()["since"] is None
    assert engineer.get(f"{HOME}/{'0' * 64}").status_code == 404


def test_a_denial_leads_to_its_reason_what_would_allow_it_and_whom_to_ask(
    team: World, signed_in: SignedIn
) -> None:
    refused = team.post("/models", frozen("mine"), by="auditor")
    assert refused.status_code == 403, refused.text
    decision = refused.json()["decision"]
    assert f"/console/decisions/{decision}" in signed_in("auditor").get("/console/decisions").text
    page = signed_in("auditor").get(f"/console/decisions/{decision}").text
    for told in ("auditors-only-read", "auditor were no auditor", "ask admin", "model frozen/mine"):
        assert told in page


def test_a_deployment_that_was_refused_says_where_it_may_run(
    team: World, signed_in: SignedIn
) -> None:
    with team.platform.database.transaction() as session:
        make = team.factory(session)
        coder = make.model("coder")
        make.champion(make.model_version(coder, make.dataset_version(make.dataset(), rows=20)))
        make.environment("fair", clearance="internal")
    wanted = {"model": "finance/coder", "environment": "fair", "purpose": "accounting"}
    wanted |= {"namespace": "finance", "name": "stall"}
    decision = team.post("/deployments", wanted, by="engineer").json()["decision"]
    page = signed_in("engineer").get(f"/console/decisions/{decision}").text
    for told in (
        "model version finance/coder@1?",
        "no-deploy-up",
        "the environment were cleared for confidential",
        "ask admin",
        "<dt>Environment level</dt><dd>internal</dd>",
    ):
        assert told in page
    team.join("junior", "engineer", clearance="internal")
    assert signed_in("junior").get(f"/console/decisions/{decision}").status_code == 404


def test_a_form_that_is_denied_links_to_the_decision(team: World, signed_in: SignedIn) -> None:
    digest = propose(team, stricter("thrice"))["digest"]
    steward = signed_in("steward")
    refused = steward.post(f"{HOME}/{digest}/activate", data={"reason": "now"})
    link = refused.text.partition('href="/console/decisions/')[2].partition('"')[0]
    page = steward.get(f"/console/decisions/{link}").text
    assert "bundle-needs-approvals" in page
    assert "another person approved" in page
