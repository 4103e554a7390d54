"""What tests of messages start from."""

from collections.abc import Iterator
from uuid import UUID

import pytest

from bailiwick.lifecycle import Platform
from support.alerting import Receiver, Watch, found, looking, receiving


@pytest.fixture(scope="session")
def receiver_server() -> Iterator[Receiver]:
    """An HTTP server that takes messages."""
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def receiver(receiver_server: Receiver) -> Receiver:
    """The same, with nothing in it."""
    receiver_server.arrived.clear()
    receiver_server.status = 204
    return receiver_server


@pytest.fixture(scope="module")
def deployment_id(shared_platform: Platform) -> UUID:
    """One deployment for all tests of a module."""
    return found(shared_platform)


@pytest.fixture
def watch(shared_platform: Platform, deployment_id: UUID) -> Iterator[Watch]:
    """It has not been checked yet."""
    with looking(shared_platform, deployment_id) as watch:
        yield watch
