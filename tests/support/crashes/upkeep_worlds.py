"""Installations in which upkeep is due: what ticks do beside schedules, alerts and jobs."""

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

from sqlalchemy import insert, inspect, select

from bailiwick.lifecycle import Platform
from bailiwick.lifecycle.rolling_out import stop
from bailiwick.lifecycle.rollouts import Plan
from bailiwick.monitoring import InferenceRecord, Outcome, log_inferences
from bailiwick.registry import CANARY, CHAMPION
from factories import Factory
from support.api_traffic import START
from support.kept_records import DAY, LATER, Kept, days
from support.lifecycle_world import requests
from support.rollouts import begun, observe

HOUR = timedelta(hours=1)
THERE = Plan(canary_shares=(0.5,), step_hours=1, min_requests=20, served="elsewhere")


def served_wrongly(platform: Platform, _: str) -> None:
    """Another system answers by a version that nobody told it to serve."""
    with platform.database.transaction() as session:
        make = Factory(session, platform)
        one = begun(make, THERE)
        third = make.model_version(one.second.model, make.dataset_version(make.dataset("more")))
        _advance(platform, HOUR)
        came, _labels = requests(5, first=make.at, text=None)
        came = [replace(each, at=make.at) for each in came]
        log_inferences(session, one.deployment.id, third.id, came, at=make.at)


def rolled_out_long_ago(platform: Platform, _: str) -> None:
    """Requests stand that guards of a rollout looked at, which ended more than a month ago."""
    with platform.database.transaction() as session:
        make = Factory(session, platform)
        plan = Plan(canary_shares=(0.5,), step_hours=1, min_requests=20)
        deployment, rollout = (one := begun(make, plan)).deployment, one.rollout
        for role in (CHAMPION, CANARY):
            observe(session, rollout, role, 30, at=platform.clock.now())
        engineer = make.actor(make.engineer)
        stop(session, deployment, reason="enough", actor=engineer, at=make.at)
    _advance(platform, 31 * DAY)


def rejected_long_ago(platform: Platform, _: str) -> None:
    """Records that could not be used have been kept for their time."""
    kept = Kept.on(platform)
    kept.keep(days(2), at=START + 60 * DAY)  # too old
    _advance(platform, START + 120 * DAY - platform.clock.now())


def with_plain_texts(platform: Platform, _: str) -> None:
    """Texts stand from before texts were encrypted."""
    kept = Kept.on(platform)
    kept.keep(days(1))
    with platform.database.transaction() as session:
        row = session.scalars(select(InferenceRecord).limit(1)).one()
        values = {one.key: getattr(row, one.key) for one in inspect(InferenceRecord).column_attrs}
        plain = {"text": "paid in plain", "sealed": None, "data_key_id": None}
        for number in range(5):
            own = {"id": uuid4(), "record_id": f"plain-{number}"}
            session.execute(insert(InferenceRecord).values(values | plain | own))


def labelled_late(platform: Platform, _: str) -> None:
    """Labels came of records that are archived."""
    kept = Kept.on(platform)
    kept.keep(days(2))
    kept.archive_all()
    kept.tell(Outcome("d00-0", "Travel"), Outcome("d01-0", "Fuel"))
    _advance(platform, LATER + 2 * DAY - platform.clock.now())


def summed_up_long_ago(platform: Platform, _: str) -> None:
    """Hourly summaries are older than their deployment keeps them."""
    kept = Kept.on(platform, summary_days=40)
    kept.sum_up(3)
    _advance(platform, LATER - platform.clock.now())


def left_behind(platform: Platform, _: str) -> None:
    """Killed processes left half written files, which nobody has touched for days."""
    work = platform.settings.work_folder
    for folder in (work / "upload-dead", work / "jobs" / f"{uuid4()}-1"):
        folder.mkdir(parents=True)
        (folder / "rows.parquet").write_bytes(b"rows")
    (work / "segments").mkdir()
    (work / "segments" / "half.parquet").write_bytes(b"rows")
    platform.blobs.root.mkdir(exist_ok=True)
    (platform.blobs.root / ".incoming-dead").write_bytes(b"weights")


def _advance(platform: Platform, by: timedelta) -> None:
    platform.clock.advance_to(platform.clock.now() + by)  # type: ignore[attr-defined]
