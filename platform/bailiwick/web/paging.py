"""Cursor paging: keyset on the id, which grows with time, so pages never shift."""

import base64
import binascii
from dataclasses import dataclass
from typing import Annotated, Any, Protocol, TypeVar
from uuid import UUID

from fastapi import Depends, Query
from pydantic import BaseModel
from sqlalchemy import Select
from sqlalchemy.orm import InstrumentedAttribute, Session

from bailiwick.core.errors import Invalid

Limit = Annotated[int, Query(ge=1, le=500, description="Items on a page.")]
Cursor = Annotated[
    str | None, Query(max_length=100, description="`next_cursor` of the page before.")
]


class Identified(Protocol):
    """A row with an id."""

    id: Any


Row = TypeVar("Row", bound=Identified)


class Page(BaseModel, extra="forbid"):
    """One page of a collection; `next_cursor` is null on the last one."""

    next_cursor: str | None


def page_of(
    session: Session,
    query: Select[Row],
    key: InstrumentedAttribute[UUID],
    *,
    limit: int,
    cursor: str | None,
) -> tuple[list[Row], str | None]:
    """Newest first: the items after the cursor, and the cursor of the next page."""
    if cursor is not None:
        query = query.where(key < _decode(cursor))
    rows = list(session.scalars(query.order_by(key.desc()).limit(limit + 1)).unique())
    more = len(rows) > limit
    rows = rows[:limit]
    return rows, _encode(rows[-1].id) if more else None


@dataclass(frozen=True, slots=True)
class PageAsked:
    """Which page of a collection a request asks for."""

    limit: int
    cursor: str | None

    def of(
        self, session: Session, query: Select[Row], key: InstrumentedAttribute[UUID]
    ) -> tuple[list[Row], str | None]:
        """`page_of` as it was asked for."""
        return page_of(session, query, key, limit=self.limit, cursor=self.cursor)


async def _asked(limit: Limit = 50, cursor: Cursor = None) -> PageAsked:  # async: as `callers`
    return PageAsked(limit, cursor)


Paging = Annotated[PageAsked, Depends(_asked)]


def _encode(identifier: UUID) -> str:
    return base64.urlsafe_b64encode(identifier.bytes).decode().rstrip("=")


def _decode(cursor: str) -> UUID:
    try:
        return UUID(bytes=base64.urlsafe_b64decode(cursor + "=="))
    except (ValueError, binascii.Error) as error:
        raise Invalid("this cursor was not given out here; start again without one") from error
