"""A deployment whose traffic is watched: a quiet week of it, and a change."""

from datetime import timedelta
from uuid import UUID

from sqlalchemy import select

from bailiwick.core.ids import new_id
from bailiwick.monitoring import Inference, Monitor, Outcome, labelled, log_feedback
from bailiwick.monitoring.hours import WindowLayout
from bailiwick.monitoring.intake import log_inferences
from bailiwick.monitoring.watching import DriftIncident, TrafficBaseline, Watch, advance
from bailiwick.registry import Deployment, ModelVersion, served_version
from support.api_world import World


def quiet_week(world: World, monitor_id: str) -> None:
    """The week up to now, in days of requests that all look alike, watched."""
    at = world.platform.clock.now()
    with world.platform.database.transaction() as session:
        monitor = session.get_one(Monitor, UUID(monitor_id))
        deployment = session.get_one(Deployment, monitor.deployment_id)
        version_id = served_version(session, deployment).id
        inferences = [
            Inference(
                record_id=f"quiet-{hour}-{row}",
                at=at - timedelta(hours=hour + 1),
                prediction="Fuel" if row % 3 else "Travel",
                confidence=0.7 + row / 300,
                characters=None,
                words=row % 7,
                unseen_words_ratio=None,
                text=None,
            )
            for hour in range(9 * 24)
            for row in range(30)
        ]
        log_inferences(session, deployment.id, version_id, inferences, at=at)
        robot = world.principals["robot"].id
        advance(session, monitor, version_id, actor_id=robot, at=at)


def drifted(world: World, monitor_id: str) -> str:
    """An incident that stands; its id."""
    at = world.platform.clock.now()
    with world.platform.database.transaction() as session:
        monitor = session.get_one(Monitor, UUID(monitor_id))
        version_id = session.scalars(select(ModelVersion.id)).first()
        layout = WindowLayout(
            id=new_id(),
            deployment_id=monitor.deployment_id,
            version_id=version_id,
            digest="0" * 64,
            content="{}",
            declared=[],
            sample_rows=200,
            made_at=at,
        )
        baseline = TrafficBaseline(
            id=new_id(),
            deployment_id=monitor.deployment_id,
            version_id=version_id,
            layout_id=layout.id,
            digest="0" * 64,
            grade="full",
            origin="traffic",
            reason="",
            window_hours=1,
            first=at - timedelta(days=30),
            end=at - timedelta(days=2),
            windows=672,
            rows=67_200,
            watched=["words"],
            unwatched=[],
            content=b"",
            created_by=world.principals["robot"].id,
            created_at=at,
        )
        incident = DriftIncident(
            id=new_id(),
            deployment_id=monitor.deployment_id,
            baseline_id=baseline.id,
            cause="abrupt-change",
            sentence="Mean number of words rose.",
            worth_waking=True,
            since=at - timedelta(days=1),
            since_earliest=at - timedelta(days=1),
            since_latest=at - timedelta(days=1),
            moves=[{"feature": "words", "examples": {"before": [], "after": []}}],
            course={"opened": 5, "took": 2, "confirmed": 5, "confirmations": 0, "recovered": None},
            opened_at=at,
            confirmed_at=at,
        )
        for row in (layout, baseline, incident):
            session.add(row)
            session.flush()
        watch = session.get_one(Watch, monitor.id)
        watch.layout_id, watch.baseline_id = layout.id, baseline.id
        watch.incident_id = incident.id
        return str(incident.id)


def labelled_days(
    world: World, monitor_id: str, *, days: int = 12, wrong: int = 8, name: str = "labelled"
) -> None:
    """The days up to now with 40 labelled requests each, so many of them wrong, judged."""
    at = world.platform.clock.now()
    with world.platform.database.transaction() as session:
        monitor = session.get_one(Monitor, UUID(monitor_id))
        deployment = session.get_one(Deployment, monitor.deployment_id)
        version_id = served_version(session, deployment).id
        robot = world.principals["robot"].id
        answers = [
            Inference(
                record_id=f"{name}-{day}-{row}",
                at=at - timedelta(days=day + 1),
                prediction="Fuel" if row % 3 else "Travel",
                confidence=0.7 + row / 300,
                characters=None,
                words=None,
                unseen_words_ratio=None,
                text=None,
            )
            for day in range(days)
            for row in range(40)
        ]
        log_inferences(session, deployment.id, version_id, answers, at=at)
        outcomes = [
            Outcome(one.record_id, "Food" if place % 40 < wrong else one.prediction)
            for place, one in enumerate(answers)
        ]
        log_feedback(session, deployment.id, outcomes, actor_id=robot, at=at)
        labelled.advance(session, monitor, version_id, actor_id=robot, at=at + timedelta(days=1))
