"""Ways to meet confidential things in logs, numbers and evidence, or to undo the evidence."""

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, select, update
from structlog.testing import capture_logs
from typer.testing import CliRunner

from bailiwick.audit import AuditCheckpoint, AuditEvent, AuditLeaf, WentBack
from bailiwick.cli.database import app as database_commands
from bailiwick.cli.first_start import prepare
from bailiwick.core.errors import BailiwickError, Invalid
from bailiwick.lifecycle import Platform
from bailiwick.worker.ticks import sequence_audit
from support.api_audit import a_principal, behind_the_triggers, write
from support.api_world import World
from support.escapes import TEXT, Vault, label_of, uploaded

FEATURES = {"merchant": TEXT, "cost_centre": "c"}


# ---- What is written down about requests ----------------------------------------------------


def test_text_of_a_request_in_the_servers_log(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However it fails: at the model server, in the use case, at the door."""

    def breaks(*_: Any, **__: Any) -> None:
        raise ValueError(TEXT)

    path = "/deployments/{deployment_id}/predict"
    with capture_logs() as logs:
        for body in (
            {"instances": [{"features": {TEXT: TEXT}}]},
            {"instances": [{"features": TEXT}]},
            {"instances": [{"features": {"merchant": [TEXT]}}], TEXT: TEXT},
        ):
            assert vault.ask("POST", path, by="senior", json=body).status_code == 422
        monkeypatch.setattr(vault.world.gateway, "classify", breaks)
        broken = vault.ask("POST", path, by="senior", json={"instances": [{"features": FEATURES}]})
        assert broken.status_code == 500
        assert TEXT not in broken.text
    assert any(entry["log_level"] == "error" for entry in logs)
    assert TEXT not in str(logs)


def test_text_of_a_request_in_the_answer_to_a_wrong_one(vault: Vault) -> None:
    for path in ("/models", "/datasets", "/jobs", "/approvals", "/waivers", "/monitors", "/tokens"):
        for body in ({TEXT: TEXT}, {"name": [TEXT], "namespace": {TEXT: 1}}, [TEXT], TEXT):
            answer = vault.world.post(path, body, by="senior")
            assert answer.status_code in {403, 404, 422}
            assert TEXT not in answer.text, (path, body)


def test_a_hidden_name_in_the_servers_log(vault: Vault) -> None:
    with capture_logs() as logs:
        for path in ("/models/finance/{model}", "/datasets/finance/{dataset}", "//console/models"):
            vault.get(path)
    assert "classifier" not in str(logs)
    assert "purchases" not in str(logs)


def test_text_of_requests_in_the_audit_log_and_the_decisions(vault: Vault) -> None:
    with vault.world.platform.database.reading() as session:
        for event in session.scalars(select(AuditEvent)):
            assert TEXT.encode() not in event.body
    for path in ("/decisions?limit=500", "/audit/events?limit=500", "//metrics"):
        assert TEXT not in vault.get(path, by="auditor").text


def test_a_secret_in_the_audit_log(vault: Vault) -> None:
    exported = vault.world.get("/audit/export", by="auditor").text
    assert not any(secret in exported for secret in vault.world.tokens.values())


def test_the_log_for_those_who_are_no_auditors(vault: Vault) -> None:
    for path in (
        "/audit/events",
        "/audit/export",
        "/audit/checkpoint",
        "/audit/verification",
        "/audit/proofs/inclusion?index=0&size=1",
        "//console/audit",
        "/access-review",
    ):
        for by in ("junior", "stranger"):
            assert vault.get(path, by=by).status_code == 403, path


# ---- Undoing what is written down -----------------------------------------------------------


@pytest.fixture
def written(platform: Platform) -> Platform:
    """An installation whose log has five events, sequenced and signed."""
    actor = a_principal(platform.database, platform.clock.now())
    grow(platform, actor, 4)
    return platform


def grow(platform: Platform, actor: Any, events: int) -> None:
    """Some events more."""
    with platform.database.transaction() as session:
        for number in range(events):
            write(session, number, actor_id=actor, at=platform.clock.now())
    platform.sequence_audit()


def actor_of_first(platform: Platform) -> Any:
    """Whoever wrote the first event."""
    with platform.database.reading() as session:
        return session.scalars(select(AuditEvent.actor_id)).first()


def backup(platform: Platform) -> Path:
    """A copy of the SQLite file as it is now."""
    path = platform.settings.home.parent / "backup.db"
    source = platform.settings.resolved_database_url.removeprefix("sqlite:///")
    with closing(sqlite3.connect(source)) as live, closing(sqlite3.connect(path)) as copy:
        live.backup(copy)
    return path


def restore(platform: Platform, older: Path) -> None:
    """The copy in the place of the SQLite file, as after a restart of the machine."""
    platform.database.engine.dispose()
    live = Path(platform.settings.resolved_database_url.removeprefix("sqlite:///"))
    for leftover in live.parent.glob(live.name + "-*"):
        leftover.unlink()
    fresh = live.with_suffix(".restored")
    shutil.copyfile(older, fresh)
    fresh.replace(live)  # whoever still has the old file open keeps that one


def on_sqlite(platform: Platform) -> None:
    """A backup of the other database is made by its own tools."""
    if not platform.settings.resolved_database_url.startswith("sqlite"):
        pytest.skip("restores a file: what follows from it is the same on PostgreSQL")


def test_restoring_an_older_backup(written: Platform) -> None:
    """Labels that rose and roles that were revoked since would be as they were."""
    on_sqlite(written)
    older = backup(written)
    grow(written, actor_of_first(written), 3)
    written.check_continuity()
    restore(written, older)
    with pytest.raises(WentBack, match="gone back in time: its audit log ends after 5 events and"):
        written.check_continuity()
    with pytest.raises(WentBack):
        written.sequence_audit()


def test_a_backup_from_before_a_role_was_revoked_and_a_label_rose(world: World) -> None:
    """It is not opened again. What runs already answers by it, says so, and signs nothing."""
    on_sqlite(world.platform)
    platform, data = world.join("admin", "admin").platform, "finance/cards"
    world.join("former", "engineer", clearance="confidential")
    uploaded(world, data, label=label_of("confidential"))
    platform.sequence_audit()
    older = backup(platform)
    raised = {"label": label_of("restricted"), "reason": "names in it"}
    assert world.post(f"/datasets/{data}/label", raised, by="steward").status_code == 200
    revoked = world.ask("DELETE", "/principals/former/roles/*/engineer", by="admin")
    assert revoked.status_code == 204
    platform.sequence_audit()
    assert world.get(f"/datasets/{data}", by="former").status_code == 404

    restore(platform, older)
    assert world.get(f"/datasets/{data}", by="former").status_code == 200, "what there is to lose"
    with pytest.raises(WentBack, match="labels that rose, roles and tokens that were taken away"):
        prepare(platform)
    note = platform.settings.last_checkpoint_file
    kept = note.read_bytes()
    world.join("later", "engineer")
    with pytest.raises(WentBack):
        sequence_audit(platform)
    assert note.read_bytes() == kept, "the note of what was there"


def test_dropping_the_newest_rows_of_the_log(written: Platform) -> None:
    grow(written, actor_of_first(written), 2)
    forget_after(written, 5)
    with pytest.raises(WentBack, match="roles and tokens that were taken away"):
        written.check_continuity()


def forget_after(platform: Platform, size: int) -> None:
    """Cut the log off, as a database's owner could."""
    with behind_the_triggers(platform.database.engine) as connection:
        events = connection.execute(select(AuditLeaf.event_id).where(AuditLeaf.index >= size)).all()
        connection.execute(delete(AuditLeaf).where(AuditLeaf.index >= size))
        connection.execute(delete(AuditEvent).where(AuditEvent.id.in_([row[0] for row in events])))
        connection.execute(delete(AuditCheckpoint).where(AuditCheckpoint.size > size))


def test_dropping_a_row_in_the_middle(written: Platform) -> None:
    with behind_the_triggers(written.database.engine) as connection:
        connection.execute(delete(AuditLeaf).where(AuditLeaf.index == 2))
    with pytest.raises(WentBack, match="is not the one that was signed here"):
        written.check_continuity()


def test_cutting_the_log_off_and_writing_on(written: Platform) -> None:
    """As long as before, and another one: it cannot be signed, and not be opened either."""
    actor = actor_of_first(written)
    grow(written, actor, 2)
    note = written.settings.last_checkpoint_file.read_text()
    forget_after(written, 5)
    with pytest.raises(WentBack):
        grow(written, actor, 2)
    assert written.settings.last_checkpoint_file.read_text() == note
    written.settings.last_checkpoint_file.unlink()
    grow(written, actor, 0)  # without the note nothing is noticed, and so it is signed
    written.settings.last_checkpoint_file.write_text(note)
    with pytest.raises(WentBack, match="is not the one that was signed here"):
        written.check_continuity()


def test_another_root_under_the_same_size(written: Platform) -> None:
    with behind_the_triggers(written.database.engine) as connection:
        connection.execute(update(AuditCheckpoint).values(root=b"\0" * 32))
    with pytest.raises(WentBack, match="is not the one that was signed here"):
        written.check_continuity()


@pytest.mark.parametrize("change", ["smaller", "forged", "empty", "binary"])
def test_a_note_that_says_something_else(written: Platform, change: str) -> None:
    """What is kept beside the key is signed by it."""
    path = written.settings.last_checkpoint_file
    note = path.read_text()
    forged = {
        "smaller": note.replace("\n5\n", "\n1\n"),
        "forged": note.replace(note.split()[-1], "A" * len(note.split()[-1])),
        "empty": "",
    }
    if change == "binary":
        path.write_bytes(b"\xff\xfe")
    else:
        path.write_text(forged[change])
    with pytest.raises(Invalid, match="is not what the key beside it has signed"):
        written.check_continuity()


def test_a_log_that_has_grown_is_the_same_log(written: Platform) -> None:
    """The way that is open: nothing is refused that happens every day."""
    actor = actor_of_first(written)
    for _ in range(3):
        written.check_continuity()
        grow(written, actor, 2)
    with written.database.transaction() as session:
        write(session, 9, actor_id=actor, at=written.clock.now())
    written.check_continuity()
    written.settings.last_checkpoint_file.unlink()
    written.check_continuity()


def test_accepting_a_restore_takes_an_administrator_and_leaves_a_trace(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform = world.join("admin", "admin").platform
    platform.sequence_audit()
    with platform.database.reading() as session:
        size = session.scalars(select(AuditCheckpoint.size)).one()
    world.join("later", "engineer")
    platform.sequence_audit()
    forget_after(platform, size)
    monkeypatch.setenv("BAILIWICK_HOME", str(platform.settings.home))
    monkeypatch.setenv("BAILIWICK_DATABASE_URL", str(platform.settings.database_url))
    monkeypatch.setattr("bailiwick.cli.database.SystemClock", lambda: platform.clock)
    run = CliRunner()
    by_engineer = run.invoke(
        database_commands, ["accept-restore", "--by", "engineer", "--reason", "x"]
    )
    assert isinstance(by_engineer.exception, BailiwickError)
    with pytest.raises(WentBack):
        platform.check_continuity()
    words = ["accept-restore", "--by", "admin", "--reason", "disk lost, backup of Sunday"]
    accepted = run.invoke(database_commands, words)
    assert accepted.exit_code == 0, accepted.output
    platform.check_continuity()
    with platform.database.reading() as session:
        event = session.scalars(
            select(AuditEvent).where(AuditEvent.action == "audit.restore-accepted")
        ).one()
    told = json.loads(event.body)["details"]
    assert told["reason"] == "disk lost, backup of Sunday"
    assert told["size_before"] > told["size"] == size
    kept = list(platform.settings.last_checkpoint_file.parent.glob("*.before-restore-*"))
    assert len(kept) == 1, "the note of what was lost is kept"
