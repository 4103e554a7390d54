"""From what an OpenID provider claims to a principal of ours.

The pair of issuer and subject is who somebody is; names are only names, so nobody becomes a
principal that is there already by being called like it.
"""

import re
import unicodedata
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from bailiwick.access.groups import sync_claimed_groups
from bailiwick.access.oidc import Claims
from bailiwick.access.principals import create_principal
from bailiwick.access.tables import Identity, Principal
from bailiwick.audit.log import record
from bailiwick.core.canonical import digest_of
from bailiwick.core.errors import Unauthenticated
from bailiwick.core.ids import new_id

MAX_SLUG_LENGTH = 90  # room for the number that makes it unique
NAMELESS = "person"


def known_person(session: Session, claims: Claims) -> Principal | None:
    """Who that is, if nothing about them has to be written first; for sessions that only read.

    Raises `Unauthenticated` for somebody who is disabled.
    """
    found = _find(session, claims)
    if found is None:
        return None
    principal, identity = found
    _check_enabled(principal)
    return None if _is_news(identity, claims) else principal


def admit(session: Session, claims: Claims, *, clearance_level: str, at: datetime) -> Principal:
    """Who that is: made a principal at their first sign-in, their groups brought in line.

    Whoever is new may see `clearance_level` and holds no role but those of the groups. Claims
    that are older than the newest ones followed change nothing, so that an old token does not
    bring back a group that was left (claims issued within one second are not told apart).
    Raises `Unauthenticated` for somebody who is disabled.
    """
    found = _find(session, claims)
    if found is None:
        principal = create_principal(
            session,
            _unused_name(session, claims.name),
            kind="person",
            clearance_level=clearance_level,
            actor_id=None,
            at=at,
        )
        identity = _link(session, principal, claims, at)
    else:
        principal, identity = found
        _check_enabled(principal)
        if not _is_news(identity, claims):
            return principal
        identity.claims_at, identity.claims_digest = claims.issued_at, _digest(claims)
    sync_claimed_groups(session, principal, claims.groups, actor_id=principal.id, at=at)
    return principal


def _find(session: Session, claims: Claims) -> tuple[Principal, Identity] | None:
    row = session.execute(
        select(Principal, Identity)
        .join(Identity, Identity.principal_id == Principal.id)
        .where(Identity.issuer == claims.issuer, Identity.subject == claims.subject)
    ).first()
    return None if row is None else (row[0], row[1])


def _link(session: Session, principal: Principal, claims: Claims, at: datetime) -> Identity:
    identity = Identity(
        id=new_id(),
        principal_id=principal.id,
        issuer=claims.issuer,
        subject=claims.subject,
        claims_at=claims.issued_at,
        claims_digest=_digest(claims),
        created_at=at,
    )
    session.add(identity)
    session.flush()
    record(
        session,
        "identity.linked",
        subject_type="principal",
        subject_id=principal.id,
        actor_id=principal.id,
        at=at,
        # The subject's digest: some providers use an e-mail address as subject.
        details={"issuer": claims.issuer, "subject_digest": digest_of(claims.subject)},
    )
    return identity


def _is_news(identity: Identity, claims: Claims) -> bool:
    if claims.issued_at == identity.claims_at:
        return _digest(claims) != identity.claims_digest
    return claims.issued_at > identity.claims_at


def _digest(claims: Claims) -> str:
    return digest_of(sorted(claims.groups))


def _check_enabled(principal: Principal) -> None:
    if principal.disabled_at is not None:
        raise Unauthenticated(
            "the OpenID provider knows you, but you are disabled here; ask an administrator"
        )


def _unused_name(session: Session, wanted: str) -> str:
    slug = _slug(wanted)
    taken = set(
        session.scalars(
            select(Principal.name).where(Principal.name.startswith(slug, autoescape=True))
        )
    )
    number, name = 1, slug
    while name in taken:
        number += 1
        name = f"{slug}-{number}"
    return name


def _slug(name: str) -> str:
    """The name as a name of ours: what is no letter, digit or dot becomes a hyphen."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9._]+", "-", plain)[:MAX_SLUG_LENGTH].strip("._-") or NAMELESS
