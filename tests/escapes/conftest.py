"""What the escape suite is about: an installation, and a vault in it."""

from collections.abc import Iterator

import pytest

from bailiwick.lifecycle import Platform
from support.api_world import World
from support.escapes import Vault, founded, lock_up


@pytest.fixture(scope="session")
def vault(lasting_platform: Platform) -> Iterator[Vault]:
    """Everything above the junior's clearance, in a namespace where the stranger holds nothing."""
    locked = lock_up(lasting_platform)
    yield locked
    locked.world.client.close()
    locked.world.app.state.platform.database.close()


@pytest.fixture
def world(platform: Platform) -> Iterator[World]:
    """An installation of the test's own, with a team and nothing in it."""
    founding = founded(platform)
    yield founding
    founding.client.close()
