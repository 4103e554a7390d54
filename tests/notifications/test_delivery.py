"""Messages that really leave: a receiver on a loopback port, two workers, a worker that dies."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from threading import Event
from typing import Any
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from bailiwick.core.clock import ReplayClock
from bailiwick.core.errors import Unavailable
from bailiwick.db import Database, make_engine
from bailiwick.lifecycle import Platform
from bailiwick.notifications import Channel, Target, Terms, create_channel, sending, try_channel
from bailiwick.notifications.states import wait_after
from bailiwick.policy import intern_label
from bailiwick.registry import Deployment
from bailiwick.worker import ticks
from factories import CONFIDENTIAL
from support.alerting import (
    SECRET,
    Receiver,
    Watch,
    channel,
    deliveries,
    found,
    is_genuine,
    looking,
    receiving,
    send_all,
)

CANARY = "zanzibar garage 4711"
FAULT = f"{CANARY} at let-me-in"
NAMES = ("finance", "cards", "classifier")


@pytest.fixture
def place(platform: Platform) -> UUID:
    """A running deployment."""
    return found(platform)


@contextmanager
def watching(platform: Platform, place: UUID) -> Iterator[Watch]:
    """It is watched, and what is done to it stays."""
    with looking(platform, place, keep=True) as watch:
        yield watch


def told_of(platform: Platform, place: UUID, receiver: Receiver, **terms: Any) -> str:
    """An alert that a webhook is to be told of; its id."""
    with watching(platform, place) as watch:
        channel(watch.make, address=receiver.url, **terms)
        alert = watch.check("harm", CANARY)
        assert alert is not None
        return str(alert.id)


def log_of(platform: Platform) -> list[tuple[str, int, str | None]]:
    """State, attempts and last error of every message."""
    with platform.database.reading() as session:
        return [(one.state, one.attempts, one.last_error) for one in deliveries(session)]


def test_a_webhook_arrives_signed_and_says_where_to_look(
    platform: Platform, place: UUID, receiver: Receiver
) -> None:
    alert = told_of(platform, place, receiver)
    assert send_all(platform) == 1
    ((headers, body),) = receiver.arrived
    now = platform.clock.now()
    assert is_genuine(headers, body, secret=SECRET, at=now)
    assert not is_genuine(headers, body + b" ", secret=SECRET, at=now)
    assert not is_genuine(headers, body, secret="whsec_" + "B" * 32, at=now)
    (told,) = receiver.bodies
    link = f"https://bailiwick.example.com/console/alerts/{alert}"
    assert told["type"] == "alert.raised"
    assert told["data"] | {"deployment": "finance/cards", "link": link} == told["data"]
    assert (told["data"]["severity"], told["data"]["number"]) == ("page", 1)
    assert CANARY not in body.decode()
    assert log_of(platform) == [("delivered", 1, None)]
    assert send_all(platform) == 0


def test_a_channel_that_is_not_cleared_learns_a_severity_and_where_to_look(
    platform: Platform, place: UUID, receiver: Receiver
) -> None:
    alert = told_of(platform, place, receiver, clearance_level="internal")
    send_all(platform)
    (told,) = receiver.bodies
    link = f"https://bailiwick.example.com/console/alerts/{alert}"
    text = f"an alert of severity page: see {link}"
    assert told == {"type": "alert", "data": {"text": text, "severity": "page", "link": link}}


@pytest.mark.parametrize("terms", [{"clearance_compartments": ()}, {"clearance_level": "public"}])
def test_level_and_compartments_both_count(
    platform: Platform, place: UUID, receiver: Receiver, terms: dict[str, Any]
) -> None:
    told_of(platform, place, receiver, **terms)
    send_all(platform)
    assert not any(name in str(receiver.arrived) for name in (*NAMES, CANARY))


def test_a_label_that_rose_before_the_message_left_counts(
    platform: Platform, place: UUID, receiver: Receiver
) -> None:
    told_of(platform, place, receiver)
    with platform.database.transaction() as session:
        higher = replace(CONFIDENTIAL, level="restricted")
        session.get_one(Deployment, place).label_id = intern_label(session, higher)
    send_all(platform)
    assert [told["type"] for told in receiver.bodies] == ["alert"]
    assert not any(name in str(receiver.arrived) for name in NAMES)


def test_what_fails_is_tried_again_with_the_same_id_until_it_arrives(
    platform: Platform, place: UUID, receiver: Receiver, clock: ReplayClock
) -> None:
    told_of(platform, place, receiver)
    for attempt, status in enumerate((500, 302, 410), start=1):
        receiver.status = status
        assert send_all(platform) == 1
        assert log_of(platform) == [("failed", attempt, f"the receiver answered {status}")]
        assert send_all(platform) == 0
        clock.advance_to(clock.now() + wait_after(attempt))
    receiver.status = 200
    assert send_all(platform) == 1
    assert log_of(platform) == [("delivered", 4, None)]
    assert len(receiver.arrived) == 4  # a redirect was not followed
    assert len(set(receiver.ids)) == 1
    for headers, body in receiver.arrived:
        assert body == receiver.arrived[0][1]
        assert headers["webhook-id"] == receiver.ids[0]
    stamps = [int(headers["webhook-timestamp"]) for headers, _ in receiver.arrived]
    assert stamps == sorted(set(stamps))


def test_a_receiver_that_is_not_there_is_told_in_words_without_its_address(
    platform: Platform, place: UUID
) -> None:
    with receiving() as gone:
        pass
    told_of(platform, place, gone)
    send_all(platform)
    assert log_of(platform) == [("failed", 1, "the receiver could not be reached")]


def test_two_workers_send_each_message_once(
    platform: Platform, place: UUID, receiver: Receiver
) -> None:
    with watching(platform, place) as watch:
        for number in range(12):
            channel(watch.make, f"channel-{number}", address=receiver.url)
        watch.raised()
    rival = replace(
        platform, database=Database(make_engine(platform.settings.resolved_database_url))
    )
    together = threading.Barrier(2)
    faults: list[BaseException] = []

    def work(one: Platform) -> None:
        together.wait()
        try:
            send_all(one)
        except BaseException as error:  # noqa: BLE001 - handed to the test's own thread
            faults.append(error)

    threads = [threading.Thread(target=work, args=(one,)) for one in (platform, rival)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rival.database.close()
    assert faults == []
    assert len(receiver.ids) == len(set(receiver.ids)) == 12
    assert log_of(platform) == [("delivered", 1, None)] * 12


def apprise(watch: Watch, receiver: Receiver, **terms: Any) -> Channel:
    address = receiver.url.replace("http://", "json://user:let-me-in@")
    return create_channel(
        watch.make.session,
        "chat",
        Target("apprise", address),
        Terms(
            **{"clearance_level": "confidential", "clearance_compartments": ("finance",)} | terms
        ),
        vault=watch.make.platform.vault(),
        rules=watch.make.platform.rules,
        actor=watch.make.actor(watch.make.root),
        at=watch.at,
    )


def test_apprise_takes_a_message_to_a_service(
    platform: Platform, place: UUID, receiver: Receiver
) -> None:
    with watching(platform, place) as watch:
        apprise(watch, receiver)
        alert = watch.check("harm", CANARY)
        assert alert is not None
    receiver.status = 500
    send_all(platform)
    assert log_of(platform) == [("failed", 1, "the service did not take the message")]
    receiver.status = 200
    assert isinstance(platform.clock, ReplayClock)
    platform.clock.advance_to(platform.clock.now() + wait_after(1))
    send_all(platform)
    told = receiver.bodies[-1]
    assert told["title"] == "[page] harm on finance/cards raised"
    assert f"see: https://bailiwick.example.com/console/alerts/{alert.id}" in told["message"]
    with platform.database.reading() as session:
        (message,) = deliveries(session)
    assert f"message: {message.id}" in told["message"]
    assert CANARY not in str(receiver.arrived)
    assert log_of(platform) == [("delivered", 2, None)]


def test_apprise_tells_a_channel_that_is_not_cleared_no_name(
    platform: Platform, place: UUID, receiver: Receiver
) -> None:
    with watching(platform, place) as watch:
        apprise(watch, receiver, clearance_level="public", clearance_compartments=())
        alert = watch.raised()
    send_all(platform)
    link = f"https://bailiwick.example.com/console/alerts/{alert.id}"
    assert receiver.bodies[0]["title"] == "an alert of severity page"
    assert receiver.bodies[0]["message"] == f"an alert of severity page: see {link}"


def test_no_address_and_no_secret_gets_into_a_log(
    platform: Platform,
    place: UUID,
    receiver: Receiver,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caplog.set_level(logging.DEBUG)
    with watching(platform, place) as watch:
        apprise(watch, receiver)
        channel(watch.make, address=f"{receiver.url}/let-me-in")
        watch.raised()
    with capture_logs() as logs:
        send_all(platform)
        monkeypatch.setattr(sending, "canonical_bytes", fault)
        with watching(platform, place) as watch:
            pager = channel(watch.make, "other", address=f"{receiver.url}/let-me-in")
            try_channel(
                watch.make.session, pager, actor=watch.make.actor(watch.make.root), at=watch.at
            )
        send_all(platform)
    assert [entry["event"] for entry in logs] == ["message met a fault"]
    everything = caplog.text + str(logs) + str(log_of(platform))
    assert "let-me-in" not in everything
    assert SECRET not in everything
    assert CANARY not in everything
    assert log_of(platform)[-1][2] == "a fault of the platform (RuntimeError); see the worker's log"


def fault(_: object) -> bytes:
    raise RuntimeError(FAULT)


def test_a_key_that_was_lost_is_told_and_nothing_is_sent(
    platform: Platform, place: UUID, receiver: Receiver
) -> None:
    told_of(platform, place, receiver)
    platform.settings.channel_key_file.unlink()
    send_all(platform)
    assert receiver.arrived == []
    ((state, _, error),) = log_of(platform)
    assert (state, "does not open with this installation's key" in str(error)) == ("failed", True)


def test_the_tick_sends_until_nothing_is_due_or_the_worker_stops(
    platform: Platform, place: UUID, receiver: Receiver
) -> None:
    told_of(platform, place, receiver)
    stopping = Event()
    stopping.set()
    ticks.send_messages(platform, stopping)
    assert receiver.arrived == []
    ticks.send_messages(platform, Event())
    assert len(receiver.arrived) == 1
    assert receiver.bodies[0]["data"]["link"].startswith("http://127.0.0.1:8321/console/alerts/")


def test_the_database_holds_no_address_and_no_secret_in_the_clear(
    platform: Platform, place: UUID, receiver: Receiver
) -> None:
    with watching(platform, place) as watch:
        one = channel(watch.make, "one", address=receiver.url)
        other = channel(watch.make, "other", address=receiver.url)
        vault = platform.vault()
        for channel_ in (one, other):
            assert b"127.0.0.1" not in channel_.target
            assert SECRET.encode() not in channel_.target
            assert receiver.url in vault.open(channel_.target, channel_.id)
        with pytest.raises(Unavailable):
            vault.open(one.target, other.id)
    mode = platform.settings.channel_key_file.stat().st_mode
    assert mode & 0o777 == 0o600
