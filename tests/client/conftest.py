"""An installation to call."""

from collections.abc import Iterator

import pytest

from bailiwick.client import Bailiwick
from bailiwick.lifecycle import Platform
from client.installation import Installation, running_installation


@pytest.fixture
def installation(platform: Platform) -> Iterator[Installation]:
    """A real API with a past."""
    with running_installation(platform) as running:
        yield running


@pytest.fixture
def engineer(installation: Installation) -> Iterator[Bailiwick]:
    """The engineer's client."""
    with installation.client() as client:
        yield client
