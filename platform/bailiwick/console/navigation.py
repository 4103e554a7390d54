"""The console's sections, with what waits in each."""

from dataclasses import dataclass

from sqlalchemy import func, select

from bailiwick.console.visibility import visible_alerts, visible_approvals
from bailiwick.monitoring import Alert, AlertState
from bailiwick.policy import PLATFORM, ApprovalRequest, Resource
from bailiwick.registry import Deployment
from bailiwick.web import Caller

AUDIT_LOG = Resource("AuditLog", "audit", None, None)


@dataclass(frozen=True, slots=True)
class Section:
    """One entry; `waiting` is how many things in it want somebody's attention."""

    name: str
    title: str
    path: str
    waiting: int = 0


def navigation(caller: Caller) -> list[Section]:
    """The sections that this caller can use."""
    sections = [
        Section("overview", "Overview", "/console"),
        Section("deployments", "Deployments", "/console/deployments"),
        Section("models", "Models", "/console/models"),
        Section("datasets", "Datasets", "/console/datasets"),
        Section("alerts", "Alerts", "/console/alerts", open_alerts(caller)),
        Section("silences", "Silences", "/console/silences"),
        Section("jobs", "Jobs", "/console/jobs"),
        Section("approvals", "Approvals", "/console/approvals", open_approvals(caller)),
        Section("waivers", "Waivers", "/console/waivers"),
        Section("decisions", "Decisions", "/console/decisions"),
    ]
    if caller.may(PLATFORM, "channel:list"):
        sections.append(Section("channels", "Channels", "/console/channels"))
    if caller.may(PLATFORM, "policy:read"):
        sections.append(Section("policies", "Policies", "/console/policies"))
    if caller.may(PLATFORM, "access:review"):
        sections.append(Section("access", "Access", "/console/access"))
    if caller.may(AUDIT_LOG, "audit:read"):
        sections.append(Section("audit", "Audit log", "/console/audit"))
    return sections


def open_alerts(caller: Caller) -> int:
    """Alerts that nobody has acknowledged."""
    query = (
        select(func.count())
        .select_from(Alert)
        .join(Deployment, Deployment.id == Alert.deployment_id)
        .where(Alert.state == AlertState.OPEN, visible_alerts(caller))
    )
    return caller.session.scalar(query) or 0


def open_approvals(caller: Caller) -> int:
    """Requests that wait for an answer."""
    query = (
        select(func.count())
        .select_from(ApprovalRequest)
        .where(
            ApprovalRequest.state == "open",
            ApprovalRequest.expires_at > caller.at,
            visible_approvals(caller),
        )
    )
    return caller.session.scalar(query) or 0
