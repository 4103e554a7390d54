"""Installations to disturb, each a copy of one that was made once; a receiver of messages."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from support.alerting import Receiver, receiving
from support.crashes.faults import Kind
from support.crashes.grounds import Ground
from support.crashes.installations import Installation
from support.crashes.matrix import Cell, Ends, disturb, finish
from support.crashes.processes import end_all, forks_find_us
from support.crashes.right_state import attempts, came_of, of_a_failed_job, problems, trace
from support.crashes.worlds import WORLDS
from support.databases import Databases, fresh_databases

MONDAY = datetime(2026, 1, 5, 8, tzinfo=UTC)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The whole matrix takes minutes: it runs only where it is asked for."""
    if "crashes" in config.option.markexpr:
        return
    dear = [item for item in items if item.get_closest_marker("crashes")]
    config.hook.pytest_deselected(items=dear)
    items[:] = [item for item in items if item not in dear]


@pytest.fixture(scope="session")
def receiver() -> Iterator[Receiver]:
    """One address for all, so that installations can be copied."""
    with receiving() as running:
        yield running


@pytest.fixture(scope="session")
def lasting_databases(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Databases]:
    """Databases that stay until the end."""
    with fresh_databases(request, tmp_path_factory.mktemp("databases")) as fresh:
        yield fresh


@pytest.fixture(scope="session")
def ground_of(
    lasting_databases: Databases, tmp_path_factory: pytest.TempPathFactory, receiver: Receiver
) -> Callable[[str], Ground]:
    """Each world, made when it is first asked for."""
    made: dict[str, Ground] = {}

    def make(name: str) -> Ground:
        if name not in made:
            folder = tmp_path_factory.mktemp("ground")
            home = folder / "home"
            home.mkdir()
            fresh = Installation(home, lasting_databases.migrated())
            fresh.clock.set(MONDAY)
            WORLDS[name].made(fresh, receiver.url)
            undisturbed = fresh.copied(
                folder / "undisturbed", lasting_databases.copy_of(fresh.database_url)
            )
            before = trace(undisturbed)
            receiver.arrived.clear()
            finish(name, undisturbed)
            assert problems(undisturbed, receiver.ids) == []
            made[name] = Ground(fresh, before, trace(undisturbed), attempts(undisturbed))
        return made[name]

    return make


@pytest.fixture(autouse=True)
def processes(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Those that are started import what the tests import, and none outlives its test."""
    monkeypatch.setenv("PYTHONPATH", forks_find_us())
    yield
    end_all()


@pytest.fixture
def copy_of(
    databases: Databases, tmp_path: Path, receiver: Receiver
) -> Callable[[Ground], Installation]:
    """A copy of its own for one test."""

    def copy(ground: Ground) -> Installation:
        receiver.arrived.clear()
        url = databases.copy_of(ground.installation.database_url)
        return ground.installation.copied(tmp_path / "home", url)

    return copy


@pytest.fixture
def try_out(
    ground_of: Callable[[str], Ground],
    copy_of: Callable[[Ground], Installation],
    receiver: Receiver,
) -> Callable[[Cell], str]:
    """Let the fault of a cell strike, and look at the end; what came of it, in words."""

    def strike(cell: Cell) -> str:
        ground = ground_of(cell.world)
        installation = copy_of(ground)
        ended = disturb(cell, installation)
        assert installation.struck.exists(), "the fault did not strike"
        assert problems(installation, receiver.ids) == []
        found = trace(installation)
        right = {Ends.DONE: ground.after, Ends.FAILED: of_a_failed_job(ground.before, found)}
        assert found == right[cell.ends]
        if cell.fault.kind is Kind.RIVAL:
            assert attempts(installation) == ground.attempts
        return f"{ended}; {came_of(installation)}"

    return strike
