"""A power cut takes away nothing that a committed row needs: what is synced, and in which order."""

import io
from collections.abc import Callable
from pathlib import Path
from threading import Event

import pytest
from sqlalchemy import select, text

from bailiwick.blobs import BlobStore
from bailiwick.core.disks import make_folder
from bailiwick.core.keyfiles import create_once, replace_file
from bailiwick.db import Database, make_engine
from bailiwick.monitoring import load_or_create_key
from bailiwick.monitoring.texts.vault import TextVault
from bailiwick.registry import ModelVersion
from bailiwick.worker import ticks
from support.crashes.children import STARTERS, Children, use_children
from support.crashes.grounds import Ground
from support.crashes.installations import Installation, opened
from support.power import recording

SYNCS_EVERY_COMMIT = 2  # SQLite's FULL


@pytest.mark.parametrize("way", ["bytes", "stream"])
def test_a_blob_that_was_kept_is_safe_with_every_folder_on_the_way_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    store = BlobStore(tmp_path / "not" / "made" / "yet")
    with recording(monkeypatch) as done:
        digest = (
            store.put_bytes(b"weights") if way == "bytes" else store.put_stream(io.BytesIO(b"w"))
        )
    assert done.unsafe(store.path_of(digest), by=len(done.acts)) == []
    assert ("name", str(store.root)) in done.acts


def test_a_blob_that_another_process_left_is_safe_once_it_is_kept_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = BlobStore(tmp_path)
    digest = store.put_bytes(b"weights")
    for again in (lambda: store.put_bytes(b"weights"), lambda: store.put_stream(_weights())):
        with recording(monkeypatch) as done:
            assert again() == digest
        assert ("synced", str(store.path_of(digest).parent)) in done.acts


def _weights() -> io.BytesIO:
    return io.BytesIO(b"weights")


def rotated(path: Path) -> None:
    vault = TextVault(path)
    vault.renew([])
    vault.renew([kek.name for kek in vault.ring().keks])


@pytest.mark.parametrize(
    "write",
    [
        lambda path: create_once(path, b"key"),
        lambda path: replace_file(path, b"key"),
        load_or_create_key,
        rotated,
    ],
    ids=["made", "replaced", "of pseudonyms", "of texts, rotated"],
)
def test_a_key_is_safe_before_anything_is_sealed_by_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Callable[[Path], object]
) -> None:
    path = tmp_path / "home" / "key"
    with recording(monkeypatch) as done:
        write(path)
    assert done.unsafe(path, by=len(done.acts)) == []
    assert [one.name for one in path.parent.iterdir()] == ["key"]


def test_a_file_that_is_not_synced_or_whose_name_is_not_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "new" / "file"
    with recording(monkeypatch) as done:
        path.parent.mkdir()
        path.with_name("part").write_bytes(b"")
        path.with_name("part").replace(path)
        make_folder(path.parent)  # is there already: nothing to sync
    assert len(done.unsafe(path, by=len(done.acts))) == 3


def test_a_retraining_commits_no_row_before_the_bytes_that_it_names_are_safe(
    ground_of: Callable[[str], Ground],
    copy_of: Callable[[Ground], Installation],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    installation = copy_of(ground_of("alert"))
    for module in STARTERS:  # are put back at the end
        monkeypatch.setattr(module, "run_child", module.run_child)
    use_children(Children.QUICK, ())
    with opened(installation) as platform:
        kept = set(platform.blobs.root.rglob("*"))
        with recording(monkeypatch) as done:
            ticks.answer_alerts(platform)
            ticks.work(platform, "worker", Event())
        fresh = [
            path for path in platform.blobs.root.rglob("*") if path not in kept and path.is_file()
        ]
        with platform.database.reading() as session:
            assert len(session.scalars(select(ModelVersion.id)).all()) == 2
    assert len(fresh) >= 2  # gathered rows and weights
    for path in fresh:
        named = done.acts.index(("name", str(path.resolve())))
        after = [place for place in done.commits() if place > named]
        assert after, path
        assert done.unsafe(path, by=after[0]) == []


def test_postgresql_waits_for_its_log_where_the_server_is_told_not_to(database: Database) -> None:
    if database.engine.dialect.name != "postgresql":
        pytest.skip("SQLite has a setting of its own")
    asked = "SELECT {} FROM pg_settings WHERE name = 'synchronous_commit'"
    for _ in range(2):  # also after the first transaction of a connection has ended
        with database.reading() as session:
            assert session.scalar(text(asked.format("reset_val"))) == "off"  # the tests' server
            assert session.scalar(text(asked.format("setting"))) == "on"


def test_sqlite_syncs_its_log_at_every_commit_in_whatever_connection(tmp_path: Path) -> None:
    database = Database(make_engine(f"sqlite:///{tmp_path / 'new.db'}"))
    for opened_ in (database.transaction, database.reading):
        with opened_() as session:
            assert session.scalar(text("PRAGMA synchronous")) == SYNCS_EVERY_COMMIT
            assert session.scalar(text("PRAGMA journal_mode")) == "wal"
    database.close()
