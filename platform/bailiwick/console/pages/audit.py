"""The audit log, and the mark that says whether it verifies."""

import json
import time
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request, Response
from sqlalchemy import func, select

from bailiwick.access import names_of
from bailiwick.audit import AuditEvent, LogReport, newest_checkpoint, verify_log
from bailiwick.console.navigation import AUDIT_LOG
from bailiwick.console.rendering import page
from bailiwick.console.routing import GovernedPage
from bailiwick.web import Caller, Cursor, Governed, acts, page_of

EVENTS_PER_PAGE = 50
# A whole log is recomputed for the mark: an unchanged tree is looked at again only after this.
FRESH_SECONDS = 60.0

router = APIRouter(prefix="/console", include_in_schema=False, route_class=GovernedPage)


@dataclass(frozen=True, slots=True)
class EventRow:
    """An event as the page shows it."""

    event: AuditEvent
    actor: str
    details: dict[str, Any]


@router.get("/audit", **acts("audit:read"))
def audit_log(
    request: Request,
    caller: Governed,
    cursor: Cursor = None,
    action: str = "",
    subject: str = "",
) -> Response:
    """Events, newest first; `subject` is a type (`alert`) or an id."""
    caller.require(AUDIT_LOG)
    query = select(AuditEvent)
    if action:
        query = query.where(AuditEvent.action == action)
    if subject:
        query = query.where(
            (AuditEvent.subject_type == subject) | (AuditEvent.subject_id == subject)
        )
    events, following = page_of(
        caller.session, query, AuditEvent.id, limit=EVENTS_PER_PAGE, cursor=cursor
    )
    names = names_of(caller.session, [event.actor_id for event in events])
    actions = select(AuditEvent.action).group_by(AuditEvent.action).order_by(AuditEvent.action)
    return page(
        request,
        caller,
        "audit.html",
        title="Audit log",
        section="audit",
        rows=[
            EventRow(event, names[event.actor_id], json.loads(event.body)["details"])
            for event in events
        ],
        following=following,
        action=action,
        subject=subject,
        actions=caller.session.scalars(actions).all(),
        log=verification(request, caller),
    )


def verification(request: Request, caller: Caller) -> LogReport:
    """The log verified anew, or the report about this very tree of up to a minute ago."""
    newest = newest_checkpoint(caller.session)
    events = caller.session.scalar(select(func.count()).select_from(AuditEvent))
    tree = (newest.root if newest else None, events)
    kept = getattr(request.app.state, "console_verification", None)
    now = time.monotonic()
    if kept is not None and kept[0] == tree and now - kept[1] < FRESH_SECONDS:
        report: LogReport = kept[2]
        return report
    report = verify_log(caller.session, caller.platform.signer().verifier)
    request.app.state.console_verification = (tree, now, report)
    return report
