"""The console shows whoever holds a role on one object that object, and nothing beside it."""

from typing import Any

from fastapi.testclient import TestClient

from bailiwick.access import grant_role, issue_token
from bailiwick.lifecycle import Platform
from console.story import sign_in
from factories import Factory


def token_of(make: Factory, name: str, *objects: str) -> str:
    """The token of an engineer of these objects alone."""
    person = make.principal(name)
    by: dict[str, Any] = {"actor_id": make.root.id, "at": make.at}
    for one in objects:
        grant_role(make.session, person, "engineer", namespace="finance", on=one, **by)
    return issue_token(make.session, person, name, **by)[1]


def test_pages_list_the_object_and_what_belongs_to_it(
    browser: TestClient, platform: Platform
) -> None:
    with platform.database.transaction() as session:
        make = Factory(session, platform)
        place = make.environment()
        for data, model, name in (("purchases", "coder", "cards"), ("audits", "ranker", "wires")):
            made = make.model(model)
            make.champion(make.model_version(made, make.dataset_version(make.dataset(data))))
            make.deployment(made, place, name=name)
        mona = token_of(make, "mona", "models/coder")
        dora = token_of(make, "dora", "deployments/cards", "datasets/audits")
    seen: dict[str, dict[str, str]] = {}
    for who, token in (("mona", mona), ("dora", dora)):
        sign_in(browser, token)
        pages = ("models", "deployments", "datasets", "jobs")
        seen[who] = {page: browser.get(f"/console/{page}").text for page in pages}
        opened = browser.get("/console/models/finance/coder").status_code
        assert opened == (200 if who == "mona" else 404)
        assert browser.get("/console/models/finance/ranker").status_code == 404
    shown = {
        (who, page, name)
        for who, pages in seen.items()
        for page, text in pages.items()
        for name in ("coder", "ranker", "cards", "wires", "purchases", "audits")
        if f"finance/{name}" in text
    }
    assert shown == {
        ("mona", "models", "coder"),
        ("dora", "deployments", "cards"),
        ("dora", "deployments", "coder"),  # which the deployment runs
        ("dora", "datasets", "audits"),
    }
    rows = {who: pages["jobs"].count('href="/console/jobs/') for who, pages in seen.items()}
    assert rows == {"mona": 1, "dora": 0}
