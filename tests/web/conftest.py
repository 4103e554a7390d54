"""One installation behind its HTTP API."""

from collections.abc import Iterator

import pytest

from bailiwick.lifecycle import Platform
from support.api_world import World


@pytest.fixture
def world(platform: Platform) -> Iterator[World]:
    """An installation with an engineer, an approver, an auditor, a service and an admin."""
    world = World(platform)
    world.join("engineer", "engineer").join("approver", "approver").join("auditor", "auditor")
    world.join("robot", "service", kind="service").join("steward", "steward")
    world.join("admin", "admin")
    yield world
    world.client.close()
