"""Watched labels on the pages: accuracy with its interval, by class, and what a loss says."""

from datetime import datetime, timedelta
from uuid import UUID

import pytest
from fastapi import FastAPI
from sqlalchemy import select
from sqlalchemy.orm import Session

from bailiwick.core.clock import ReplayClock
from bailiwick.monitoring import (
    Alert,
    Inference,
    Outcome,
    create_monitor,
    log_feedback,
    log_inferences,
)
from bailiwick.monitoring.labelled import advance
from bailiwick.registry import Deployment, served_version
from console.story import Story
from console.test_traffic_pages import page, wires

DAY = timedelta(days=1)


@pytest.fixture
def alert_id(story: Story, clock: ReplayClock) -> UUID:
    """Of a deployment whose answers in the south are wrong from the fifth day on."""
    start = clock.now().replace(hour=0) + DAY
    with story.platform.database.transaction() as session:
        deployment = wires(session, session.get_one(Deployment, story.governed))
        version, actor = served_version(session, deployment).id, deployment.created_by
        monitor = create_monitor(
            session,
            deployment,
            max_accuracy_drop=0.05,
            min_rows=1_000,
            window_days=7,
            costs={"Fuel": {"Travel": 2.0}},
            actor_id=actor,
            at=start,
        )
        for day in range(9):
            at = start + (day + 1) * DAY
            answer(session, deployment, version, at, lost=day > 4)
            advance(session, monitor, version, actor_id=actor, at=at + DAY / 24)
        clock.advance_to(at + DAY)
        return session.scalars(select(Alert.id).where(Alert.label_incident_id.is_not(None))).one()


def answer(
    session: Session, deployment: Deployment, version: UUID, at: datetime, *, lost: bool
) -> None:
    """A day of requests that ends then, and all their labels."""
    said = [
        Inference(
            f"{at}-{row}",
            at - DAY / 2,
            "Travel" if lost and row % 2 else "Fuel",
            0.9,
            None,
            None,
            None,
            None,
            segments={"region": "south" if row % 2 else "north"},
        )
        for row in range(200)
    ]
    log_inferences(session, deployment.id, version, said, at=at)
    labels = [Outcome(one.record_id, "Fuel") for one in said]
    log_feedback(session, deployment.id, labels, actor_id=deployment.created_by, at=at - DAY / 24)


def test_the_alert_says_what_was_lost_where_and_by_labels_of_when(
    story: Story, app: FastAPI, alert_id: UUID
) -> None:
    text = page(app, story.token("lena", "engineer"), f"/console/alerts/{alert_id}")
    for said in ("What was lost", "held to", "since then", "region south", "labels rebase"):
        assert said in text
    assert "What moved" not in text


def test_the_deployment_shows_accuracy_its_classes_and_the_loss(
    story: Story, app: FastAPI, alert_id: UUID
) -> None:
    with story.platform.database.reading() as session:
        deployment = session.get_one(Alert, alert_id).deployment_id
    text = page(app, story.token("lena", "engineer"), f"/console/deployments/{deployment}")
    for said in (
        "Labels, as they come",
        "1,800 labelled requests",
        "its evaluation on",
        "Accuracy per day",
        "Macro f1",
        "Cost per request",
        "By label",
        "Accuracy fell from",
        "stands",
    ):
        assert said in text, said
