"""Installations in which something is to be measured by a job: a challenger, or two spans."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from bailiwick.lifecycle import Platform
from bailiwick.lifecycle.label_watching import watch_all_labels
from bailiwick.lifecycle.retraining_policies import update_retraining_policy
from bailiwick.lifecycle.tables import RetrainingPolicy
from bailiwick.lifecycle.traffic_comparisons import order_comparison
from bailiwick.monitoring import Outcome
from bailiwick.monitoring.comparisons import Span
from bailiwick.policy import load_actor
from bailiwick.registry import Deployment
from bailiwick.training import HeadRecipe
from support.lifecycle_world import (
    World,
    approve_again,
    bring,
    found_world,
    requests,
    watch_windows,
)

MONDAY = datetime(2026, 1, 12, tzinfo=UTC)
DAY, WEEK = timedelta(days=1), timedelta(weeks=1)
RULE = "cost-aware by=week price=1"


def to_be_tried(platform: Platform, _: str) -> None:
    """A policy asks what newer labels are worth: a week of them came, most of them a surprise."""
    platform.clock.advance_to(MONDAY)  # type: ignore[attr-defined]
    world = found_world(platform, window_days=3_650)
    with platform.database.transaction() as session:
        policy = session.get_one(RetrainingPolicy, world.policy.id)
        actor, at = load_actor(session, world.engineer_id), platform.clock.now()
        settings = {
            "on_alert": [],
            "triggers": [{"kind": "strategy", "value": RULE}],
            "recipe": HeadRecipe(buckets=1_024, epochs=1).to_dict(),
        }
        update_retraining_policy(session, policy, settings, actor=actor, at=at)
    approve_again(world)
    _shops(world)
    platform.clock.advance_to(MONDAY + WEEK + 2 * DAY)  # type: ignore[attr-defined]
    watch_all_labels(platform)


def to_be_compared(platform: Platform, _: str) -> None:
    """A comparison of two days of traffic is ordered."""
    world, start = found_world(platform), platform.clock.now()
    for day in range(2):
        asked, _labels = requests(240, first=start + day * DAY, text=None, prefix=f"day-{day}")
        spread = [
            replace(one, at=start + day * DAY + number * timedelta(minutes=6))
            for number, one in enumerate(asked)
        ]
        platform.clock.advance_to(start + (day + 1) * DAY)  # type: ignore[attr-defined]
        bring(world, spread)
    platform.clock.advance_to(start + 2 * DAY + timedelta(hours=1))  # type: ignore[attr-defined]
    watch_windows(world)
    with platform.database.transaction() as session:
        order_comparison(
            session,
            session.get_one(Deployment, world.deployment.id),
            Span.of(start, start + DAY),
            Span.of(start + DAY, start + 2 * DAY),
            with_texts=False,
            actor_id=world.engineer_id,
            at=platform.clock.now(),
        )


def _shops(world: World) -> None:
    """A hundred purchases, two thirds of them at shops that the champion calls Fuel, wrongly."""
    inferences, outcomes = requests(100, first=MONDAY + DAY)
    kinds = ("Fuel", "Books", "Rail")
    named = [
        replace(one, text=f"{kinds[n % 3].lower()} shop {n % 7}")
        for n, one in enumerate(inferences)
    ]
    bring(world, named, [Outcome(one.record_id, kinds[n % 3]) for n, one in enumerate(outcomes)])
