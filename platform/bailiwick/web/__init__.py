"""What the API and the console share: callers, problems, paging, entity tags, retries."""

from bailiwick.web.callers import Caller, Governed
from bailiwick.web.etags import Precondition, tag
from bailiwick.web.paging import Cursor, Limit, Page, page_of
from bailiwick.web.problem import Problem, from_error, install
from bailiwick.web.routes import ACTION, GovernedRoute, acts
from bailiwick.web.sessions import COOKIE, LIFETIME, session_principal, sign_in, sign_out

__all__ = [
    "ACTION",
    "COOKIE",
    "LIFETIME",
    "Caller",
    "Cursor",
    "Governed",
    "GovernedRoute",
    "Limit",
    "Page",
    "Precondition",
    "Problem",
    "acts",
    "from_error",
    "install",
    "page_of",
    "session_principal",
    "sign_in",
    "sign_out",
    "tag",
]
