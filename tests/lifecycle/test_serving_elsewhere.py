"""Another system serves: its records are the guards' evidence, and tell whether it follows."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from sqlalchemy import select

from bailiwick.core.clock import ReplayClock
from bailiwick.lifecycle import Platform
from bailiwick.lifecycle.rolling_out import judge_one
from bailiwick.lifecycle.rollouts import Plan
from bailiwick.lifecycle.serving_elsewhere import check_elsewhere
from bailiwick.monitoring import Alert, log_inferences
from bailiwick.notifications import Delivery
from bailiwick.registry import CANARY, ModelVersion
from factories import Factory
from support.alerting import SECRET, channel, is_genuine, receiving, send_all
from support.lifecycle_world import requests
from support.rollouts import Begun, begun

THERE = Plan(canary_shares=(0.5,), step_hours=1, min_requests=20, served="elsewhere")


def came(make: Factory, one: Begun, version: ModelVersion, count: int, prefix: str) -> None:
    inferences, _ = requests(count, first=make.at, text=None, prefix=prefix)
    inferences = [replace(each, at=make.at) for each in inferences]
    log_inferences(make.session, one.deployment.id, version.id, inferences, at=make.at)


def states(make: Factory) -> list[tuple[str, str]]:
    return [(one.kind, one.state) for one in make.session.scalars(select(Alert))]


def test_records_of_both_versions_carry_a_rollout_on(make: Factory, clock: ReplayClock) -> None:
    one = begun(make, THERE)
    clock.advance_to(clock.now() + timedelta(hours=1))
    came(make, one, one.first, 60, "a")
    came(make, one, one.second, 30, "b")
    for _ in range(2):
        judge_one(make.session, make.platform, one.rollout.id, at=make.at)
    assert one.rollout.evidence["wagers"]["canary:errors"]["rows"] == 30
    assert one.rollout.state == "full"


def test_a_version_that_should_not_serve_is_told_after_the_grace_time_and_recovers(
    make: Factory, clock: ReplayClock
) -> None:
    one = begun(make, THERE)
    third = make.model_version(one.second.model, make.dataset_version(make.dataset("more")))
    came(make, one, third, 5, "early")
    assert check_elsewhere(make.session, one.deployment.id, at=make.at) is None
    clock.advance_to(clock.now() + timedelta(minutes=31))
    came(make, one, third, 5, "late")
    came(make, one, one.first, 5, "right")
    for _ in range(2):
        assert check_elsewhere(make.session, one.deployment.id, at=make.at) is False
    (alert,) = make.session.scalars(select(Alert))
    assert alert.sentence.startswith("Version 3 answered 5 requests, where version 1 is to serve")
    assert (alert.severity, alert.state, alert.moves) == ("warning", "open", 1)
    clock.advance_to(clock.now() + timedelta(minutes=31))
    assert check_elsewhere(make.session, one.deployment.id, at=make.at) is None
    came(make, one, one.second, 5, "recovered")
    assert check_elsewhere(make.session, one.deployment.id, at=make.at) is True
    assert states(make) == [("wrong-version", "resolved")]


def test_each_move_is_told_to_the_webhook_without_a_text(make: Factory) -> None:
    channel(make, "servers")
    one = begun(make, replace(THERE, channel="servers"))
    (message,) = make.session.scalars(select(Delivery))
    facts: dict[str, Any] = message.facts
    assert facts["version_id"] == str(one.first.id)
    assert facts["challenger_id"] == str(one.second.id)
    assert (facts["state"], facts["share"], facts["number"]) == (CANARY, 0.5, 1)
    assert "reason" not in facts


def test_a_signed_webhook_says_what_should_serve(platform: Platform, clock: ReplayClock) -> None:
    with receiving() as receiver:
        with platform.database.transaction() as session:
            make = Factory(session, platform)
            channel(make, "servers", address=receiver.url)
            one = begun(make, replace(THERE, channel="servers"))
        assert send_all(platform) == 1
        (headers, body), (told,) = receiver.arrived[0], receiver.bodies
    assert is_genuine(headers, body, secret=SECRET, at=clock.now())
    assert told["type"] == "deployment.serve"
    assert told["data"]["version_id"] == str(one.first.id)
    assert told["data"]["deployment"] == "finance/cards"


def test_a_channel_that_is_not_cleared_learns_only_where_to_look(platform: Platform) -> None:
    with receiving() as receiver:
        with platform.database.transaction() as session:
            make = Factory(session, platform)
            low: Any = {"clearance_level": "public", "clearance_compartments": ()}
            channel(make, "servers", address=receiver.url, **low)
            one = begun(make, replace(THERE, channel="servers"))
        send_all(platform)
        (told,) = receiver.bodies
    assert set(told["data"]) == {"text", "link"}
    assert str(one.second.id) not in str(told)
