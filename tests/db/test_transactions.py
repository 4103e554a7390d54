"""Transactions: whole or not at all, and failures in words that help."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from shutil import copyfile

import pytest
from sqlalchemy import Engine, event, func, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from bailiwick.access import Principal, create_principal, find_principal
from bailiwick.core.errors import BailiwickError, Conflict, Invalid, Unavailable
from bailiwick.db import Database, make_engine
from bailiwick.policy import StoredLabel
from bailiwick.policy.tables import ApprovalRequest, ApprovalVote
from support.crashes.disks import fill, make_room, mounted, why_not
from support.databases import Databases

AT = datetime(2026, 1, 5, tzinfo=UTC)
SECRET = "iban-de89370400440532013000"


def add_person(session: Session, name: str) -> Principal:
    return create_principal(
        session, name, kind="person", clearance_level="public", actor_id=None, at=AT
    )


def count_principals(database: Database) -> int | None:
    with database.reading() as session:
        return session.scalar(select(func.count()).select_from(Principal))


def test_a_transaction_is_there_whole_after_its_block(database: Database) -> None:
    with database.transaction() as session:
        add_person(session, "ada")
        add_person(session, "grace")
    assert count_principals(database) == 2


def test_an_error_takes_everything_of_its_transaction_back(database: Database) -> None:
    def add_and_fail() -> None:
        with database.transaction() as session:
            add_person(session, "ada")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        add_and_fail()
    assert count_principals(database) == 0


def test_a_session_that_only_reads_refuses_to_write(database: Database) -> None:
    with pytest.raises(RuntimeError, match="only reads"), database.reading() as session:
        add_person(session, "ada")
    assert count_principals(database) == 0


def test_the_second_of_two_changes_to_one_revision_is_a_conflict(database: Database) -> None:
    with database.transaction() as session:
        add_person(session, "ada")
    with database.reading() as session:
        stale = find_principal(session, "ada")
    with database.transaction() as session:
        find_principal(session, "ada").clearance_level = "internal"

    def change_the_stale_one() -> None:
        with database.transaction() as session:
            session.add(stale)
            stale.clearance_level = "restricted"

    with pytest.raises(Conflict, match="somebody else changed this"):
        change_the_stale_one()
    with database.reading() as session:
        person = find_principal(session, "ada")
        assert (person.clearance_level, person.revision) == ("internal", 2)


def test_a_name_that_is_taken_is_a_conflict_that_names_the_constraint(database: Database) -> None:
    def add_two() -> None:
        with database.transaction() as session:
            for _ in range(2):
                session.add(
                    Principal(
                        kind="person",
                        name=SECRET,
                        clearance_level="public",
                        clearance_compartments=[],
                        created_at=AT,
                    )
                )

    with pytest.raises(Conflict, match="contradicts what is stored") as caught:
        add_two()
    assert "principals" in str(caught.value.details["constraint"])


def test_values_of_statements_never_appear_in_what_users_see(database: Database) -> None:
    statement = text("INSERT INTO principals (id, name) VALUES (:id, :name)")

    def insert() -> None:
        with database.transaction() as session:
            session.execute(statement, {"id": SECRET, "name": SECRET})

    with pytest.raises(BailiwickError) as caught:
        insert()
    assert SECRET not in f"{caught.value} {caught.value.details}"


def test_the_database_itself_refuses_that_who_asks_approves(session: Session) -> None:
    ada = add_person(session, "ada")
    session.add(StoredLabel(id="l", level="public", compartments=[], residency=[], purposes=[]))
    session.flush()
    request = ApprovalRequest(
        namespace="finance",
        label_id="l",
        subject_type="model-version",
        subject_id=ada.id,
        subject_digest="d",
        purpose="promote",
        requested_by=ada.id,
        trained_by=ada.id,
        required=1,
        state="open",
        created_at=AT,
        expires_at=AT,
    )
    session.add(request)
    session.flush()
    vote = {"request_id": request.id, "requested_by": ada.id, "trained_by": ada.id}
    vote |= {"approver_id": ada.id, "voice_id": ada.id, "vouched_by": []}
    session.add(ApprovalVote(**vote, approve=True, comment="", at=AT))
    with pytest.raises(DBAPIError, match="four_eyes"):
        session.flush()


def test_a_moment_comes_back_in_utc_and_a_naive_one_is_refused(session: Session) -> None:
    ada = add_person(session, "ada")
    elsewhere = timezone(timedelta(hours=5, minutes=30))
    ada.disabled_at = datetime(2026, 1, 5, 5, 30, tzinfo=elsewhere)
    session.flush()
    session.expire(ada)
    assert ada.disabled_at == AT
    assert ada.disabled_at.utcoffset() == timedelta(0)
    ada.disabled_at = datetime(2026, 1, 5)  # noqa: DTZ001 - the naive moment under test
    with pytest.raises(Exception, match="without a time zone"):
        session.flush()


def test_a_database_without_tables_says_which_command_makes_them(databases: Databases) -> None:
    database = Database(make_engine(databases.empty()))
    with pytest.raises(Unavailable, match="run `bailiwick db upgrade`"):
        count_principals(database)
    database.close()


def test_a_database_that_is_not_there_says_which_setting_to_check(tmp_path: Path) -> None:
    for url in (
        f"sqlite:///{tmp_path}/no/such/folder/x.db",
        "postgresql+psycopg://nobody@127.0.0.1:1/nothing",
    ):
        database = Database(make_engine(url))
        with pytest.raises(Unavailable, match="check BAILIWICK_DATABASE_URL"):
            count_principals(database)
        database.close()


@pytest.mark.parametrize("url", ["mysql://localhost/x", "not an address"])
def test_another_kind_of_database_is_refused_with_what_is_possible(url: str) -> None:
    with pytest.raises(Invalid, match="sqlite"):
        make_engine(url)


def shorten_waiting(engine: Engine, milliseconds: int) -> None:
    """What would take ten seconds takes a moment; the way it fails is the same."""
    statement = (
        f"SET lock_timeout = {milliseconds}"
        if engine.dialect.name == "postgresql"
        else f"PRAGMA busy_timeout = {milliseconds}"
    )

    def shorten(connection: object, _record: object) -> None:
        connection.execute(statement).close()  # type: ignore[attr-defined]  # either driver's

    event.listen(engine, "connect", shorten)


def test_a_busy_database_says_so_and_nothing_is_changed(database: Database) -> None:
    with database.transaction() as session:
        add_person(session, "ada")
    other = Database(make_engine(database.engine.url.render_as_string(hide_password=False)))
    shorten_waiting(other.engine, 50)

    def change_meanwhile() -> None:
        with other.transaction() as session:
            session.execute(text("UPDATE principals SET clearance_level = 'restricted'"))

    with database.transaction() as session:
        session.execute(text("UPDATE principals SET clearance_level = 'internal'"))
        with pytest.raises(Unavailable, match="the database is busy"):
            change_meanwhile()
    other.close()
    with database.reading() as session:
        assert find_principal(session, "ada").clearance_level == "internal"


def test_writers_wait_for_each_other_and_all_of_them_succeed(database: Database) -> None:
    def write(number: int) -> None:
        for turn in range(5):
            with database.transaction() as session:
                add_person(session, f"person-{number}-{turn}")

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert count_principals(database) == 20


def test_a_process_that_begins_on_a_full_disk_is_told_so(sqlite_template: Path) -> None:
    if reason := why_not():
        pytest.skip(reason)
    with mounted() as disk:
        copyfile(sqlite_template, disk / "it.db")
        fill(disk)
        database = Database(make_engine(f"sqlite:///{disk / 'it.db'}"))
        with (
            pytest.raises(Unavailable, match="disk that holds the database is full"),
            database.reading() as session,
        ):
            session.scalars(select(Principal.id)).all()
        make_room(disk)
        with database.reading() as session:
            assert session.scalars(select(Principal.id)).all() == []
        database.close()


def test_a_full_disk_says_so_and_nothing_is_lost(tmp_path: Path, sqlite_template: Path) -> None:
    path = tmp_path / "small.db"
    path.write_bytes(sqlite_template.read_bytes())
    database = Database(make_engine(f"sqlite:///{path}"))
    with database.transaction() as session:
        add_person(session, "ada")

    def limit(connection: object, _record: object) -> None:
        # SQLite reports a quota of pages exactly as it reports a full disk.
        connection.execute("PRAGMA max_page_count = 1").close()  # type: ignore[attr-defined]

    database.close()
    event.listen(database.engine, "connect", limit)

    def fill() -> None:
        with database.transaction() as session:
            for number in range(2_000):
                add_person(session, f"person-{number}")

    with pytest.raises(Unavailable, match="disk that holds the database is full"):
        fill()
    assert count_principals(database) == 1
    database.close()


def test_the_log_is_folded_beside_readers_and_never_fails(database: Database) -> None:
    with database.reading() as reader:
        reader.execute(text("SELECT 1"))
        with database.transaction() as session:
            session.execute(text("CREATE TABLE folded (a INTEGER)"))
        database.fold_log()
    database.fold_log()
    if database.engine.dialect.name == "sqlite":
        log = Path(f"{database.engine.url.database}-wal")
        with closing(database.engine.raw_connection()) as connection:
            pages = connection.cursor().execute("PRAGMA wal_checkpoint").fetchone()
        assert log.stat().st_size > 0
        assert pages[1] == pages[2]  # all that is in the log is in the file
    elsewhere = Database(make_engine("sqlite:////nowhere/at/all.db"))
    elsewhere.fold_log()


def test_several_processes_may_open_a_new_file_at_once(tmp_path: Path) -> None:
    def opened(url: str, together: threading.Barrier) -> int:
        engine = make_engine(url)
        together.wait()
        with closing(engine.connect()) as connection:
            found: int = connection.exec_driver_sql("SELECT 1").scalar_one()
        engine.dispose()
        return found

    with ThreadPoolExecutor(4) as threads:
        for number in range(40):
            url, together = f"sqlite:///{tmp_path}/{number}.db", threading.Barrier(4)
            assert [*threads.map(opened, [url] * 4, [together] * 4)] == [1] * 4
