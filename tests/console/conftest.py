"""The console, and an installation with a past to show on it."""

from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from bailiwick.audit import sequence
from bailiwick.cli.application import create_application
from bailiwick.core.clock import ReplayClock
from bailiwick.lifecycle import Platform
from bailiwick.serving import Gateway
from console.story import START, Story, sign_in
from console.telling import Teller
from factories import Factory


@pytest.fixture
def clock() -> ReplayClock:
    """The installation begins in the past."""
    return ReplayClock(START)


@pytest.fixture
def story(platform: Platform, clock: ReplayClock) -> Story:
    """Two years of a classifier: governed, and frozen beside it."""
    with platform.database.transaction() as session:
        told = Teller(Factory(session, platform), clock).tell()
    with platform.database.transaction() as session:
        sequence(session, platform.signer(), at=clock.now())
    return told


@pytest.fixture
def app(platform: Platform) -> FastAPI:
    """The application with its console, as it is put together for `bailiwick up`."""
    return create_application(platform, Gateway("http://127.0.0.1:9", ""))


@pytest.fixture
def browser(app: FastAPI) -> Iterator[TestClient]:
    """Somebody who is not signed in; sends the `Origin` of the console's own pages."""
    own = "https://console.test"
    with TestClient(app, base_url=own, follow_redirects=False, headers={"origin": own}) as client:
        yield client


@pytest.fixture
def admin(browser: TestClient, story: Story) -> TestClient:
    """A signed-in administrator."""
    sign_in(browser, story.admin_token)
    return browser
