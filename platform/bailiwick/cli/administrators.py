"""Who answers for a command that works on the installation itself, past the API."""

from uuid import UUID

from sqlalchemy.orm import Session

from bailiwick.access import EVERY_NAMESPACE, find_principal, roles_of
from bailiwick.core.errors import Denied

ADMIN = "admin"


def administrator(session: Session, name: str) -> UUID:
    """The id of that administrator; `Denied` for anybody else.

    Whoever can run such a command holds the installation's keys already, so the administrator is
    named, not asked.
    """
    found = find_principal(session, name)
    if ADMIN not in roles_of(session, found.id).get(EVERY_NAMESPACE, ()):
        raise Denied(f"{name} does not administer the platform; name somebody who does")
    return found.id
