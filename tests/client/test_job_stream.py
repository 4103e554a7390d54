"""A job's stream over HTTP: events come while the connection is open, and not at its end."""

from uuid import UUID

import httpx
import pytest

from bailiwick.api import job_logs
from bailiwick.lifecycle.job_logs import add_lines
from bailiwick.lifecycle.jobs import cancel
from bailiwick.lifecycle.tables import Job
from client.installation import Installation


def test_events_arrive_while_the_job_runs(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_logs, "LOOK_SECONDS", 0.02)
    platform = installation.platform
    with installation.client() as client:
        asked = client.train("finance/classifier", "finance/purchases@1", purpose="accounting")
    job_id = UUID(asked["id"])
    address = f"{installation.url}/api/v1/jobs/{asked['id']}/stream?seconds=60"
    headers = {"Authorization": f"Bearer {installation.tokens['engineer']}"}
    with httpx.stream("GET", address, headers=headers, timeout=20) as answer:
        lines = answer.iter_lines()
        assert next(line for line in lines if line) == "event: progress"
        for text in ("train 1/2", "train 2/2"):
            with platform.database.transaction() as session:
                add_lines(session, job_id, [text], attempt=0, at=platform.clock.now())
            assert text in next(
                line for line in lines if line.startswith("data") and "line" in line
            )
        with platform.database.transaction() as session:
            found = session.get_one(Job, job_id)
            cancel(session, found, actor_id=found.acts_as, at=platform.clock.now())
        assert "cancelled" in [line for line in lines if line.startswith("data")][-1]
