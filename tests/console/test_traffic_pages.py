"""Watched traffic on the pages: what a deployment is held to, and what an incident says to whom."""

from datetime import datetime, timedelta
from uuid import UUID

import numpy as np
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from bailiwick.core.clock import ReplayClock
from bailiwick.core.ids import new_id
from bailiwick.monitoring import (
    Alert,
    Inference,
    Monitor,
    create_monitor,
    log_inferences,
    set_terms,
)
from bailiwick.monitoring.watching import DriftIncident, accept, advance
from bailiwick.registry import Deployment, served_version
from console.conftest import browse
from console.story import Story, sign_in

HOUR = timedelta(hours=1)


@pytest.fixture
def alert_id(story: Story, clock: ReplayClock) -> UUID:
    """Of a deployment whose requests from the north doubled in length nine days from now."""
    start = clock.now().replace(hour=0) + 24 * HOUR
    with story.platform.database.transaction() as session:
        deployment = session.get_one(Deployment, story.governed)
        deployment = wires(session, deployment)
        version, actor = served_version(session, deployment).id, deployment.created_by
        monitor = create_monitor(
            session,
            deployment,
            max_accuracy_drop=0.05,
            min_rows=1_000,
            window_days=7,
            actor_id=actor,
            at=start,
        )
        set_terms(
            session,
            deployment.id,
            segments=["region"],
            max_ahead_seconds=300,
            max_age_days=1_000,
            rejected_days=3,
            actor_id=actor,
            at=start,
        )
        log_inferences(session, deployment.id, version, requests(start), at=start)
        for hours in (9 * 24 + 1, 9 * 24 + 2):
            at = start + hours * HOUR
            advance(session, monitor, version, actor_id=actor, at=at)
        clock.advance_to(at)
        newest = select(Alert.id).where(Alert.incident_id.is_not(None))
        return session.scalars(newest).one()


def wires(session: Session, like: Deployment) -> Deployment:
    """Another deployment of the same model, which nobody has asked yet."""
    names = {column.name for column in Deployment.__table__.columns} - {"id", "name", "revision"}
    copy = Deployment(id=new_id(), name="wires", **{name: getattr(like, name) for name in names})
    session.add(copy)
    session.flush()
    return copy


def requests(start: datetime) -> list[Inference]:
    random = np.random.default_rng(1)
    found = []
    for number in range(9 * 24 * 40):
        at = start + number * timedelta(seconds=90)
        region = ("north", "south")[number % 2]
        longer = region == "north" and at >= start + 8 * 24 * HOUR
        words = max(0, round(random.normal(14 if longer else 7, 2)))
        found.append(
            Inference(
                f"traffic-{number}",
                at,
                "Fuel" if random.random() < 0.6 else "Travel",
                float(random.uniform(0.6, 1)),
                None,
                words,
                0.0,
                None,
                segments={"region": region},
            )
        )
    return found


def page(app: FastAPI, token: str, path: str) -> str:
    client: TestClient = browse(app)
    sign_in(client, token)
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    return answer.text


def test_the_alert_says_what_moved_where_and_for_whom(
    story: Story, app: FastAPI, alert_id: UUID
) -> None:
    engineer = page(app, story.token("lena", "engineer"), f"/console/alerts/{alert_id}")
    for said in ("What moved", "Mean number of words rose", "region north", "traffic-", "accept"):
        assert said in engineer
    auditor = page(app, story.token("theo", "auditor"), f"/console/alerts/{alert_id}")
    assert "region north" in auditor
    assert "traffic-" not in auditor


def test_the_deployment_says_what_it_is_held_to_and_what_stands(
    story: Story, app: FastAPI, alert_id: UUID
) -> None:
    with story.platform.database.reading() as session:
        deployment = session.get_one(Alert, alert_id).deployment_id
    text = page(app, story.token("lena", "engineer"), f"/console/deployments/{deployment}")
    for said in ("Traffic, window by window", "provisional", "every 1 h", "stands", "Evidence"):
        assert said in text


def test_a_deployment_without_a_change_or_a_baseline_has_its_page(
    story: Story, app: FastAPI, alert_id: UUID, clock: ReplayClock
) -> None:
    with story.platform.database.transaction() as session:
        alert = session.get_one(Alert, alert_id)
        deployment, at = alert.deployment_id, clock.now()
        incident = session.get_one(DriftIncident, alert.incident_id)
        monitor = session.get_one(Monitor, alert.monitor_id)
        accept(session, monitor, incident, reason="a form", actor_id=monitor.created_by, at=at)
        served = served_version(session, session.get_one(Deployment, deployment)).id
        advance(session, monitor, served, actor_id=monitor.created_by, at=at)
    text = page(app, story.token("lena", "engineer"), f"/console/deployments/{deployment}")
    assert "Waits for seven days of traffic" in text
    assert "accepted" in text
    resolved = page(app, story.token("mira", "engineer"), f"/console/alerts/{alert_id}")
    assert "a form" in resolved
    assert "monitor traffic accept" not in resolved
