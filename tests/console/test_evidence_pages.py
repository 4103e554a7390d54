"""The pages that prove something: charts of the past, lineage, gates, the verified mark."""

from fastapi.testclient import TestClient
from sqlalchemy import text

from console.story import Story, sign_in


def test_a_deployment_is_compared_with_the_frozen_one(admin: TestClient, story: Story) -> None:
    page = admin.get(f"/console/deployments/{story.governed}").text
    assert "cards (governed)" in page
    assert "cards-frozen (frozen at v1)" in page
    assert page.count('class="chart wide"') == page.count('class="chart narrow"') == 1
    assert page.count('class="chart small"') == 5
    assert page.count('class="mark promotion"') >= 2
    assert "approved, in force" in page


def test_a_rejected_version_says_why(admin: TestClient) -> None:
    page = admin.get("/console/models/finance/classifier/versions/2").text
    assert "rejected" in page
    assert "worse than the champion" in page
    assert 'class="range worse"' in page


def test_the_states_of_versions_follow_from_pointers_and_gates(admin: TestClient) -> None:
    page = admin.get("/console/models/finance/classifier").text
    versions = [row for row in page.split("<tr>") if row.startswith('<th scope="row"><a')]
    rows = {row.partition("</a>")[0][-2:]: row for row in versions}
    newest = max(name for name in rows if name.startswith("v"))
    assert ">champion<" in rows[newest]
    assert ">rejected<" in rows["v2"]
    assert "former champion" in rows["v1"]


def test_lineage_leads_from_the_data_to_where_the_version_runs(
    admin: TestClient, story: Story
) -> None:
    page = admin.get("/console/models/finance/classifier/versions/3").text
    for kind in ("box dataset", "box run", "box model current"):
        assert f'class="{kind}"' in page
    first = admin.get("/console/models/finance/classifier/versions/1").text
    assert f'href="/console/deployments/{story.frozen}"' in first
    assert 'class="box deployment"' in first


def test_lineage_keeps_a_place_for_what_the_reader_may_not_see(
    browser: TestClient, story: Story
) -> None:
    with story.platform.database.transaction() as session:
        session.execute(text("UPDATE datasets SET namespace = 'elsewhere'"))
    sign_in(browser, story.token("neighbour", "engineer", namespace="finance"))
    page = browser.get("/console/models/finance/classifier/versions/3").text
    assert "not visible to you" in page
    assert "purchases" not in page


def test_the_log_verifies(admin: TestClient) -> None:
    page = admin.get("/console/audit").text
    assert ">verified<" in page
    assert 'role="alert"' not in page


def test_a_log_that_was_touched_does_not_verify(admin: TestClient, story: Story) -> None:
    with story.platform.database.transaction() as session:
        if session.get_bind().dialect.name == "postgresql":
            session.execute(text("SET LOCAL session_replication_role = replica"))
        else:
            names = session.scalars(
                text(
                    "SELECT name FROM sqlite_master WHERE type='trigger' AND tbl_name LIKE 'audit%'"
                )
            ).all()
            for name in names:
                session.execute(text(f'DROP TRIGGER "{name}"'))
        session.execute(
            text("UPDATE audit_events SET body = :body WHERE action = 'environment.created'"),
            {"body": b'{"details":{}}'},
        )
    page = admin.get("/console/audit").text
    assert "does not verify" in page
    assert "was changed after it was recorded" in page


def test_events_are_filtered_by_action_and_subject(admin: TestClient, story: Story) -> None:
    raised = admin.get("/console/audit?action=alert.raised").text
    assert raised.count("<code>alert.raised</code>") >= 2
    assert "<code>job.queued</code>" not in raised
    one = admin.get(f"/console/audit?subject={story.alert}").text
    assert one.count("<code>alert.raised</code>") == 1


def test_old_events_are_on_later_pages(admin: TestClient, story: Story) -> None:
    seen, path = [], "/console/audit"
    while True:
        page = admin.get(path).text
        seen += page.split("<tr><td><time")[1:]
        if 'aria-label="Pages"' not in page:
            break
        path = (
            "/console/audit" + page.partition('aria-label="Pages"><a href="')[2].partition('"')[0]
        )
        path = path.replace("&amp;", "&")
    with story.platform.database.reading() as session:
        assert len(seen) == session.scalar(text("SELECT count(*) FROM audit_events"))
