"""Limits of one order: less than the installation allows, never more."""

from sqlalchemy import select

from bailiwick.lifecycle.tables import Job
from support.api_world import World

ORDER = {"dataset_versions": [1], "purpose": "accounting"}


def data(world: World) -> dict[str, str]:
    """A model, and a dataset with a version."""
    with world.platform.database.transaction() as session:
        make = world.factory(session)
        version, model = make.dataset_version(make.dataset()), make.model()
        return {
            "model": f"{model.namespace}/{model.name}",
            "dataset": f"{version.dataset.namespace}/{version.dataset.name}",
        }


def test_a_training_may_be_ordered_with_less_and_not_with_more(world: World) -> None:
    order = ORDER | data(world)
    allowed = world.platform.settings.job_time_seconds["train"]
    assert world.post("/jobs", order | {"time_seconds": 0}).status_code == 422
    refused = world.post("/jobs", order | {"time_seconds": allowed + 1})
    assert refused.status_code == 422
    assert "BAILIWICK_JOB_TIME_SECONDS" in refused.json()["detail"]
    ordered = world.post("/jobs", order | {"time_seconds": 5, "memory_bytes": 9})
    assert ordered.json()["limits"] == {"time_seconds": 5, "memory_bytes": 9}
    assert world.post("/jobs", order).json()["limits"] == {}


def test_a_backtest_may_be_ordered_with_less_and_not_with_more(world: World) -> None:
    rows = {"dataset": f"{data(world)['dataset']}@1", "purpose": "accounting"}
    allowed = world.platform.settings.job_memory_bytes["backtest"]
    refused = world.post("/backtests", rows | {"memory_bytes": allowed + 1})
    assert refused.status_code == 422
    assert f"memory_bytes of a backtest job is at most {allowed} here" in refused.json()["detail"]
    ordered = world.post("/backtests", rows | {"memory_bytes": allowed}).json()
    with world.platform.database.reading() as session:
        jobs = {str(job.id): job.limits for job in session.scalars(select(Job))}
    assert jobs[ordered["job_id"]] == {"memory_bytes": allowed}
