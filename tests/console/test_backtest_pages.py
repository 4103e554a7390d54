"""Backtests on the console: the button, the page with its charts, the evidence of an approval."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from bailiwick.core.canonical import canonical_bytes
from bailiwick.core.ids import new_id
from bailiwick.lifecycle.backtest import Outcome, Plan, Result, Span, Unit
from bailiwick.lifecycle.replays import ReplaySettings
from bailiwick.lifecycle.replays.evidence import as_evidence
from bailiwick.lifecycle.replays.replaying import result_of
from bailiwick.lifecycle.retraining_policies import policy_subject
from bailiwick.lifecycle.tables import Backtest, BacktestResult, RetrainingPolicy
from bailiwick.policy import load_actor, request_approval
from console.story import Story, sign_in
from factories import PURPOSE

MONDAY = datetime(2024, 1, 1, tzinfo=UTC)
WEEK = timedelta(weeks=1)


def outcomes(weeks: int) -> Iterator[Outcome]:
    """The policy retrains once, every-period each week, frozen never."""
    for name, retrained in (("policy", {3}), ("frozen", set()), ("every-period", range(weeks))):
        yield Outcome(
            name,
            tuple(
                Result(
                    f"week {week}",
                    100,
                    0.9 - 0.02 * (week if name == "frozen" else 0),
                    0.8,
                    retrained=week in retrained,
                    alerted=name == "policy" and week == 2,
                    train_seconds=0.5,
                )
                for week in range(weeks)
            ),
            labels=100 * weeks,
        )


def replayed(weeks: int = 6) -> dict[str, Any]:
    spans = [
        Span(f"week {n - 1}", MONDAY + n * WEEK, MONDAY + (n + 1) * WEEK, 100 * n, 100 * n + 100)
        for n in range(weeks + 1)
    ]
    settings = ReplaySettings(
        until=spans[-1].end, purpose=PURPOSE, strategies=("policy", "frozen"), period=Unit.WEEK
    )
    return result_of(Plan(spans, 0, 0), settings, list(outcomes(weeks)))


@pytest.fixture
def policy_id(story: Story) -> UUID:
    with story.platform.database.reading() as session:
        return session.scalars(select(RetrainingPolicy.id)).one()


@pytest.fixture
def asked(admin: TestClient, story: Story, policy_id: UUID) -> UUID:
    """Somebody pressed the button."""
    page = admin.get(f"/console/deployments/{story.governed}").text
    assert "What would this policy have done last year?" in page
    answer = admin.post(
        f"/console/retraining-policies/{policy_id}/backtests", follow_redirects=False
    )
    assert answer.status_code == 303
    return UUID(answer.headers["location"].rpartition("/")[2])


def finish(story: Story, backtest: UUID) -> None:
    """It was replayed, and somebody asks for the policy's approval."""
    found = replayed()
    with story.platform.database.transaction() as session:
        at = story.platform.clock.now()
        result = BacktestResult(
            id=new_id(),
            backtest_id=backtest,
            content_digest="0" * 64,
            digest=story.platform.blobs.put_bytes(canonical_bytes(found)),
            summary=found["summary"] | {"late_rows": 3, "without_text": 0},
            at=at,
        )
        session.add(result)
        session.flush()
        ordered = session.get_one(Backtest, backtest)
        policy = session.get_one(RetrainingPolicy, ordered.policy_id)
        actor = load_actor(session, ordered.created_by)
        request_approval(
            session,
            policy_subject(session, policy),
            purpose="automate",
            required=1,
            actor=actor,
            at=at,
            evidence=[as_evidence(ordered, result)],
        )


def test_the_button_asks_for_a_year_of_the_policy(
    admin: TestClient, story: Story, asked: UUID, policy_id: UUID
) -> None:
    page = admin.get(f"/console/backtests/{asked}").text
    assert ">queued<" in page
    assert "s retraining policy<" in page
    with story.platform.database.reading() as session:
        found = session.get_one(Backtest, asked)
        assert found.policy_id == policy_id
        since, until = found.settings["since"], found.settings["until"]
    assert (datetime.fromisoformat(until) - datetime.fromisoformat(since)).days == 365
    assert found.settings["strategies"][0] == "policy"


def test_the_page_draws_each_strategy_beside_retraining_every_period(
    admin: TestClient, story: Story, asked: UUID
) -> None:
    finish(story, asked)
    page = admin.get(f"/console/backtests/{asked}").text
    assert page.count('class="chart small"') == 3
    assert page.count('class="mark retrain"') == 1 + 6
    assert page.count('class="mark alert"') == 1
    assert page.count('class="chart wide"') == 1  # of regret
    assert "3 labels came too late" in page
    listed = admin.get("/console/backtests").text
    assert f"/console/backtests/{asked}" in listed
    assert "policy 90.0%" in " ".join(listed.split())


def test_the_answer_stands_at_the_policy_and_at_its_approval(
    admin: TestClient, browser: TestClient, story: Story, asked: UUID
) -> None:
    finish(story, asked)
    for path in (f"/console/deployments/{story.governed}", "/console/approvals"):
        page = admin.get(path).text
        assert f'href="/console/backtests/{asked}"' in page
        assert "with 1 retraining;" in page
    sign_in(browser, story.token("newcomer", "approver", clearance="public"))
    assert str(asked) not in browser.get("/console/approvals").text
    assert browser.get(f"/console/backtests/{asked}").status_code == 404
