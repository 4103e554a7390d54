"""Which decisions a list shows, and which can be read by their id."""

from sqlalchemy import ColumnElement, and_, or_

from bailiwick.policy import AUDIT_LOG, Decision, DecisionCount
from bailiwick.web.callers import Caller


def visible_decisions(
    caller: Caller, table: type[Decision] | type[DecisionCount] = Decision
) -> ColumnElement[bool]:
    """Decisions about what the caller may see, and their own about what has no label.

    `table`: the decisions themselves, or the counts of those that are not kept one by one.
    A denial that hid something stays hidden from whom it hid it: it would tell that it exists.
    Others' decisions about unlabelled things (people, tokens) are for those who read the log.
    """
    seen = caller.visible("Decision", table.namespace, table.label_id, action="decision:read")
    own = table.principal_id == caller.principal_id
    unlabelled = table.label_id.is_(None)
    oversees = caller.may(AUDIT_LOG, "audit:read")
    return or_(seen, unlabelled if oversees else and_(own, unlabelled))
