"""The console in a real browser: no refused content, no sideways scrolling, usable by keyboard."""

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from fastapi import FastAPI
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from console.story import Story

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE_MILLISECONDS = 30_000
START_SECONDS = 10
PHONE, DESK = (390, 844), (1360, 900)

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"there is no browser at {CHROMIUM}"),
]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield opened
        opened.close()


@pytest.fixture
def address(app: FastAPI, story: Story) -> Iterator[str]:
    """Where the console listens; `story` is there to be shown."""
    assert story
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    deadline = time.monotonic() + START_SECONDS
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.02)
    assert server.started
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    server.should_exit = True
    thread.join(START_SECONDS)
    listening.close()


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    opened = chromium.new_context(viewport={"width": DESK[0], "height": DESK[1]})
    opened.set_default_timeout(PATIENCE_MILLISECONDS)
    yield opened
    opened.close()


def sign_in(page: Page, address: str, token: str) -> None:
    page.goto(f"{address}/")
    page.get_by_label("API token").fill(token)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{address}/console")


def paths(story: Story) -> list[str]:
    return [
        "/console",
        f"/console/deployments/{story.governed}",
        "/console/models/finance/classifier",
        "/console/models/finance/classifier/versions/3",
        "/console/datasets/finance/purchases",
        f"/console/alerts/{story.alert}",
        "/console/silences",
        f"/console/new-silence?alert={story.alert}",
        "/console/channels",
        "/console/new-channel",
        f"/console/jobs/{story.running_job}",
        "/console/approvals",
        "/console/waivers",
        f"/console/waivers/about/deployment/{story.governed}",
        "/console/decisions",
        "/console/policies",
        "/console/access",
        "/console/audit",
    ]


@pytest.mark.parametrize("size", [DESK, PHONE])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_fit_the_screen_and_nothing_on_them_is_refused(
    context: BrowserContext, address: str, story: Story, size: tuple[int, int], scheme: str
) -> None:
    page = context.new_page()
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]  # one of the two
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    sign_in(page, address, story.admin_token)
    for path in paths(story):
        page.goto(f"{address}{path}")
        beyond = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        assert beyond <= 0, path
        charts = page.locator("svg.chart:visible")
        if path.startswith("/console/deployments/"):
            assert charts.count() == 6
    assert complaints == []


def test_a_report_runs_its_scripts_in_an_origin_of_its_own(
    context: BrowserContext, address: str, story: Story
) -> None:
    page = context.new_page()
    sign_in(page, address, story.admin_token)
    page.goto(f"{address}/console/alerts/{story.alert}")
    frame = page.locator("iframe").element_handle().content_frame()
    assert frame is not None
    frame.wait_for_function("document.title == '1'")
    assert frame.evaluate("self.origin") == "null"


def test_the_content_is_reached_and_an_alert_is_acknowledged_by_keyboard(
    context: BrowserContext, address: str, story: Story
) -> None:
    page = context.new_page()
    sign_in(page, address, story.admin_token)
    page.goto(f"{address}/console/alerts/{story.alert}")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.get_by_role("button", name="Acknowledge").focus()
    page.keyboard.press("Enter")
    page.get_by_text("by ada").wait_for()
    assert page.get_by_role("button", name="Acknowledge").count() == 0


def test_a_link_in_somebodys_mail_opens_the_page_for_whoever_is_signed_in(
    context: BrowserContext, address: str, story: Story
) -> None:
    page = context.new_page()
    sign_in(page, address, story.admin_token)
    target = f"{address}/console/alerts/{story.alert}"
    page.goto(address.replace("127.0.0.1", "localhost") + "/console/static/icon.svg")
    page.evaluate("address => { location.href = address }", target)
    page.wait_for_url(target)
    page.get_by_role("heading", level=1, name="finance/cards").wait_for()


def test_everything_works_without_javascript(chromium: Browser, address: str, story: Story) -> None:
    context = chromium.new_context(java_script_enabled=False)
    context.set_default_timeout(PATIENCE_MILLISECONDS)
    page = context.new_page()
    sign_in(page, address, story.admin_token)
    page.goto(f"{address}/console/jobs/{story.running_job}")
    page.get_by_role("button", name="Cancel this job").click()
    page.get_by_text("cancelled on request").wait_for()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_label("API token").wait_for()
    context.close()
