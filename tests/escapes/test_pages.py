"""Ways to get at it through the console's pages."""

import re

import pytest

from support import api_bodies
from support.api_world import World
from support.escapes import NAMES, Vault, told

PAGES = {
    "a model": "/models/finance/{model}",
    "a version": "/models/finance/{model}/versions/1",
    "a dataset": "/datasets/finance/{dataset}",
    "a deployment": "/deployments/{deployment_id}",
    "an alert": "/alerts/{alert_id}",
    "a report": "/reports/{check_id}",
    "a job": "/jobs/{job_id}",
}
FORMS = {
    "acknowledge": ("/alerts/{alert_id}/acknowledge", {}),
    "resolve": ("/alerts/{alert_id}/resolve", {"resolution": "x"}),
    "cancel": ("/jobs/{job_id}/cancel", {}),
    "decide": ("/approvals/{approval_id}/decide", {"answer": "approve"}),
}
ORIGIN = {"origin": "http://testserver"}
LINK = re.compile(r'(?:href|action|src)="(/console[^"#]*)')


@pytest.mark.parametrize("page", PAGES)
def test_the_page_of_something_hidden(vault: Vault, page: str) -> None:
    vault.is_shut("//console" + PAGES[page])


@pytest.mark.parametrize("form", FORMS)
def test_a_form_sent_without_its_page(vault: Vault, form: str) -> None:
    path, data = FORMS[form]
    for by in ("junior", "stranger"):
        hidden = vault.ask("POST", f"//console{path}", by=by, data=data, headers=ORIGIN)
        absent = vault.world.ask(
            "POST", f"//console{path.format(**vault.nowhere)}", by=by, data=data, headers=ORIGIN
        )
        assert hidden.status_code == 404
        assert told(hidden) == told(absent)


@pytest.mark.parametrize("by", ["junior", "stranger"])
def test_every_page_that_links_lead_to(vault: Vault, by: str) -> None:
    """Whoever follows every link of the console meets no name and no id of what is hidden."""
    ids = [place for name, place in vault.places.items() if name.endswith("_id")]
    queue, seen = ["/console"], set[str]()
    while queue:
        path = queue.pop()
        if path in seen or "/static/" in path or "sign-out" in path:
            continue
        seen.add(path)
        page = vault.get("/" + path, by=by)
        assert page.status_code in {200, 303, 403, 404, 405}, path
        text = page.text
        met = [name for name in (*NAMES, *ids) if name in text]
        assert met == [], path
        queue += LINK.findall(text)
    assert len(seen) >= 8
    own = vault.get("//console/models", by="senior").text
    assert "finance/classifier" in own, "the senior meets them on the first page"


def test_the_first_pages_numbers(vault: Vault) -> None:
    counts = {by: counted(vault.get("//console", by=by).text) for by in ("senior", "junior")}
    assert any(number for number in counts["senior"])
    assert not any(number for number in counts["junior"])


def counted(page: str) -> list[int]:
    """The figures of the first page."""
    return [int(n) for n in re.findall(r"<dd><a [^>]*>(\d+)</a>", page)]


def test_decisions_about_other_people_on_the_console(vault: Vault) -> None:
    """What was decided about people and tokens is for those who read the log."""
    world = vault.world
    undone, world.app.state.platform = world.app.state.platform, world.platform
    assert (
        world.post("/principals", {"name": "zoe-new", "kind": "person"}, by="senior").status_code
        == 201
    )
    world.app.state.platform = undone
    assert "principal:create" in vault.get("//console/decisions", by="auditor").text
    for by in ("junior", "stranger"):
        for path in ("//console/decisions", "//console/decisions?denied=1", "//console"):
            assert "principal:create" not in vault.get(path, by=by).text


def test_an_error_page_repeats_nothing_of_what_was_sent(vault: Vault) -> None:
    page = vault.get("//console/models/finance/zanzibar-garage-4711")
    assert page.status_code == 404
    assert "zanzibar" not in page.text


def test_the_dataset_behind_a_deployment_that_one_may_see(world: World) -> None:
    """A retraining policy may learn from data above its deployment's label."""
    deployment = world.running(keeps_text=True)
    secret = api_bodies.model("payslips", label=api_bodies.LABEL | {"level": "restricted"})
    assert world.post("/datasets", secret).status_code == 201
    body = {"deployment_id": str(deployment.id), "acts_as": "robot", "dataset": "finance/payslips"}
    assert world.post("/retraining-policies", body).status_code == 201
    world.join("junior", "engineer", clearance="confidential")
    path = f"//console/deployments/{deployment.id}"
    assert "payslips" in world.get(path).text
    page = world.get(path, by="junior")
    assert page.status_code == 200
    assert "payslips" not in page.text


def test_a_report_runs_no_script_in_the_consoles_origin(vault: Vault) -> None:
    for path in (
        "//console/reports/{check_id}",
        "/deployments/{deployment_id}/checks/{check_id}/report",
    ):
        policy = vault.get(path, by="senior").headers["content-security-policy"]
        assert "sandbox allow-scripts" in policy
        assert "allow-same-origin" not in policy
        assert "default-src 'none'" in policy


def test_other_sites_can_neither_frame_a_page_nor_keep_it(vault: Vault) -> None:
    headers = vault.get("//console", by="senior").headers
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"
