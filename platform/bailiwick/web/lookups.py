"""Finding what a route is about, in the way that tells nobody what they may not know."""

from collections.abc import Callable
from typing import TypeVar
from uuid import UUID

from sqlalchemy.orm import Session

from bailiwick.policy import Resource, Unseen
from bailiwick.web.callers import Caller

Found = TypeVar("Found")


def by_id(caller: Caller, table: type[Found], identifier: UUID) -> Found:
    """The row, or `Unseen`. The policy has yet to be asked about it."""
    row = caller.session.get(table, identifier)
    if row is None:
        raise Unseen
    return row


def by_name(caller: Caller, kind: str, name: str, find: Callable[[Session, str], Found]) -> Found:
    """What has a name of its own and no label (a channel, a group), or what `find` raises.

    The policy first: whoever may not see things of this kind learns nothing of their names.
    """
    caller.require(Resource(kind, name, None, None))
    return find(caller.session, name)
