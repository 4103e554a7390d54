"""Texts are encrypted where they lie, and open for their own record alone."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import event, func, insert, inspect, select, update

from bailiwick.core.errors import Conflict, Unavailable
from bailiwick.lifecycle import Platform
from bailiwick.monitoring import InferenceRecord, RejectedRecord, TextVault, log_inferences
from bailiwick.monitoring.intake import texts_of
from bailiwick.monitoring.intake.quarantine import set_aside
from bailiwick.monitoring.intake.records import Fault
from bailiwick.monitoring.keeping import (
    give_up_lost,
    has_plain_texts,
    rewrap_some,
    rotate_key,
    seal_plain_texts,
)
from bailiwick.monitoring.texts import RECORD, DataKey, Sealed, open_texts
from bailiwick.registry import served_version
from factories import Factory
from support.api_traffic import START, Traffic, inference
from support.sealed_traffic import NAMES, NOW, SECRET, erase, keep, record, texts


@pytest.fixture
def traffic(make: Factory) -> Traffic:
    """Of a deployment that has answered nothing yet."""
    return Traffic(make, make.running())


@pytest.fixture
def vault(tmp_path: Path) -> TextVault:
    """Whose file is not there yet."""
    return TextVault(tmp_path / "keys" / "texts.key")


def test_a_text_is_read_as_it_came_and_lies_encrypted(traffic: Traffic, vault: TextVault) -> None:
    keep(traffic, vault, record(1), record(2, subject="Ada"), record(3, text=None))
    assert texts(traffic, vault) == {
        "r00001": f"{SECRET} (1)",
        "r00002": f"{SECRET} (2)",
        "r00003": None,
    }
    rows = traffic.make.session.scalars(select(InferenceRecord)).all()
    assert [row.text for row in rows] == [None] * 3
    assert not any(b"Zanzibar" in (row.sealed or b"") for row in rows)
    assert vault.path.stat().st_mode & 0o777 == 0o600


def test_whoever_has_no_vault_sees_no_text_and_stores_none(
    traffic: Traffic, vault: TextVault
) -> None:
    keep(traffic, vault, record(1))
    assert traffic.window()[0].text is None
    with pytest.raises(ValueError, match="gives the vault"):
        log_inferences(
            traffic.make.session,
            traffic.deployment.id,
            traffic.version.id,
            [inference(2, text=SECRET)],
            at=START,
        )


def test_one_key_for_a_subject_and_one_for_each_day(traffic: Traffic, vault: TextVault) -> None:
    days = [record(1), record(2), record(25)]
    keep(
        traffic,
        vault,
        *days,
        record(3, subject="Ada"),
        record(27, subject="Ada"),
        at=NOW + timedelta(days=1),
    )
    keep(traffic, vault, record(4), record(5, subject="Ada"))
    about = traffic.make.session.scalars(select(DataKey.about)).all()
    assert sorted(about) == sorted(["2026-01-01", "2026-01-02", *NAMES.subjects(["Ada"])])


def test_a_batch_asks_for_its_keys_in_a_fixed_number_of_statements(
    traffic: Traffic, vault: TextVault
) -> None:
    def asked(first: int, count: int) -> int:
        statements: list[str] = []

        def note(_c: object, _k: object, statement: str, *_: object) -> None:
            statements.append(statement)

        connection = traffic.make.session.connection()
        event.listen(connection, "before_cursor_execute", note)
        span = range(first, first + count)
        keep(
            traffic,
            vault,
            *(record(number, at=START, subject=f"person {number}") for number in span),
        )
        event.remove(connection, "before_cursor_execute", note)
        return len(statements)

    keep(traffic, vault, record(0))
    assert asked(1, 10) == asked(100, 1_500)
    assert len(texts(traffic, vault)) == 1_511


def test_a_text_opens_for_its_own_record_and_deployment_alone(
    traffic: Traffic, vault: TextVault
) -> None:
    keep(traffic, vault, record(1))
    session = traffic.make.session
    row = session.scalars(select(InferenceRecord)).one()
    right = Sealed(row.deployment_id, row.record_id, row.sealed, row.data_key_id)
    assert open_texts(session, vault, RECORD, [right]) == [f"{SECRET} (1)"]
    for wrong in (
        Sealed(row.deployment_id, "r00002", row.sealed, row.data_key_id),
        Sealed(uuid4(), row.record_id, row.sealed, row.data_key_id),
        Sealed(row.deployment_id, row.record_id, (row.sealed or b"")[:-1] + b"x", row.data_key_id),
    ):
        with pytest.raises(Unavailable, match="changed by hand"):
            open_texts(session, vault, RECORD, [wrong])


def test_two_processes_that_begin_at_once_agree_on_the_keys(
    platform: Platform, tmp_path: Path
) -> None:
    with platform.database.transaction() as session:
        make = Factory(session, platform)
        deployment = make.running()
        version = served_version(session, deployment).id
    path = tmp_path / "texts.key"

    def send(sender: int) -> None:
        rows = [inference(100 * sender + one, text=SECRET, at=START) for one in range(20)]
        with platform.database.transaction() as session:
            log_inferences(session, deployment.id, version, rows, vault=TextVault(path), at=START)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(send, range(4)))
    with platform.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(DataKey)) == 1
        rows = session.scalars(select(InferenceRecord)).all()
        sealed = [
            Sealed(row.deployment_id, row.record_id, row.sealed, row.data_key_id) for row in rows
        ]
        assert open_texts(session, TextVault(path), RECORD, sealed) == [SECRET] * 80


def test_a_lost_or_wrong_key_file_says_what_to_do_and_makes_no_other(
    traffic: Traffic, vault: TextVault, tmp_path: Path
) -> None:
    keep(traffic, vault, record(1))
    right = vault.path.read_bytes()
    vault.path.unlink()
    for act in (lambda: keep(traffic, vault, record(2)), lambda: texts(traffic, vault)):
        with pytest.raises(Unavailable, match=r"restore it .* --give-up-lost"):
            act()
    assert not vault.path.exists()
    other = TextVault(tmp_path / "other.key")
    other.renew(keep=[])
    with pytest.raises(Unavailable, match="lacks the key"):
        texts(traffic, other)
    vault.path.touch(0o600)
    vault.path.write_bytes(b"nonsense")
    with pytest.raises(Unavailable, match="holds no keys"):
        texts(traffic, vault)
    vault.path.write_bytes(right)
    vault.path.chmod(0o644)
    with pytest.raises(Unavailable, match="chmod 600"):
        texts(traffic, vault)
    vault.path.chmod(0o600)
    assert texts(traffic, vault) == {"r00001": f"{SECRET} (1)"}


def test_a_rotation_wraps_keys_anew_and_touches_no_text(traffic: Traffic, vault: TextVault) -> None:
    session, by = traffic.make.session, traffic.make.engineer.id
    elsewhere = TextVault(vault.path)  # another process
    keep(traffic, vault, record(1), record(2, subject="Ada"))
    before = session.scalars(select(InferenceRecord.sealed)).all()
    first = elsewhere.ring().newest
    with vault.rotating():
        newest = rotate_key(session, vault, actor_id=by, at=NOW)
        with pytest.raises(Conflict, match="under way"), elsewhere.rotating():
            pass
    keep(traffic, elsewhere, record(3))
    assert (rewrap_some(session, vault), rewrap_some(session, vault)) == (2, 0)
    assert set(session.scalars(select(DataKey.kek))) == {newest}
    assert session.scalars(select(InferenceRecord.sealed)).all()[:2] == before
    assert [kek.name for kek in vault.ring().keks] == [newest, first]
    with vault.rotating():
        third = rotate_key(session, vault, actor_id=by, at=NOW)
    assert [kek.name for kek in elsewhere.ring().keks] == [third, newest]
    assert None not in texts(traffic, elsewhere).values()


def test_texts_whose_key_is_lost_can_be_given_up(traffic: Traffic, vault: TextVault) -> None:
    session, by = traffic.make.session, traffic.make.engineer.id
    keep(traffic, vault, record(1))
    vault.path.unlink()
    assert give_up_lost(session, vault, actor_id=by, at=NOW) == 1
    keep(traffic, vault, record(2))
    assert texts(traffic, vault) == {"r00001": None, "r00002": f"{SECRET} (2)"}


def test_plain_texts_of_before_are_sealed_where_they_lie(
    traffic: Traffic, vault: TextVault
) -> None:
    session = traffic.make.session
    traffic.ask(inference(1), inference(2), inference(3))
    row = session.scalars(
        select(InferenceRecord).where(InferenceRecord.record_id == "r00003")
    ).one()
    values = {one.key: getattr(row, one.key) for one in inspect(InferenceRecord).column_attrs}
    (ada,) = NAMES.subjects(["Ada"])
    for record_id, key in (("old", None), ("hers", ada)):
        old = values | {"id": uuid4(), "record_id": record_id, "text": SECRET, "subject_key": key}
        session.execute(insert(InferenceRecord).values(old))
    assert texts(traffic, vault)["old"] == SECRET
    assert erase(traffic, vault, "Ada").records == 1
    assert seal_plain_texts(session, vault, pseudonyms=NAMES, at=NOW) == 1
    assert not has_plain_texts(session)
    read = texts(traffic, vault)
    assert (read["old"], read["hers"]) == (SECRET, None)
    with pytest.raises(Exception, match="is immutable"):
        session.execute(update(InferenceRecord).values(sealed=b""))


def test_rejected_records_are_sealed_and_go_with_their_subject(
    traffic: Traffic, vault: TextVault
) -> None:
    session = traffic.make.session
    raw = [b'{"subject": "Ada", "text": "Zanzibar"}', b"Zanzibar, no JSON", b'["Zanzibar"]']
    faults = [Fault(place, None, "unfit", "x", one) for place, one in enumerate(raw)]
    set_aside(session, traffic.deployment.id, faults, pseudonyms=NAMES, vault=vault, days=3, at=NOW)
    rows = session.scalars(select(RejectedRecord).order_by(RejectedRecord.place)).all()
    assert [row.raw for row in rows] == [None] * 3
    assert texts_of(session, vault, rows) == [one.decode() for one in raw]
    assert erase(traffic, vault, "Ada").rejected_records == 1
    assert texts_of(session, vault, rows) == [None, *(one.decode() for one in raw[1:])]


def test_a_day_begins_at_midnight_utc(traffic: Traffic, vault: TextVault) -> None:
    midnight = START + timedelta(days=1)
    keep(traffic, vault, record(1, at=midnight - timedelta(microseconds=1)), record(2, at=midnight))
    about = traffic.make.session.scalars(select(DataKey.about).order_by(DataKey.about)).all()
    assert about == ["2026-01-01", "2026-01-02"]
