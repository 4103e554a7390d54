import json
from datetime import UTC, datetime, timedelta, timezone
from uuid import uuid4

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from bailiwick.audit import AuditEvent, record, timestamp
from bailiwick.audit.log import MAX_BODY_BYTES
from bailiwick.core.errors import Conflict, TooLarge
from bailiwick.db import Database
from factories import Factory
from support.api_audit import a_principal, write

AT = datetime(2026, 1, 5, 8, 0, 0, 120, tzinfo=UTC)


def test_an_event_is_kept_as_canonical_bytes_that_say_what_its_columns_say(make: Factory) -> None:
    event = record(
        make.session,
        "model.described",
        subject_type="model",
        subject_id=make.root.id,
        actor_id=make.root.id,
        at=AT,
        details={"new": "Straße", "b": 1, "a": [None, True]},
    )
    assert event.body.decode() == (
        f'{{"action":"model.described","actor":"{make.root.id}",'
        f'"at":"2026-01-05T08:00:00.000120Z","details":{{"a":[null,true],"b":1,"new":"Straße"}},'
        f'"id":"{event.id}","subject":{{"id":"{make.root.id}","type":"model"}}}}'
    )
    assert (event.actor_id, event.at) == (make.root.id, AT)


def test_times_are_written_in_one_way_whatever_the_zone() -> None:
    elsewhere = AT.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert timestamp(elsewhere) == timestamp(AT) == "2026-01-05T08:00:00.000120Z"
    assert timestamp(AT.replace(microsecond=0)) == "2026-01-05T08:00:00.000000Z"


def test_an_event_too_large_for_a_log_of_tiles_is_refused(make: Factory) -> None:
    with pytest.raises(TooLarge, match="shorten the texts"):
        record(
            make.session,
            "x",
            subject_type="x",
            subject_id="1",
            actor_id=make.root.id,
            at=AT,
            details={"text": "x" * MAX_BODY_BYTES},
        )


def test_an_event_goes_with_the_transaction_of_its_change(database: Database) -> None:
    actor = a_principal(database, AT)

    def interrupted() -> None:
        with database.transaction() as session:
            write(session, 1, actor_id=actor, at=AT)
            session.flush()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(AuditEvent)) == 1
        assert json.loads(session.scalars(select(AuditEvent.body)).one())["action"] == (
            "principal.created"
        )


def test_nothing_is_recorded_without_an_actor(session: Session) -> None:
    session.add(
        AuditEvent(at=AT, actor_id=None, action="x", subject_type="x", subject_id="1", body=b"{}")
    )
    with pytest.raises(Exception, match=r"(?i)null"):
        session.flush()


def test_an_actor_must_exist(database: Database) -> None:
    def forge() -> None:
        with database.transaction() as session:
            write(session, 1, actor_id=uuid4(), at=AT)

    with pytest.raises(Conflict):
        forge()
