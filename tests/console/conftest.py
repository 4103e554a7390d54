"""The console, and an installation with a past to show on it."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from bailiwick.audit import sequence
from bailiwick.core.clock import ReplayClock
from bailiwick.core.settings import Settings
from bailiwick.lifecycle import Platform, open_platform
from bailiwick.serving import Gateway
from console.story import START, Story, Told, sign_in
from console.telling import Teller
from factories import Factory
from support.applications import application_of
from support.databases import Databases, fresh_databases


@pytest.fixture(scope="session")
def told(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Told]:
    """Two years of a classifier, governed and frozen: told once, copied for each test."""
    folder, clock = tmp_path_factory.mktemp("told"), ReplayClock(START)
    with fresh_databases(request, folder) as fresh:
        home, address = folder / "home", fresh.migrated()
        settings = Settings(home=home, database_url=address, threads=1)
        platform = open_platform(settings, clock)
        with platform.database.transaction() as session:
            story = Teller(Factory(session, platform), clock).tell()
        with platform.database.transaction() as session:
            sequence(session, platform.signer(), at=clock.now())
        platform.close()
        yield Told(settings, story, clock.now())


@pytest.fixture
def settings(request: pytest.FixtureRequest, databases: Databases, tmp_path: Path) -> Settings:
    """Of an installation of one's own: empty, or with the past of the story."""
    home = tmp_path / "home"
    if "story" not in request.fixturenames:
        home.mkdir()
        return Settings(home=home, database_url=databases.migrated(), threads=1)
    past: Told = request.getfixturevalue("told")
    return past.copied(databases, home)


@pytest.fixture
def clock() -> ReplayClock:
    """The installation begins in the past."""
    return ReplayClock(START)


@pytest.fixture
def story(told: Told, platform: Platform, clock: ReplayClock) -> Story:
    """The story in a copy of its own, which a test may change."""
    clock.advance_to(told.until)
    return replace(told.story, platform=platform)


def application(platform: Platform) -> FastAPI:
    """The application with its console, as it is put together for `bailiwick up`."""
    return application_of(platform, Gateway("http://127.0.0.1:9", ""))


def browse(app: FastAPI) -> TestClient:
    """Somebody who is not signed in; sends the `Origin` of the console's own pages."""
    own = "https://console.test"
    return TestClient(app, base_url=own, follow_redirects=False, headers={"origin": own})


@pytest.fixture
def app(platform: Platform) -> FastAPI:
    """The test's own application."""
    return application(platform)


@pytest.fixture
def browser(app: FastAPI) -> Iterator[TestClient]:
    """The test's own browser."""
    with browse(app) as client:
        yield client


@pytest.fixture(scope="module")
def visitor(
    request: pytest.FixtureRequest, told: Told, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TestClient]:
    """A signed-in administrator in a copy that tests of a module only look at."""
    folder = tmp_path_factory.mktemp("visited")
    with fresh_databases(request, folder) as fresh:
        settings = told.copied(fresh, folder / "home")
        with browse(application(open_platform(settings, ReplayClock(told.until)))) as client:
            sign_in(client, told.story.admin_token)
            yield client


@pytest.fixture
def admin(browser: TestClient, story: Story) -> TestClient:
    """A signed-in administrator."""
    sign_in(browser, story.admin_token)
    return browser
