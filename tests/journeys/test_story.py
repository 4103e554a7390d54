"""The whole story on a small slice: real API, worker, model server, training and drift reports."""

import csv
import io
import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from sqlalchemy import select

from bailiwick.audit import checkpoints, leaves
from bailiwick.audit.export import Header, verify, write
from bailiwick.cli.story import Columns, Ledger, Stage, Story, load_traffic, set_stage
from bailiwick.cli.story.settings import StorySettings
from bailiwick.core.clock import ReplayClock
from bailiwick.core.settings import Settings
from bailiwick.lifecycle import checks
from bailiwick.lifecycle.children import JobProcessFailed
from bailiwick.lifecycle.considering import start_due
from bailiwick.lifecycle.schedules import fire_due
from bailiwick.lifecycle.tables import Job, JobEvent
from bailiwick.lineage import DatasetVersion
from bailiwick.monitoring import Alert, CheckResult
from bailiwick.policy import Decision, load_label
from bailiwick.registry import CHAMPION, AliasMove, ModelVersion
from support.tiny_training import TINY

pytestmark = pytest.mark.torch

FIRST_DAY, LAST_DAY = date(2024, 1, 1), date(2025, 3, 31)  # five quarters
NEW_SHOPS = date(2024, 10, 1)
ROWS_PER_DAY = 7
CENTRES = ("parks", "schools", "highways")
# In the fourth quarter every shop gives way to another one.
SHOPS = {
    "Fuel": (("quillgarage", "ostrolpumps"), ("zembodepot", "fjordjets")),
    "Food": (("murkelstores", "tolvamarket"), ("plonkbakers", "quaxgrocer")),
    "Books": (("vellumpress", "inkhornpaper"), ("scrollhaus", "leafbarn")),
}
TEXTS = [shop for groups in SHOPS.values() for shops in groups for shop in shops]
BAD_ROWS = ["2024-02-30,quillgarage,parks,Fuel", "2024-03-02,quillgarage,parks,"]
NETWORK = {name: value for name, value in TINY.to_dict().items() if name != "kind"}
SETTINGS = StorySettings(
    training={"holdout_ratio": 0.25, "recipe": NETWORK},
    monitor={"window_days": 93, "max_accuracy_drop": 0.05, "min_rows": 100},
    retraining={
        "on_alert": ["harm"],
        "cooldown_days": 80,
        "window_days": 150,
        "holdout_ratio": 0.3,
        "recipe": NETWORK | {"pretrain_epochs": 0, "train_epochs": 12},
    },
    upheaval={
        "recipe_name": "cheap-first",
        "recipe": {"rungs": ["head-on-base", NETWORK | {"kind": "small-classifier"}]},
    },
    careless={"window_days": 60, "max_rows": 60, "recipe": NETWORK | {"train_epochs": 1}},
)


def write_rows(path: Path) -> None:
    """Dated purchases of three kinds, learnable by a tiny network in seconds."""
    chance = random.Random(5)  # noqa: S311 - a test's chance, not a secret
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(("date", "merchant", "cost_centre", "category"))
    for day in range((LAST_DAY - FIRST_DAY).days + 1):
        today = FIRST_DAY + timedelta(days=day)
        for _ in range(ROWS_PER_DAY):
            label = chance.choice(sorted(SHOPS))
            shop = chance.choice(SHOPS[label][today >= NEW_SHOPS])
            table.writerow((today, f"{shop} {chance.randrange(90)}", chance.choice(CENTRES), label))
    path.write_text(text.getvalue() + "\n".join(BAD_ROWS) + "\n", encoding="utf-8")


@pytest.fixture
def stage(settings: Settings, tmp_path: Path) -> Iterator[tuple[Stage, Story]]:
    """A running installation and the story that is about to be played on it."""
    write_rows(tmp_path / "purchases.csv")
    (tmp_path / "traffic").mkdir()
    traffic = load_traffic(
        tmp_path / "purchases.csv",
        Columns(("merchant", "cost_centre"), "category", "date"),
        tmp_path / "traffic",
        history_quarters=2,
        rows_per_quarter=600,
        seed=3,
    )
    clock = ReplayClock(traffic.history_end + timedelta(days=1))
    with set_stage(settings.model_copy(update={"port": 0}), clock) as running:
        story = Story(running, traffic, Console(file=io.StringIO()), SETTINGS)
        yield running, story


