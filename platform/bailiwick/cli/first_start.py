"""The first start of an installation: tables, and an admin whose token is shown once."""

from datetime import timedelta

from sqlalchemy import select

from bailiwick.access import Principal, create_principal, grant_role, issue_token
from bailiwick.db.migrate import upgrade
from bailiwick.lifecycle import Platform

ADMIN = "admin"


def prepare(platform: Platform) -> str | None:
    """Upgrade the tables; on an empty database make the admin and return their token."""
    upgrade(platform.database.engine)
    platform.check_continuity()
    with platform.database.transaction() as session:
        if session.scalar(select(Principal.id).limit(1)) is not None:
            return None
        at = platform.clock.now()
        scheme = platform.rules.scheme
        admin = create_principal(
            session,
            ADMIN,
            kind="person",
            clearance_level=scheme.levels[-1],
            clearance_compartments=scheme.compartments,
            actor_id=None,
            at=at,
        )
        grant_role(session, admin, "admin", actor_id=admin.id, at=at)
        max_days = platform.settings.token_max_days
        expires_at = None if max_days is None else at + timedelta(days=max_days)
        _, token = issue_token(
            session, admin, "first token", actor_id=admin.id, at=at, expires_at=expires_at
        )
    return token
