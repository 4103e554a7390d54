"""Installations at the moment before something is done to them, one for each kind of work."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from bailiwick.lifecycle import JobKind, Platform, TrainingOrder
from bailiwick.lifecycle.compliance import review_deployments
from bailiwick.lifecycle.promotion import ask_for_approval
from bailiwick.lifecycle.rollouts import Plan
from bailiwick.lifecycle.schedules import set_schedule
from bailiwick.lifecycle.selection import Selection
from bailiwick.lifecycle.training_plans import order_training
from bailiwick.monitoring import Monitor, update_monitor
from bailiwick.policy import decide_approval
from bailiwick.registry import CANARY, CHAMPION, served_version
from bailiwick.training import HeadRecipe
from bailiwick.worker import ticks
from factories import CONFIDENTIAL, PURPOSE, Factory
from support.alerting import channel
from support.crashes.children import Children
from support.crashes.installations import Installation, opened
from support.crashes.measuring_worlds import to_be_compared, to_be_tried
from support.crashes.requests import REQUESTS, request_to
from support.crashes.upkeep_worlds import (
    labelled_late,
    left_behind,
    rejected_long_ago,
    rolled_out_long_ago,
    served_wrongly,
    summed_up_long_ago,
    with_plain_texts,
)
from support.kept_records import LATER, Kept, days
from support.lifecycle_world import World as Watched
from support.lifecycle_world import (
    bring,
    factory_again,
    found_world,
    raise_alert,
    requests,
)
from support.replayed_history import Past
from support.rollouts import begun, observe
from support.waiving import MONTH, acting

INTERNAL = replace(CONFIDENTIAL, level="internal")  # no attack on its privacy is measured
SOME_WEIGHTS = HeadRecipe(buckets=1_024, epochs=1)
SHORT = Plan(canary_shares=(0.5,), step_hours=0, min_requests=20)
WEEKLY = "0 6 * * 1"
A_WEEK, DAY = timedelta(days=7), timedelta(days=1)


@dataclass(frozen=True)
class World:
    """How to make it, and what is done in it.

    `make` is given the installation, open, and the address of a webhook. What is done: a request to
    the API, if it is one of `REQUESTS`, and then turns of the worker's ticks.
    """

    make: Callable[[Platform, str], None]
    ticks: tuple[str, ...]
    children: Children = Children.QUICK
    request: str | None = None

    def made(self, installation: Installation, address: str) -> None:
        """Make it; all is committed."""
        with opened(installation) as platform:
            self.make(platform, address)
            if self.request is not None:
                request_to(self.request, platform).keep(installation.request)


def _alerted(platform: Platform, address: str) -> None:
    """An alert calls for a retraining, and a channel is to be told of it."""
    world = found_world(platform, window_days=3_650)
    with platform.database.transaction() as session:
        channel(factory_again(session, platform), address=address)
    raise_alert(world)


def _scheduled(platform: Platform, address: str) -> None:
    """A check of last week is due, which will find that accuracy fell."""
    world = found_world(platform)
    with platform.database.transaction() as session:
        channel(factory_again(session, platform), address=address)
    _schedule(world)
    bring(world, *requests(100, first=platform.clock.now() + DAY, wrong=60))
    _later(platform, A_WEEK)


def _watched(platform: Platform, _: str) -> None:
    """Two days of requests and labels that nobody has looked at."""
    world = found_world(platform)
    _schedule(world, alarms_by="windows")
    asked, told = requests(48 * 20, first=platform.clock.now(), text=None)
    spread = [
        replace(one, at=platform.clock.now() + number * timedelta(minutes=3))
        for number, one in enumerate(asked)
    ]
    _later(platform, timedelta(hours=50))
    bring(world, spread, told)
    _later(platform, timedelta(hours=30))


def _ordered(platform: Platform, _: str) -> None:
    """A training is ordered, of a model that has no version yet."""
    with platform.database.transaction() as session:
        make = Factory(session, platform)
        data = make.dataset_version(make.dataset(label=INTERNAL), rows=260)
        order = TrainingOrder(
            model_id=make.model(label=INTERNAL).id,
            dataset_version_ids=(data.id,),
            recipe=SOME_WEIGHTS,
            selection=Selection(holdout_ratio=0.4, max_rows=10_000),
            purpose=PURPOSE,
            risk_tier="low",
            seed=1,
            from_champion=False,
        )
        actor = make.actor(make.engineer)
        order_training(session, order, rules=platform.rules, actor=actor, at=make.at)


def _old(platform: Platform, _: str) -> None:
    """Two days of records are old enough to be moved into files."""
    kept = Kept.on(platform)
    kept.keep(days(2))
    _later(platform, LATER - platform.clock.now())


def _kept_long_enough(platform: Platform, _: str) -> None:
    """Two segments are older than their deployment keeps records."""
    kept = Kept.on(platform, retention_days=40)
    kept.keep(days(2))
    kept.archive_all()
    _later(platform, LATER - platform.clock.now())


def _waived(platform: Platform, _: str) -> None:
    """The time of a waiver is over."""
    with platform.database.transaction() as session:
        make = Factory(session, platform)
        acting(make, served_version(session, make.running()))
    _later(platform, MONTH + DAY)


def _rolling_out(platform: Platform, address: str, *, fails: bool = False) -> None:
    """A canary has answered as many requests as it takes, well or badly."""
    with platform.database.transaction() as session:
        make = Factory(session, platform)
        channel(make, address=address)
        rollout = begun(make, SHORT).rollout
    ticks.judge_rollouts(platform)
    with platform.database.transaction() as session:
        at = platform.clock.now()
        observe(session, rollout, CHAMPION, 60, at=at)
        observe(session, rollout, CANARY, 60, at=at, failed=lambda _: fails)


def _breached(platform: Platform, address: str) -> None:
    _rolling_out(platform, address, fails=True)


def _out_of_policy(platform: Platform, _: str) -> None:
    """What a deployment may be tolerated for is over."""
    with platform.database.transaction() as session:
        make = Factory(session, platform)
        make.running().environment.clearance_level = "internal"
        session.flush()
        review_deployments(
            session,
            rules=platform.rules,
            cause="its place was cleared for less",
            actor=make.actor(make.root),
            at=make.at,
        )
    _later(platform, timedelta(days=8))


def _asked_to_replay(platform: Platform, _: str) -> None:
    """A backtest of half a year is ordered."""
    past = Past(found_world(platform), platform.clock, months=5)  # type: ignore[arg-type]
    past.live(rows=60)
    past.order(past.settings("every-period"))


def _running(platform: Platform, _: str) -> None:
    """A deployment of a champion, and a challenger that another person approved."""
    common: Any = {"rules": platform.rules, "at": platform.clock.now()}
    with platform.database.transaction() as session:
        make = Factory(session, platform)
        model, data = make.model(), make.dataset_version(make.dataset())
        make.champion(make.model_version(model, data))
        make.deployment(model, make.environment())
        better = make.model_version(model, data, accuracy=0.85)
        actor = make.actor(make.engineer)
        asked = ask_for_approval(session, better, tiers=platform.tiers, actor=actor, **common)
        approver = make.actor(make.approver)
        decide_approval(session, asked, approve=True, comment="", actor=approver, **common)


def _schedule(world: Watched, **changes: Any) -> None:
    platform = world.platform
    with platform.database.transaction() as session:
        said: dict[str, Any] = {"actor_id": world.engineer_id, "at": platform.clock.now()}
        if changes:
            update_monitor(session, session.get_one(Monitor, world.monitor.id), changes, **said)
        set_schedule(
            session,
            JobKind.CHECK,
            world.monitor.id,
            namespace=world.deployment.namespace,
            label_id=world.deployment.label_id,
            cron=WEEKLY,
            acts_as=world.retrainer_id,
            **said,
        )


def _later(platform: Platform, by: timedelta) -> None:
    platform.clock.advance_to(platform.clock.now() + by)  # type: ignore[attr-defined]


WORLDS = {
    "alert": World(_alerted, ("answer_alerts", "work", "send_messages")),
    "schedule": World(_scheduled, ("fire_schedules", "work", "send_messages")),
    "traffic": World(_watched, ("watch_traffic", "watch_labels", "work")),
    "training": World(_ordered, ("work",)),
    "records": World(_old, ("archive_records",)),
    "retention": World(_kept_long_enough, ("drop_records",)),
    "waivers": World(_waived, ("end_waivers",)),
    "rollout": World(_rolling_out, ("judge_rollouts", "send_messages")),
    "breach": World(_breached, ("judge_rollouts", "send_messages")),
    "policy": World(_out_of_policy, ("stop_out_of_policy",)),
    "log": World(_running, ("sequence_audit",)),
    "trial": World(to_be_tried, ("count_labels", "work")),
    "comparison": World(to_be_compared, ("work",)),
    "elsewhere": World(served_wrongly, ("check_served_elsewhere",)),
    "ended rollout": World(rolled_out_long_ago, ("forget_rollout_records",)),
    "rejected": World(rejected_long_ago, ("forget_rejected_records",)),
    "plain texts": World(with_plain_texts, ("seal_texts",)),
    "late labels": World(labelled_late, ("archive_records",)),
    "summaries": World(summed_up_long_ago, ("drop_records",)),
    "leftovers": World(left_behind, ("clear_leftovers",)),
    "backtest": World(_asked_to_replay, ("work",), children=Children.REAL),
    **{name: World(_running, ("work",), request=name) for name in REQUESTS},
}
