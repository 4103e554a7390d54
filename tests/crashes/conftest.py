"""Installations to disturb, each a copy of one that was made once; a receiver of messages."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest

from support.alerting import Receiver, receiving
from support.crashes.disks import mounted, why_not
from support.crashes.faults import FILLING, Kind
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
def new_disk() -> Iterator[Callable[[], Path]]:
    """Disks that can be filled; the test is skipped where none can be mounted."""

    def mount() -> Path:
        if reason := why_not():
            pytest.skip(reason)
        return stack.enter_context(mounted())

    with ExitStack() as stack:
        yield mount


@pytest.fixture
def copy_of(
    new_disk: Callable[[], Path],  # the first one, so that its disks outlive the databases
    databases: Databases,
    tmp_path: Path,
    receiver: Receiver,
) -> Callable[..., Installation]:
    """A copy of its own for one test; one `on_disk` has a disk of its own for all it has."""

    def copy(ground: Ground, *, on_disk: bool = False) -> Installation:
        receiver.arrived.clear()
        disk = new_disk() if on_disk else None
        url = databases.copy_of(ground.installation.database_url, disk=disk)
        return ground.installation.copied((disk or tmp_path) / "home", url, disk=disk)

    return copy


@pytest.fixture
def try_out(
    ground_of: Callable[[str], Ground],
    copy_of: Callable[..., Installation],
    receiver: Receiver,
) -> Callable[[Cell], str]:
    """Let the fault of a cell strike, and look at the end; what came of it, in words."""

    def strike(cell: Cell) -> str:
        ground = ground_of(cell.world)
        on_sqlite = ground.installation.database_url.startswith("sqlite")
        if on_sqlite and cell.fault.kind is Kind.UNHEARD:
            pytest.skip("SQLite has no connection that could be lost")
        fills = cell.fault.kind in FILLING
        installation = copy_of(ground, on_disk=fills)
        ended = disturb(cell, installation)
        assert installation.struck.exists(), "the fault did not strike"
        if fills and on_sqlite:
            undone = problems(installation, receiver.ids) or trace(installation) != ground.after
            assert undone, "a full disk prevented nothing"
        finish(cell.world, installation)
        assert problems(installation, receiver.ids) == []
        found = trace(installation)
        right = {Ends.DONE: ground.after, Ends.FAILED: of_a_failed_job(ground.before, found)}
        assert found == right[cell.ends]
        if cell.fault.kind is Kind.RIVAL:
            assert attempts(installation) == ground.attempts
        return f"{ended}; {came_of(installation)}"

    return strike