def test_the_story_from_raw_rows_to_a_replaced_model_with_proof(
    stage: tuple[Stage, Story],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    running, story = stage
    the_first_check_dies_and_is_tried_again(monkeypatch)
    story.cast()
    story.register_data()
    story.train_first()
    story.approve_and_deploy()
    story.watch()
    story.play()
    story.reject_one()
    ledger = story.conclude()

    the_data_are_registered_with_their_label_and_their_bad_rows(running)
    the_refusals_name_their_policies(running)
    the_ledger_tells_what_happened(ledger)
    the_alert_says_what_moved_and_keeps_its_report(running)
    every_challenger_was_promoted_or_rejected_with_reasons(running)
    the_log_is_proved_offline(running, ledger, tmp_path / "export.ndjson")
    nothing_of_it_is_due_years_later(running)
    a_sudden_change_is_answered_within_minutes(story)
    said = "".join(capfd.readouterr())
    no_text_and_no_secret_is_in_the_evidence(running, story, said)


def the_first_check_dies_and_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    real, dead = checks.run_child, []

    def run(*told: Any, **more: Any) -> dict[str, Any]:
        if not dead:
            dead.append(True)
            raise JobProcessFailed("the job process was ended by SIGKILL")
        return real(*told, **more)

    monkeypatch.setattr(checks, "run_child", run)


def a_sudden_change_is_answered_within_minutes(story: Story) -> None:
    story.upheaval()
    morning = story.ledger.morning
    assert morning is not None
    assert 0 < morning.minutes < 60
    assert [step.seconds for step in morning.steps] == sorted(
        step.seconds for step in morning.steps
    )
    told = [step.sentence for step in morning.steps]
    assert any(
        sentence.startswith("The alert is raised (page): Accuracy fell") for sentence in told
    )
    assert any("passes its gates" in sentence for sentence in told)
    assert any("answers 25% of the requests" in sentence for sentence in told)
    assert "became champion" in told[-1]
    assert morning.wrong_after > morning.wrong_before + 0.1


def nothing_of_it_is_due_years_later(running: Stage) -> None:
    later = running.clock.now() + timedelta(days=1_000)
    with running.platform.database.transaction() as session:
        assert (start_due(session, at=later), fire_due(session, at=later)) == (0, 0)


def the_data_are_registered_with_their_label_and_their_bad_rows(running: Stage) -> None:
    with running.platform.database.reading() as session:
        first = session.scalars(select(DatasetVersion).where(DatasetVersion.number == 1)).one()
        assert first.rows == ROWS_PER_DAY * 182
        assert first.rejected_rows == len(BAD_ROWS)
        assert first.last_time == datetime(2024, 6, 30, tzinfo=UTC)
        versions = session.scalars(select(ModelVersion).order_by(ModelVersion.number)).all()
        assert len(versions) == 3
        for version in versions:
            label = load_label(session, version.label_id)
            assert (label.level, set(label.compartments)) == ("confidential", {"finance"})
        assert versions[1].base_version_id == versions[0].id


def the_refusals_name_their_policies(running: Stage) -> None:
    with running.platform.database.reading() as session:
        denied = session.scalars(select(Decision).where(~Decision.allowed).order_by(Decision.id))
        refusals = {decision.action: set(decision.policy_ids) for decision in denied}
    assert refusals["version:promote"] == {"promotion-needs-approvals"}
    assert {"no-deploy-up", "residency"} <= refusals["deployment:serve"]
    assert "approval:decide" in refusals


def the_ledger_tells_what_happened(ledger: Ledger) -> None:
    periods = {period.period: period for period in ledger.periods}
    assert list(periods) == ["2024 Q3", "2024 Q4", "2025 Q1"]
    quiet, moved, after = periods.values()
    assert (quiet.alert, quiet.retrained, moved.alert, moved.retrained) == (
        *(False, False),
        *(True, True),
    )
    assert quiet.governed_accuracy == quiet.frozen_accuracy > 0.9
    assert moved.frozen_accuracy < 0.8
    assert after.governed_accuracy > after.frozen_accuracy + 0.1
    assert (ledger.retrains, ledger.rejected_challengers, ledger.alerts) == (1, 1, 1)
    assert ledger.audit_verified
    assert ledger.decisions > 10


def the_alert_says_what_moved_and_keeps_its_report(running: Stage) -> None:
    with running.platform.database.reading() as session:
        alert = session.scalars(select(Alert)).one()
        checks = session.scalars(select(CheckResult).order_by(CheckResult.window_end)).all()
    assert checks[1].window_start <= alert.since < checks[1].window_end
    assert checks[1].sentence.startswith("Accuracy fell from")
    assert [check.rows for check in checks] == [600, 600, 600]
    report = checks[1].report_blob
    assert report is not None
    assert b"<html" in running.platform.blobs.read_bytes(report)[:500].lower()


def every_challenger_was_promoted_or_rejected_with_reasons(running: Stage) -> None:
    with running.platform.database.reading() as session:
        jobs = session.scalars(select(Job).where(Job.kind == "retrain").order_by(Job.id)).all()
        moves = session.scalars(
            select(AliasMove).where(AliasMove.alias == CHAMPION).order_by(AliasMove.id)
        ).all()
    results: list[dict[str, Any]] = [job.result or {} for job in jobs]
    assert [result["verdict"] for result in results] == ["promoted", "rejected"]
    assert results[0]["reasons"] == []
    assert results[1]["reasons"]
    assert results[0]["accuracy"] > results[0]["champion_accuracy"]
    assert [str(move.new_version_id) for move in moves][1:] == [results[0]["version_id"]]
    assert {job.attempt for job in jobs} == {1}


def the_log_is_proved_offline(running: Stage, ledger: Ledger, path: Path) -> None:
    signer = running.platform.signer()
    with running.platform.database.reading() as session, path.open("wb") as stream:
        write(stream, Header(signer.name, signer.vkey), leaves(session), checkpoints(session))
    with path.open("rb") as stream:
        report = verify(stream, trusted_vkey=signer.vkey)
    assert report.key_trusted
    assert report.size >= ledger.audit_events > 50


def no_text_and_no_secret_is_in_the_evidence(running: Stage, story: Story, said: str) -> None:
    """Neither a row's text nor a token is in the log, a decision, a job, an alert, the output."""
    with running.platform.database.reading() as session:
        evidence = [leaf.decode() for leaf in leaves(session)]
        evidence += [repr(vars(row)) for row in session.scalars(select(Decision))]
        evidence += [repr(vars(row)) for row in session.scalars(select(Job))]
        evidence += [row.message for row in session.scalars(select(JobEvent))]
        evidence += [row.sentence for row in session.scalars(select(Alert))]
    people = (story.steward, story.engineer, story.approver, story.retrainer, story.ledger_app)
    secrets = [person._client.headers["Authorization"].split()[1] for person in people]
    found = [word for word in (*TEXTS, *secrets, running.admin_token) if word in said]
    found += [word for word in (*TEXTS, *secrets) if any(word in text for text in evidence)]
    assert found == []
