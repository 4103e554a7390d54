"""Every page, for those who may see it and for those who may not."""

import re
from html.parser import HTMLParser

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from starlette.routing import BaseRoute

from bailiwick.console.routing import PAGE_POLICY, GovernedPage, OpenPage
from bailiwick.web import ACTION
from console.story import HOSTILE, SECRET, Story, Told, sign_in

ESCAPED = "&lt;script&gt;alert(1)&lt;/script&gt;"
OPEN = {
    "/console/sign-in",
    "/console/sign-in/password",
    "/console/sign-in/provider",
    "/console/sign-in/callback",
    "/console/sign-out",
    "/console/{path:path}",
}


class Found(HTMLParser):
    """The links of a page, and whatever a strict content policy would refuse."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.refused: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "a" and values.get("href"):
            self.links.add(str(values["href"]))
        inline = tag == "style" or (tag == "script" and "src" not in values)
        handlers = [name for name in values if name == "style" or name.startswith("on")]
        remote = [v for v in values.values() if v and re.match(r"(https?:)?//", v)]
        if inline or handlers or remote:
            self.refused.append(f"<{tag} {attrs}>")


def crawl(client: TestClient) -> dict[str, str]:
    """Every page that can be reached by links from the overview, with its text."""
    pages: dict[str, str] = {}
    waiting = ["/console"]
    while waiting:
        path = waiting.pop()
        answer = client.get(path)
        assert answer.status_code == 200, (path, answer.text)
        pages[path] = answer.text
        for link in Found(answer.text).links:
            target = f"{path.partition('?')[0]}{link}" if link.startswith("?") else link
            target = target.partition("#")[0]
            if target and target not in pages and target not in waiting:
                waiting.append(target)
    return pages


@pytest.fixture(scope="module")
def pages(visitor: TestClient) -> dict[str, str]:
    return crawl(visitor)


def test_every_link_of_every_page_leads_to_a_page(pages: dict[str, str], told: Told) -> None:
    story = told.story
    assert {
        f"/console/deployments/{story.governed}",
        f"/console/deployments/{story.frozen}",
        "/console/models/finance/classifier/versions/2",
        "/console/datasets/finance/purchases",
        f"/console/alerts/{story.alert}",
        f"/console/reports/{story.check}",
        f"/console/jobs/{story.running_job}",
        "/console/approvals",
        "/console/decisions",
        "/console/audit",
    } <= pages.keys()


def test_no_page_needs_inline_code_or_anything_from_elsewhere(pages: dict[str, str]) -> None:
    own = {path: text for path, text in pages.items() if "/reports/" not in path}
    assert {path: Found(text).refused for path, text in own.items()} == {path: [] for path in own}


def test_hostile_names_and_messages_are_escaped(pages: dict[str, str]) -> None:
    assert not [path for path, text in pages.items() if HOSTILE in text]
    assert ESCAPED in pages["/console/jobs"]


def test_no_page_shows_the_text_of_a_request(pages: dict[str, str]) -> None:
    assert not [path for path, text in pages.items() if SECRET in text]


def test_each_page_has_one_heading_and_marks_its_section(pages: dict[str, str]) -> None:
    own = {path: text for path, text in pages.items() if "/reports/" not in path}
    assert {text.count("<h1>") for text in own.values()} == {1}
    assert {text.count('aria-current="page"') for text in own.values()} == {1}


def test_pages_confine_the_browser_and_reports_their_own_scripts(
    admin: TestClient, story: Story
) -> None:
    overview = admin.get("/console").headers
    assert overview["content-security-policy"] == PAGE_POLICY
    assert overview["cache-control"] == "no-store"
    assert overview["x-content-type-options"] == "nosniff"
    report = admin.get(f"/console/reports/{story.check}").headers["content-security-policy"]
    assert report.startswith("sandbox allow-scripts; default-src 'none'")
    assert "connect-src" not in report


@pytest.mark.parametrize(
    ("path", "next_path"),
    [
        ("/console", "/console"),
        ("/console/audit?action=alert.raised", "/console/audit%3Faction%3Dalert.raised"),
    ],
)
def test_whoever_is_not_signed_in_is_sent_to_sign_in_and_back(
    browser: TestClient, path: str, next_path: str
) -> None:
    answer = browser.get(path)
    assert answer.status_code == 303
    assert answer.headers["location"] == f"/console/sign-in?next={next_path}"


def test_the_root_leads_to_the_console(browser: TestClient) -> None:
    assert browser.get("/").headers["location"] == "/console"


def test_a_wrong_address_and_a_hidden_thing_read_the_same(
    browser: TestClient, story: Story
) -> None:
    sign_in(browser, story.token("low", "engineer", clearance="internal"))
    paths = [
        "/console/nowhere",
        f"/console/deployments/{story.check}",
        f"/console/deployments/{story.governed}",
        f"/console/alerts/{story.alert}",
        f"/console/jobs/{story.running_job}",
        f"/console/reports/{story.check}",
        "/console/models/finance/classifier",
        "/console/models/finance/no-such-model",
        "/console/models/finance/classifier/versions/1",
        "/console/datasets/finance/purchases",
    ]
    answers = [browser.get(path) for path in paths]
    assert [answer.status_code for answer in answers] == [404] * len(paths)
    assert len({answer.text for answer in answers}) == 1


@pytest.mark.parametrize(
    "path", ["", "/deployments", "/models", "/datasets", "/alerts", "/jobs", "/approvals"]
)
@pytest.mark.parametrize("who", ["clearance too low", "another namespace"])
def test_lists_leave_out_what_the_caller_may_not_see(
    browser: TestClient, story: Story, path: str, who: str
) -> None:
    given = {"clearance": "internal"} if who == "clearance too low" else {"namespace": "legal"}
    sign_in(browser, story.token("other", "engineer", **given))
    answer = browser.get(f"/console{path}")
    assert answer.status_code == 200
    for hidden in ("cards", "classifier", "purchases", "router"):
        assert hidden not in answer.text
    assert str(story.alert) not in answer.text
    assert str(story.running_job) not in answer.text


def test_the_audit_log_is_for_those_who_oversee(browser: TestClient, story: Story) -> None:
    sign_in(browser, story.token("eve", "engineer"))
    assert "/console/audit" not in browser.get("/console").text
    answer = browser.get("/console/audit")
    assert answer.status_code == 403
    assert "audit:read was denied" in answer.text.replace("Audit:read", "audit:read")


def test_an_empty_installation_says_what_to_do_next(browser: TestClient, story: Story) -> None:
    sign_in(browser, story.token("new", "engineer", namespace="empty"))
    assert "bailiwick demo" in browser.get("/console").text
    assert "bailiwick model" in browser.get("/console/models").text
    assert "bailiwick dataset" in browser.get("/console/datasets").text


def test_every_route_of_the_console_is_governed_or_known_to_be_open(app: FastAPI) -> None:
    routes = list(_routes(app.routes))
    assert len(routes) > 20
    for route in routes:
        if isinstance(route, GovernedPage):
            assert (route.openapi_extra or {})[ACTION]
        else:
            assert route.path in OPEN


def _routes(routes: list[BaseRoute]) -> list[GovernedPage | OpenPage]:
    found: list[GovernedPage | OpenPage] = []
    for route in routes:
        if isinstance(route, GovernedPage | OpenPage):
            found.append(route)
        inner = getattr(route, "original_router", None) or getattr(route, "router", None)
        found += _routes(getattr(inner or route, "routes", []) or [])
    return found
