"""Signing in in a real browser: across sites and back, and by keyboard."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from playwright.sync_api import Page, expect, sync_playwright

from bailiwick.cli.application import create_application, listen
from bailiwick.core.settings import Settings
from bailiwick.lifecycle import Platform
from bailiwick.serving import Gateway
from factories import Factory
from support.oidc_provider import CLIENT, Provider

CHROMIUM = Path("/usr/bin/chromium")
PATIENCE_MILLISECONDS = 30_000

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"there is no browser at {CHROMIUM}"),
]


@pytest.fixture
def settings(settings: Settings, provider: Provider) -> Settings:
    """An installation with single sign-on."""
    told = {"oidc_issuer": provider.issuer, "oidc_client_id": CLIENT}
    return settings.model_copy(update=told)


@pytest.fixture
def address(platform: Platform) -> Iterator[str]:
    """The console at a name that is another site than the provider's address."""
    with platform.database.transaction() as session:
        assert Factory(session, platform).root
    app = create_application(platform, Gateway("http://127.0.0.1:9", ""))
    with listen("127.0.0.1", 0) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        yield f"http://localhost:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join(10)


@pytest.fixture
def page() -> Iterator[Page]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--headless", "--no-sandbox", "--disable-gpu"]
        )
        page = chromium.new_page()
        page.set_default_timeout(PATIENCE_MILLISECONDS)
        yield page
        chromium.close()


def test_from_a_page_that_was_wanted_through_another_site_back_to_it(
    page: Page, address: str, provider: Provider
) -> None:
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text))
    page.goto(f"{address}/console/jobs")
    page.wait_for_url(f"{address}/console/sign-in?next=/console/jobs")
    # The focus that a page gives by itself comes after its load event.
    expect(page.get_by_role("link", name="Continue with single sign-on")).to_be_focused(
        timeout=PATIENCE_MILLISECONDS
    )
    page.keyboard.press("Enter")
    page.wait_for_url(f"{address}/console/jobs")
    page.get_by_text("ada", exact=True).wait_for()
    assert provider.asked["/authorize"] == 1
    cookies = {cookie["name"]: cookie for cookie in page.context.cookies()}
    assert set(cookies) == {"bailiwick_session"}
    assert cookies["bailiwick_session"]["sameSite"] == "Strict"
    assert cookies["bailiwick_session"]["httpOnly"]
    page.get_by_role("button", name="everywhere").click()
    page.wait_for_url(f"{address}/console/sign-in")
    assert page.context.cookies() == []
    page.goto(f"{address}/console")
    page.get_by_role("link", name="Continue with single sign-on").wait_for()
    assert complaints == []
