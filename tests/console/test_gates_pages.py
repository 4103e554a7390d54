"""How the gates stand, and what a model is judged by, on its pages."""

from uuid import uuid4

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from bailiwick.access import find_principal, issue_token
from bailiwick.audit import AuditEvent
from bailiwick.lifecycle import Platform
from bailiwick.lifecycle.evaluation_settings import JudgedBy, judged_by, set_judged_by
from bailiwick.lineage import DatasetVersion
from bailiwick.registry import RegisteredModel
from console.story import sign_in
from factories import Factory

MODEL = "/console/models/finance/classifier"


@pytest.fixture
def token(platform: Platform) -> str:
    """A running model that is judged by a golden set; an engineer's token."""
    with platform.database.transaction() as session:
        make = Factory(session, platform)
        make.running()
        model = session.scalars(select(RegisteredModel)).one()
        golden = session.scalars(select(DatasetVersion)).one()
        set_judged_by(
            session,
            model,
            JudgedBy(golden.id, ("cost_centre",), None),
            rules=platform.rules,
            actor=make.actor(make.principal("stella", "steward")),
            at=make.at,
        )
        return issue_token(session, make.engineer, "console", actor_id=make.root.id, at=make.at)[1]


def test_a_version_shows_each_gate_with_its_standing_and_its_figures(
    browser: TestClient, token: str
) -> None:
    sign_in(browser, token)
    page = browser.get(f"{MODEL}/versions/1").text
    assert "Stands typos, other casing and cut texts" in page
    assert "86.0% right as they are; 80.0% with typos" in page
    assert "no golden set is named for this model" in page  # when it was trained
    assert "Recipes tried, cheap first" in page
    assert "enough: 81.0%" in page
    model = browser.get(MODEL).text
    assert "Golden set" in model
    assert "cost_centre" in model


def test_the_policies_page_shows_every_tier(browser: TestClient, token: str) -> None:
    sign_in(browser, token)
    page = browser.get("/console/policies").text
    assert "low risk" in page
    assert "Max golden loss" in page
    assert "Reproduce" in page
    assert ">yes<" in page


@pytest.fixture
def steward_token(platform: Platform, token: str) -> str:
    """Of a steward, who may say what models are judged by."""
    del token  # the model is there
    with platform.database.transaction() as session:
        stella = find_principal(session, "stella")
        return issue_token(session, stella, "forms", actor_id=stella.id, at=platform.clock.now())[1]


def test_a_steward_says_what_a_model_is_judged_by(
    browser: TestClient, platform: Platform, steward_token: str
) -> None:
    sign_in(browser, steward_token)
    assert f'href="{MODEL}/evaluation">Change' in browser.get(MODEL).text
    form = browser.get(f"{MODEL}/evaluation").text
    assert "finance/purchases@1" in form
    assert ">cost_centre</textarea>" in form
    assert 'name="revision" value="1"' in form
    named = "cost_centre\r\n\r\n region "
    changes = {"revision": "1", "golden": "", "segments": named, "key_column": "invoice"}
    answer = browser.post(f"{MODEL}/evaluation", data=changes)
    assert (answer.status_code, answer.headers["location"]) == (303, MODEL)
    with platform.database.reading() as session:
        model = session.scalars(select(RegisteredModel)).one()
        assert judged_by(session, model.id) == JudgedBy(None, ("cost_centre", "region"), "invoice")
        actions = session.scalars(select(AuditEvent.action)).all()
    assert actions.count("model.evaluation-settings-changed") == 2  # the fixture's and this one
    late = browser.post(f"{MODEL}/evaluation", data=changes | {"segments": "region"})
    assert late.status_code == 412
    assert "Somebody has changed this since you opened the form" in late.text
    with platform.database.reading() as session:
        assert judged_by(session, model.id).segments == ("cost_centre", "region")


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"segments": "a\na"}, "Name at most 8 segments, each once."),
        ({"segments": "\n".join("abcdefghi")}, "Name at most 8 segments, each once."),
        ({"key_column": "k" * 201}, "A segment or key is the name of a column"),
        ({"golden": "the good one"}, "Choose the golden set from the list."),
    ],
)
def test_what_cannot_be_is_said_above_the_form_and_what_was_typed_stays(
    browser: TestClient, steward_token: str, changes: dict[str, str], problem: str
) -> None:
    sign_in(browser, steward_token)
    answer = browser.post(
        f"{MODEL}/evaluation", data={"revision": "1", "key_column": "mine", **changes}
    )
    assert answer.status_code == 422
    assert problem in answer.text
    assert changes.get("key_column", "mine") in answer.text


def test_a_golden_set_that_is_gone_is_hidden_like_one_that_may_not_be_read(
    browser: TestClient, steward_token: str
) -> None:
    sign_in(browser, steward_token)
    answer = browser.post(f"{MODEL}/evaluation", data={"revision": "1", "golden": str(uuid4())})
    assert answer.status_code == 404


def test_an_engineer_sees_what_a_model_is_judged_by_and_does_not_change_it(
    browser: TestClient, token: str
) -> None:
    sign_in(browser, token)
    page = browser.get(MODEL).text
    assert "What versions are judged by" in page
    assert f"{MODEL}/evaluation" not in page
    assert browser.get(f"{MODEL}/evaluation").status_code == 403
    assert browser.post(f"{MODEL}/evaluation", data={"segments": "x"}).status_code == 403
