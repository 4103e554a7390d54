"""Installations at the moment before something is done to them, one for each kind of work."""

from collections.abc import Callable
from dataclasses import dataclass

from support.alerting import channel
from support.crashes.children import Children
from support.crashes.installations import Installation
from support.lifecycle_world import factory_again, found_world, raise_alert


@dataclass(frozen=True)
class World:
    """How to make it (`address`: of a webhook), and what the worker's ticks have to do in it."""

    make: Callable[[Installation, str], None]
    ticks: tuple[str, ...]
    children: Children = Children.QUICK


def alerted(installation: Installation, address: str) -> None:
    """An alert calls for a retraining, and a channel is to be told of it."""
    platform = installation.open()
    world = found_world(platform, window_days=3_650)
    with platform.database.transaction() as session:
        channel(factory_again(session, platform), address=address)
    raise_alert(world)
    platform.close()


WORLDS = {
    "alert": World(alerted, ("answer_alerts", "work", "send_messages")),
}
