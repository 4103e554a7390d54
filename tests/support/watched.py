"""A deployment whose traffic changed: the rows that watching would have left behind."""

from datetime import timedelta
from uuid import UUID

from sqlalchemy import select

from bailiwick.core.ids import new_id
from bailiwick.monitoring import Monitor
from bailiwick.monitoring.hours import WindowLayout
from bailiwick.monitoring.watching import DriftIncident, TrafficBaseline, Watch
from bailiwick.registry import ModelVersion
from support.api_world import World


def drifted(world: World, monitor_id: str) -> str:
    """An incident that stands; its id."""
    at = world.clock.now()
    with world.platform.database.transaction() as session:
        monitor = session.get_one(Monitor, UUID(monitor_id))
        version_id = session.scalars(select(ModelVersion.id)).first()
        layout = WindowLayout(
            id=new_id(),
            deployment_id=monitor.deployment_id,
            version_id=version_id,
            digest="0" * 64,
            content="{}",
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
            moves=[],
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
