"""The texts about a subject can be destroyed: nothing brings them back."""

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Executable, delete, select, update

from bailiwick.audit import AuditEvent
from bailiwick.monitoring import InferenceRecord, TextErasure, TextVault
from bailiwick.monitoring.texts import DataKey
from factories import Factory
from support.api_traffic import Traffic
from support.sealed_traffic import NAMES, NOW, SECRET, erase, keep, record, texts


@pytest.fixture
def traffic(make: Factory) -> Traffic:
    """Of a deployment that has answered nothing yet."""
    return Traffic(make, make.running())


@pytest.fixture
def vault(tmp_path: Path) -> TextVault:
    """Whose file is not there yet."""
    return TextVault(tmp_path / "texts.key")


def test_the_texts_of_the_subject_go_and_those_of_others_stay(
    traffic: Traffic, vault: TextVault
) -> None:
    keep(traffic, vault, record(1, subject="Ada"), record(2, subject="Bob"), record(3))
    keep(traffic, vault, record(4, subject="Ada"))
    erasure = erase(traffic, vault, "Ada")
    assert (erasure.keys, erasure.records, erasure.erased_at) == (1, 2, NOW)
    read = texts(traffic, vault)
    assert [read["r00001"], read["r00004"]] == [None, None]
    assert [read["r00002"], read["r00003"]] == [f"{SECRET} (2)", f"{SECRET} (3)"]
    assert len(traffic.window()) == 4  # what records measure stays


def test_later_records_of_the_subject_have_a_key_of_their_own(
    traffic: Traffic, vault: TextVault
) -> None:
    keep(traffic, vault, record(1, subject="Ada"))
    erase(traffic, vault, "Ada")
    again = record(1, subject="Ada")  # sent once more: it is known, and stays without text
    assert keep(traffic, vault, again, record(2, subject="Ada")).known == 1
    assert texts(traffic, vault) == {"r00001": None, "r00002": f"{SECRET} (2)"}
    assert erase(traffic, vault, "Ada").records == 1
    assert set(texts(traffic, vault).values()) == {None}


def test_a_subject_of_another_deployment_is_another(
    make: Factory, traffic: Traffic, vault: TextVault
) -> None:
    place = make.environment("second")
    second = Traffic(make, make.deployment(traffic.deployment.model, place, name="second"))
    for one in (traffic, second):
        keep(one, vault, record(1, subject="Ada"))
    erase(traffic, vault, "Ada")
    assert texts(second, vault) == {"r00001": f"{SECRET} (1)"}


def test_a_subject_without_texts_leaves_evidence_of_none(
    traffic: Traffic, vault: TextVault
) -> None:
    erasure = erase(traffic, vault, "Nobody")
    assert (erasure.keys, erasure.records, erasure.rejected_records) == (0, 0, 0)


def test_evidence_and_audit_say_how_many_and_name_nobody(
    traffic: Traffic, vault: TextVault
) -> None:
    keep(traffic, vault, record(1, subject="Ada"))
    erasure = erase(traffic, vault, "Ada")
    assert erasure.subject_key == NAMES.subjects(["Ada"])[0]
    body = traffic.make.session.scalars(
        select(AuditEvent.body).where(AuditEvent.action == "texts.erased")
    ).one()
    assert str(erasure.id).encode() in body
    assert b'"records":1' in body
    assert b"Ada" not in body
    assert erasure.subject_key.encode() not in body


@pytest.mark.parametrize(
    "undo",
    [
        lambda: update(DataKey).values(wrapped=b"x", destroyed_at=None),
        lambda: update(DataKey).values(destroyed_at=None),
        lambda: delete(DataKey),
        lambda: update(TextErasure).values(records=0),
    ],
    ids=["key", "moment", "row", "evidence"],
)
def test_what_was_destroyed_does_not_come_back(
    traffic: Traffic, vault: TextVault, undo: Callable[[], Executable]
) -> None:
    keep(traffic, vault, record(1, subject="Ada"))
    erase(traffic, vault, "Ada")
    traffic.make.session.flush()
    with pytest.raises(Exception, match="is immutable"):
        traffic.make.session.execute(undo())


def test_what_could_tell_a_text_goes_from_records_with_and_without_one(
    traffic: Traffic, vault: TextVault
) -> None:
    told = {"text_key": "00000000000000aa", "form_key": "00000000000000bb", "language": "en"}
    keep(
        traffic,
        vault,
        record(1, subject="ada"),
        record(2, subject="ada", text=None, **told),
        record(3, subject="bob", text=None, **told),
    )
    erase(traffic, vault, "ada")
    traffic.make.session.expire_all()
    found = traffic.make.session.scalars(
        select(InferenceRecord).order_by(InferenceRecord.record_id)
    ).all()
    assert [(one.text_key, one.form_key) for one in found[:2]] == [(None, None)] * 2
    assert found[2].text_key
    assert found[2].form_key
    assert [one.language for one in found[1:]] == ["en", "en"]
    assert found[0].non_letter_ratio
