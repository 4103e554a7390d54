"""What the API and the console share: callers, problems, paging, entity tags, retries."""

from bailiwick.web.callers import Caller, Governed
from bailiwick.web.decision_lists import visible_decisions
from bailiwick.web.etags import Precondition, tag
from bailiwick.web.explained_decisions import ExplainedDecision, explained_decision
from bailiwick.web.job_lists import visible_backtests, visible_jobs
from bailiwick.web.lookups import by_id, by_name
from bailiwick.web.on_call import (
    governed_alert,
    governed_silence,
    resource_of_silence,
    visible_alerts,
    visible_silences,
)
from bailiwick.web.paging import Cursor, Limit, Page, Paging, page_of
from bailiwick.web.problem import Problem, from_error, install
from bailiwick.web.routes import ACTION, GovernedRoute, acts
from bailiwick.web.sessions import CONSOLE, LIFETIME, end_sessions
from bailiwick.web.visible_names import visible_names

__all__ = [
    "ACTION",
    "CONSOLE",
    "LIFETIME",
    "Caller",
    "Cursor",
    "ExplainedDecision",
    "Governed",
    "GovernedRoute",
    "Limit",
    "Page",
    "Paging",
    "Precondition",
    "Problem",
    "acts",
    "by_id",
    "by_name",
    "end_sessions",
    "explained_decision",
    "from_error",
    "governed_alert",
    "governed_silence",
    "install",
    "page_of",
    "resource_of_silence",
    "tag",
    "visible_alerts",
    "visible_backtests",
    "visible_decisions",
    "visible_jobs",
    "visible_names",
    "visible_silences",
]
