"""A committed installation, and the same one seen by a second process."""

from collections.abc import Iterator

import pytest

from bailiwick.lifecycle import Platform
from support.lifecycle_world import World, found_world, rival_of


@pytest.fixture
def world(platform: Platform) -> World:
    """A watched deployment under an approved retraining policy."""
    return found_world(platform)


@pytest.fixture
def rival(platform: Platform) -> Iterator[Platform]:
    """What another process holds of the same installation."""
    with rival_of(platform) as other:
        yield other
