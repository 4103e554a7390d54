"""How the gates stand, and what a model is judged by, on its pages."""

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from bailiwick.access import issue_token
from bailiwick.lifecycle import Platform
from bailiwick.lifecycle.evaluation_settings import JudgedBy, set_judged_by
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
