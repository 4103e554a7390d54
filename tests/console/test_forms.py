"""What the forms do, who gets to see them, and who is refused."""

from fastapi.testclient import TestClient
from sqlalchemy import select

from bailiwick.audit import AuditEvent
from bailiwick.lifecycle.tables import Job
from bailiwick.monitoring import Alert
from bailiwick.policy import ApprovalRequest
from console.story import Story, sign_in


def recorded(story: Story, action: str) -> int:
    with story.platform.database.reading() as session:
        return len(session.scalars(select(AuditEvent).where(AuditEvent.action == action)).all())


def test_an_alert_is_acknowledged_and_resolved(admin: TestClient, story: Story) -> None:
    path = f"/console/alerts/{story.alert}"
    assert "Acknowledge</button>" in admin.get(path).text
    assert admin.post(f"{path}/acknowledge").headers["location"] == path
    page = admin.get(path).text
    assert "Acknowledge</button>" not in page
    assert "by ada" in page
    before = recorded(story, "alert.resolved")
    assert admin.post(f"{path}/resolve", data={"resolution": "new supplier"}).status_code == 303
    assert "new supplier" in admin.get(path).text
    assert recorded(story, "alert.resolved") == before + 1
    with story.platform.database.reading() as session:
        assert session.get_one(Alert, story.alert).state == "resolved"


def test_a_resolution_needs_a_reason(admin: TestClient, story: Story) -> None:
    path = f"/console/alerts/{story.alert}"
    answer = admin.post(f"{path}/resolve", data={"resolution": ""})
    assert answer.status_code == 422
    assert "text/html" in answer.headers["content-type"]


def test_what_has_happened_already_is_said_on_a_page(admin: TestClient, story: Story) -> None:
    path = f"/console/alerts/{story.alert}"
    admin.post(f"{path}/resolve", data={"resolution": "over"})
    answer = admin.post(f"{path}/acknowledge")
    assert answer.status_code == 409
    assert "This alert is resolved" in answer.text


def test_a_running_job_is_cancelled(admin: TestClient, story: Story) -> None:
    path = f"/console/jobs/{story.running_job}"
    assert "Cancel this job" in admin.get(path).text
    assert admin.post(f"{path}/cancel").status_code == 303
    assert "Cancel this job" not in admin.get(path).text
    with story.platform.database.reading() as session:
        assert session.get_one(Job, story.running_job).state == "cancelled"


def test_another_person_approves_and_the_form_is_gone(admin: TestClient, story: Story) -> None:
    assert "Approve</button>" in admin.get("/console/approvals").text
    answer = admin.post(
        f"/console/approvals/{story.open_approval}/decide",
        data={"answer": "approve", "comment": "compared the mistakes"},
    )
    assert answer.status_code == 303
    page = admin.get("/console/approvals").text
    assert "compared the mistakes" in page
    assert "Approve</button>" not in page
    with story.platform.database.reading() as session:
        assert session.get_one(ApprovalRequest, story.open_approval).state == "approved"


def test_nobody_approves_without_the_role(browser: TestClient, story: Story) -> None:
    sign_in(browser, story.token("boss", "admin"))
    assert "Approve</button>" not in browser.get("/console/approvals").text
    answer = browser.post(
        f"/console/approvals/{story.open_approval}/decide", data={"answer": "approve"}
    )
    assert answer.status_code == 403
    assert "approval:decide was denied" in answer.text.replace("Approval:decide", "approval:decide")


def test_an_auditor_reads_everything_and_is_offered_nothing(
    browser: TestClient, story: Story
) -> None:
    sign_in(browser, story.token("auditor", "auditor"))
    paths = [
        f"/console/alerts/{story.alert}",
        f"/console/jobs/{story.running_job}",
        "/console/approvals",
        "/console/audit",
    ]
    for path in paths:
        answer = browser.get(path)
        assert answer.status_code == 200
        assert answer.text.count('method="post"') == 1  # signing out
    assert browser.post(f"/console/alerts/{story.alert}/acknowledge").status_code == 403
    assert browser.post(f"/console/jobs/{story.running_job}/cancel").status_code == 403


def test_a_form_of_another_site_changes_nothing(admin: TestClient, story: Story) -> None:
    for origin in ("https://evil.test", "null", ""):
        answer = admin.post(
            f"/console/alerts/{story.alert}/acknowledge", headers={"origin": origin}
        )
        assert answer.status_code == 403
        assert "text/html" in answer.headers["content-type"]
    with story.platform.database.reading() as session:
        assert session.get_one(Alert, story.alert).state == "open"


def test_a_denied_form_is_kept_as_a_decision(browser: TestClient, story: Story) -> None:
    sign_in(browser, story.token("auditor", "auditor"))
    browser.post(f"/console/jobs/{story.running_job}/cancel")
    page = browser.get("/console/decisions?denied=yes").text
    assert "job:cancel" in page
    assert "auditors-only-read" in page
