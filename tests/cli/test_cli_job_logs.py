"""`bailiwick job logs`: the last lines, and those that come until the job is over."""

import json
from uuid import UUID

import pytest

from bailiwick.lifecycle.job_logs import add_lines
from bailiwick.lifecycle.jobs import cancel
from bailiwick.lifecycle.tables import Job
from cli.conftest import Shell
from client.installation import Installation

ORDER = ("finance/classifier", "--dataset", "finance/purchases@1", "--purpose", "accounting")


def tell(installation: Installation, job: str, *lines: str, over: bool = False) -> None:
    with installation.platform.database.transaction() as session:
        found, at = session.get_one(Job, UUID(job)), installation.platform.clock.now()
        add_lines(session, found.id, lines, attempt=found.attempt, at=at)
        if over:
            cancel(session, found, actor_id=found.acts_as, at=at)


def test_the_last_lines_are_printed_for_people_and_as_json(
    shell: Shell, installation: Installation
) -> None:
    job = shell("train", *ORDER, "--time-seconds", "60", "--json").json["id"]
    assert shell("job", "logs", job[-8:]).out == ""
    tell(installation, job, "train 1/2 loss=0.5", "train 2/2 loss=0.25")
    assert shell("job", "logs", job[-8:], "--limit", "1").out.endswith("train 2/2 loss=0.25\n")
    lines = shell("job", "logs", job[-8:], "--json").out.splitlines()
    assert [json.loads(line)["number"] for line in lines] == [1, 2]
    assert "60" in shell("job", "show", job[-8:]).out


def test_who_follows_gets_what_comes_and_is_let_go_at_the_end(
    shell: Shell, installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = shell("train", *ORDER, "--json").json["id"]
    tell(installation, job, "first")
    later = [("second", False), ("third", True)]

    def sleep(_: float) -> None:
        if later:
            line, over = later.pop(0)
            tell(installation, job, line, over=over)

    monkeypatch.setattr("bailiwick.client.upkeep.time.sleep", sleep)
    told = shell("job", "logs", job[-8:], "--follow").out.splitlines()
    assert [line.split()[-1] for line in told] == ["first", "second", "third"]


def test_a_job_that_is_not_there_has_no_log(shell: Shell) -> None:
    assert "ending in ffffffff" in shell("job", "logs", "ffffffff", expect=1).err
