"""Lock-out: how often signing in may fail, counted in the database for all processes.

An attempt counts as failed before it is looked at and is taken back when it succeeds, so that
many at the same time are no more than one after the other. Names that do not exist are counted
like those that do.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from ipaddress import IPv6Address, ip_address

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from bailiwick.access.tables import SignInFailure
from bailiwick.core.canonical import sha256_hex
from bailiwick.core.errors import TooManyAttempts
from bailiwick.core.ids import new_id

WINDOW = timedelta(minutes=15)
LOCKED_FOR = timedelta(minutes=15)
MAX_OF_NAME, MAX_OF_ADDRESS = 5, 30
IPV6_PREFIX_BITS = 64  # what one household or host has
NAME, ADDRESS = "name", "address"


def check_attempt(session: Session, *, address: str, name: str | None, at: datetime) -> None:
    """`TooManyAttempts` while the name or the address is locked. Writes nothing."""
    for key, allowed in _limits(address, name).items():
        failures = list(
            session.scalars(
                select(SignInFailure.at)
                .where(SignInFailure.key == key, SignInFailure.at > at - WINDOW - LOCKED_FOR)
                .order_by(SignInFailure.at.desc())
                .limit(allowed)
            )
        )
        if len(failures) == allowed and failures[0] - failures[-1] < WINDOW:
            wait = (failures[0] + LOCKED_FOR - at).total_seconds()
            if wait > 0:
                raise TooManyAttempts(
                    "too many attempts to sign in have failed; try again in "
                    f"{_minutes(wait)}, or ask an administrator",
                    retry_after_seconds=int(wait) + 1,
                )


def note_attempt(session: Session, *, address: str, name: str | None, at: datetime) -> None:
    """Count an attempt that is about to be looked at; `TooManyAttempts` if it may not be made."""
    keys = _limits(address, name)
    _take_turns(session, keys)
    check_attempt(session, address=address, name=name, at=at)
    session.execute(delete(SignInFailure).where(SignInFailure.at <= at - WINDOW - LOCKED_FOR))
    session.add_all(SignInFailure(id=new_id(), key=key, at=at) for key in keys)
    session.flush()


def forgive(session: Session, *, address: str, name: str | None, at: datetime) -> None:
    """The attempt noted at `at` was right: its name begins anew, its address loses that one.

    An address keeps its other failures, so that one good account does not buy more guesses.
    """
    if name is not None:
        forgive_name(session, name)
    noted = select(SignInFailure.id).where(
        SignInFailure.key == _key(ADDRESS, _network(address)), SignInFailure.at == at
    )
    session.execute(delete(SignInFailure).where(SignInFailure.id.in_(noted.limit(1))))


def forgive_name(session: Session, name: str) -> None:
    """Whoever is called so may try again at once."""
    session.execute(delete(SignInFailure).where(SignInFailure.key == _key(NAME, name)))


def _limits(address: str, name: str | None) -> dict[str, int]:
    limits = {_key(ADDRESS, _network(address)): MAX_OF_ADDRESS}
    return limits if name is None else limits | {_key(NAME, name): MAX_OF_NAME}


def _take_turns(session: Session, keys: Iterable[str]) -> None:
    """Until this transaction ends, nobody else notes an attempt of these (SQLite: one writer)."""
    if session.get_bind().dialect.name == "postgresql":
        for key in sorted(keys):
            turn = int.from_bytes(bytes.fromhex(key[:16]), signed=True)
            session.execute(select(func.pg_advisory_xact_lock(turn)))


def _network(address: str) -> str:
    try:
        known = ip_address(address)
    except ValueError:
        return address
    if isinstance(known, IPv6Address):
        return str(known.ipv4_mapped or int(known) >> (128 - IPV6_PREFIX_BITS))
    return str(known)


def _key(kind: str, value: str) -> str:
    return sha256_hex(f"sign-in {kind} {value.strip().lower()}".encode())


def _minutes(seconds: float) -> str:
    minutes = -(-int(seconds) // 60)
    return f"{minutes} minutes" if minutes > 1 else "a minute"
