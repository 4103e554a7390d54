"""The page of a job: what it told so far."""

from fastapi.testclient import TestClient

from bailiwick.access import issue_token
from bailiwick.lifecycle import Platform
from bailiwick.lifecycle.job_logs import add_lines
from console.story import sign_in
from factories import Factory
from support.lifecycle_world import queue_job


def test_the_page_of_a_job_shows_the_last_lines_of_its_log(
    platform: Platform, browser: TestClient
) -> None:
    with platform.database.transaction() as session:
        make = Factory(session, platform)
        job = queue_job(make)
        _, token = issue_token(session, make.engineer, "console", actor_id=make.root.id, at=make.at)
    sign_in(browser, token)
    address = f"/console/jobs/{job.id}"
    assert 'id="log"' not in browser.get(address).text
    with platform.database.transaction() as session:
        lines = ["train 1/2 loss=0.5", "at <string>:1 in <module>"]
        add_lines(session, job.id, lines, attempt=0, at=platform.clock.now())
    text = browser.get(address).text
    assert "The last 2 lines" in text
    assert "train 1/2 loss=0.5\n" in text
    assert "at &lt;string&gt;:1 in &lt;module&gt;" in text
