"""What is told to whom, when, and what silences and escalations make of it; by the clock."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from bailiwick.audit import AuditEvent
from bailiwick.monitoring import acknowledge, close
from bailiwick.notifications import Delivery, create_silence, end_silence, update_channel
from bailiwick.notifications.outbox import claim, mark
from bailiwick.notifications.states import (
    LEASE,
    MAX_ATTEMPTS,
    TRANSITIONS,
    WAITING,
    DeliveryState,
    wait_after,
)
from support.alerting import Watch, channel, deliveries

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def by(watch: Watch) -> dict[str, Any]:
    return {"actor_id": watch.make.engineer.id, "at": watch.at}


def states(watch: Watch, **wanted: Any) -> list[str]:
    watch.make.session.flush()
    return [one.state for one in deliveries(watch.make.session, **wanted)]


def taken(watch: Watch) -> Any:
    return claim(
        watch.make.session,
        rules=watch.make.platform.rules,
        public_url="https://b.example.com",
        at=watch.at,
    )


def delivered(watch: Watch) -> Iterator[Any]:
    """Take and deliver whatever is due."""
    while task := taken(watch):
        mark(watch.make.session, task, error=None, at=watch.at)
        yield task


def silenced(watch: Watch, hours: int = 4, **terms: Any) -> Any:
    scope: dict[str, Any] = {"deployment": watch.deployment, "cause": None} | terms
    starts_at = scope.pop("starts_at", None)
    return create_silence(
        watch.make.session,
        "finance",
        reason="maintenance",
        starts_at=starts_at,
        ends_at=(starts_at or watch.at) + hours * HOUR,
        **scope,
        **by(watch),
    )


def test_the_message_is_written_with_the_event_it_tells_of(watch: Watch) -> None:
    pager = channel(watch.make)
    alert = watch.raised()
    (message,) = deliveries(watch.make.session)
    assert (message.alert_id, message.channel_id, message.state) == (alert.id, pager.id, "pending")
    assert (message.severity, message.facts["move"], message.due_at) == ("page", "raised", watch.at)
    assert message.caused_by == watch.make.root.id


def test_what_is_no_news_is_told_to_nobody(watch: Watch) -> None:
    channel(watch.make)
    alert = watch.raised("harm")
    watch.raised("harm")
    watch.raised("drift")  # eased
    watch.check("insufficient")
    acknowledge(watch.make.session, alert, **by(watch))
    assert len(deliveries(watch.make.session)) == 1


def test_a_worsening_the_end_and_the_return_are_told(watch: Watch) -> None:
    channel(watch.make)
    alert = watch.raised("drift")
    watch.raised("harm")
    close(watch.make.session, alert, resolution="fixed", **by(watch))
    watch.raised("drift")
    moves = [one.facts["move"] for one in deliveries(watch.make.session)]
    assert moves == ["raised", "worsened", "resolved", "reopened"]


def test_that_it_is_over_is_told_where_it_was_told_of(watch: Watch) -> None:
    pages = channel(watch.make, "pages", severities=("page",))
    channel(watch.make, "notes", severities=("note",))
    alert = watch.raised("harm")
    watch.raised("drift")
    close(watch.make.session, alert, resolution="fixed", **by(watch))
    told = [one for one in deliveries(watch.make.session) if one.facts["move"] == "resolved"]
    assert [one.channel_id for one in told] == [pages.id]


def test_without_a_channel_an_alert_is_recorded_and_nobody_told(watch: Watch) -> None:
    assert watch.raised().moves == 1
    assert deliveries(watch.make.session) == []


def test_an_alert_is_handed_over_unless_somebody_acknowledges_it(watch: Watch) -> None:
    boss = channel(watch.make, "boss", severities=())
    channel(watch.make, "pager", escalate_to="boss", escalate_after_minutes=15)
    watch.raised()
    assert len(list(delivered(watch))) == 1
    watch.later = 14 * MINUTE
    assert list(delivered(watch)) == []
    watch.later = 15 * MINUTE
    (task,) = delivered(watch)
    assert task.channel_id == boss.id


def test_an_acknowledgement_calls_off_the_handing_over(watch: Watch) -> None:
    boss = channel(watch.make, "boss", severities=())
    channel(watch.make, "pager", escalate_to="boss", escalate_after_minutes=15)
    alert = watch.raised("drift")
    acknowledge(watch.make.session, alert, **by(watch))
    assert states(watch, channel_id=boss.id) == ["withdrawn"]
    watch.raised("harm")  # told to the pager, not handed over: somebody is looking
    assert states(watch, channel_id=boss.id) == ["withdrawn"]
    watch.later = HOUR
    assert boss.id not in {task.channel_id for task in delivered(watch)}


def test_the_end_of_an_alert_calls_off_the_handing_over(watch: Watch) -> None:
    boss = channel(watch.make, "boss", severities=())
    channel(watch.make, "pager", escalate_to="boss", escalate_after_minutes=15)
    alert = watch.raised()
    close(watch.make.session, alert, resolution="fixed", **by(watch))
    assert states(watch, channel_id=boss.id) == ["withdrawn"]


def test_a_second_event_does_not_hand_over_twice(watch: Watch) -> None:
    boss = channel(watch.make, "boss", severities=())
    channel(watch.make, "pager", escalate_to="boss", escalate_after_minutes=15)
    watch.raised("drift")
    watch.later = 5 * MINUTE
    watch.raised("harm")
    (waiting,) = deliveries(watch.make.session, channel_id=boss.id)
    assert waiting.due_at == watch.make.at + 15 * MINUTE


def test_a_silence_holds_back_and_what_still_stands_is_told_at_its_end(watch: Watch) -> None:
    channel(watch.make)
    silence = silenced(watch)
    alert = watch.raised("drift")
    assert alert.state == "open"  # recorded as ever
    watch.later = HOUR
    watch.raised("harm")
    first, second = deliveries(watch.make.session)
    assert (first.state, second.state) == ("withdrawn", "held")
    assert (second.silence_id, second.next_at) == (silence.id, silence.ends_at)
    watch.later = 4 * HOUR - timedelta(seconds=1)
    assert list(delivered(watch)) == []
    watch.later = 4 * HOUR
    (task,) = delivered(watch)
    assert task.delivery_id == second.id


def test_what_came_and_went_in_a_silence_is_told_to_nobody(watch: Watch) -> None:
    channel(watch.make)
    silenced(watch)
    alert = watch.raised()
    close(watch.make.session, alert, resolution="fixed", **by(watch))
    watch.later = 5 * HOUR
    assert list(delivered(watch)) == []
    assert states(watch) == ["withdrawn"]


def test_ending_a_silence_early_tells_at_once(watch: Watch) -> None:
    channel(watch.make)
    silence = silenced(watch)
    watch.raised()
    watch.later = HOUR
    end_silence(watch.make.session, silence, **by(watch))
    assert len(list(delivered(watch))) == 1
    end_silence(watch.make.session, silence, **by(watch))
    actions = watch.make.session.scalars(
        select(AuditEvent.action).where(AuditEvent.subject_type == "silence")
    )
    assert list(actions) == ["silence.created", "silence.ended"]


@pytest.mark.parametrize("ended_early", [True, False])
def test_after_a_silence_there_is_as_much_time_to_acknowledge(
    watch: Watch, *, ended_early: bool
) -> None:
    boss = channel(watch.make, "boss", severities=())
    pager = channel(watch.make, "pager", escalate_to="boss", escalate_after_minutes=15)
    silence = silenced(watch)
    watch.raised()
    watch.later = HOUR if ended_early else 4 * HOUR
    end_silence(watch.make.session, silence, **by(watch))
    assert [task.channel_id for task in delivered(watch)] == [pager.id]
    watch.later += 15 * MINUTE - timedelta(seconds=1)
    assert list(delivered(watch)) == []
    watch.later += timedelta(seconds=1)
    assert [task.channel_id for task in delivered(watch)] == [boss.id]


def test_a_silence_that_has_begun_meanwhile_holds_back_what_waits(watch: Watch) -> None:
    boss = channel(watch.make, "boss", severities=())
    channel(watch.make, "pager", escalate_to="boss", escalate_after_minutes=60)
    watch.raised()
    assert len(list(delivered(watch))) == 1
    watch.later = HOUR / 2
    silenced(watch)
    watch.later = HOUR
    assert list(delivered(watch)) == []
    assert states(watch, channel_id=boss.id) == ["held"]


def test_a_maintenance_window_is_silent_when_it_begins_and_not_before(watch: Watch) -> None:
    channel(watch.make)
    silenced(watch, starts_at=watch.at + HOUR)
    alert = watch.raised("drift")
    assert len(list(delivered(watch))) == 1
    watch.later = HOUR
    watch.raised("harm")
    assert list(delivered(watch)) == []
    close(watch.make.session, alert, resolution="fixed", **by(watch))
    assert list(delivered(watch)) == []


@pytest.mark.parametrize(("cause", "told"), [("monitor", 0), ("schema", 1), (None, 0)])
def test_a_silence_is_of_its_cause_only(watch: Watch, cause: str | None, told: int) -> None:
    channel(watch.make)
    silenced(watch, cause=cause)
    watch.raised()
    assert len(list(delivered(watch))) == told


def test_new_messages_go_before_those_that_failed(watch: Watch) -> None:
    channel(watch.make, "broken")
    watch.raised("drift")
    task = taken(watch)
    mark(watch.make.session, task, error="the receiver answered 500", at=watch.at)
    watch.later = wait_after(1)
    watch.raised("harm")
    assert taken(watch).delivery_id != task.delivery_id


def test_waits_grow_until_it_gives_up(watch: Watch) -> None:
    channel(watch.make)
    watch.raised()
    (message,) = deliveries(watch.make.session)
    for attempt in range(1, MAX_ATTEMPTS):
        task = taken(watch)
        assert task.attempt == attempt
        assert mark(watch.make.session, task, error="the receiver answered 500", at=watch.at)
        assert (message.state, message.next_at) == ("failed", watch.at + wait_after(attempt))
        watch.later += wait_after(attempt) - timedelta(seconds=1)
        assert taken(watch) is None
        watch.later += timedelta(seconds=1)
    mark(watch.make.session, taken(watch), error="the receiver answered 500", at=watch.at)
    assert (message.state, message.finished_at) == ("gave-up", watch.at)
    assert message.last_error == "the receiver answered 500"
    assert watch.later < 4 * HOUR
    watch.later += 100 * HOUR
    assert taken(watch) is None


def test_a_message_is_held_by_one_lease(watch: Watch) -> None:
    channel(watch.make)
    watch.raised()
    first = taken(watch)
    assert taken(watch) is None
    watch.later = LEASE
    second = taken(watch)
    assert (second.delivery_id, second.attempt) == (first.delivery_id, 2)
    assert second.message == first.message
    assert not mark(watch.make.session, first, error="late", at=watch.at)  # fenced off
    assert mark(watch.make.session, second, error=None, at=watch.at)
    assert not mark(watch.make.session, second, error=None, at=watch.at)
    assert states(watch) == ["delivered"]


def test_workers_that_die_again_and_again_give_up_as_well(watch: Watch) -> None:
    channel(watch.make)
    watch.raised()
    for _ in range(MAX_ATTEMPTS):
        assert taken(watch)
        watch.later += LEASE
    assert taken(watch) is None
    (message,) = deliveries(watch.make.session)
    assert (message.state, message.last_error) == (
        "gave-up",
        "the worker died each time it tried",
    )


def test_switching_a_channel_off_withdraws_what_waits_for_it(watch: Watch) -> None:
    pager = channel(watch.make)
    watch.raised()
    platform = watch.make.platform
    update_channel(
        watch.make.session,
        pager,
        {"enabled": False},
        vault=platform.vault(),
        rules=platform.rules,
        actor=watch.make.actor(watch.make.root),
        at=watch.at,
    )
    assert states(watch) == ["withdrawn"]
    assert taken(watch) is None


def test_a_message_that_left_or_was_given_up_is_audited(watch: Watch) -> None:
    channel(watch.make)
    watch.raised()
    list(delivered(watch))
    session: Session = watch.make.session
    (event,) = session.scalars(select(AuditEvent).where(AuditEvent.subject_type == "message"))
    assert (event.action, event.actor_id) == ("message.delivered", watch.make.root.id)


def test_what_waits_may_end_in_any_way_and_an_end_is_one() -> None:
    for state in DeliveryState:
        moves = TRANSITIONS[state]
        assert DeliveryState.PENDING not in moves
        assert (DeliveryState.GAVE_UP in moves) == (state in WAITING)


def test_what_was_on_its_way_when_it_was_called_off_counts_as_delivered(watch: Watch) -> None:
    boss = channel(watch.make, "boss", severities=())
    channel(watch.make, "pager", escalate_to="boss", escalate_after_minutes=15)
    alert = watch.raised()
    list(delivered(watch))
    watch.later = 15 * MINUTE
    task = taken(watch)
    acknowledge(watch.make.session, alert, **by(watch))
    assert states(watch, channel_id=boss.id) == ["withdrawn"]
    assert mark(watch.make.session, task, error=None, at=watch.at)
    assert states(watch, channel_id=boss.id) == ["delivered"]


def test_what_failed_when_it_was_called_off_is_not_tried_again(watch: Watch) -> None:
    channel(watch.make, "boss", severities=())
    channel(watch.make, "pager", escalate_to="boss", escalate_after_minutes=15)
    alert = watch.raised()
    list(delivered(watch))
    watch.later = 15 * MINUTE
    task = taken(watch)
    acknowledge(watch.make.session, alert, **by(watch))
    assert not mark(watch.make.session, task, error="the receiver answered 500", at=watch.at)
    watch.later = 5 * HOUR
    assert taken(watch) is None


def test_the_database_takes_one_message_of_an_event_a_channel(watch: Watch) -> None:
    make = watch.make
    channel(make)
    watch.raised()
    (message,) = deliveries(make.session)
    values = {c.key: getattr(message, c.key) for c in Delivery.__table__.columns if c.key != "id"}
    with pytest.raises(Exception, match=r"(?i)unique"), make.session.begin_nested():
        make.session.add(Delivery(**values))
