"""`/access-review`: who could do what on what, as of any moment, and who used it."""

import base64
import binascii
import csv
import io
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Header, Query, Response
from pydantic import AwareDatetime
from sqlalchemy import func, select

from bailiwick.access import Holding, Token, access_review
from bailiwick.api.schemas import Schema
from bailiwick.core.errors import Invalid
from bailiwick.policy import PLATFORM, uses_of
from bailiwick.web import Cursor, Governed, GovernedRoute, Limit, Page, acts

router = APIRouter(prefix="/access-review", tags=["access"], route_class=GovernedRoute)
CSV = "text/csv"
CSV_PAGE = 500
USED = ("uses", "last_used_at", "token_last_used_at")
START = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
Key = tuple[UUID, UUID]


class HoldingOut(Schema):
    """A role that a principal held, how it came by it, and what it did with it.

    `group` and `member_since` are null for a role of its own, `object` for a whole namespace.
    `uses` are what the policy allowed the principal in that namespace, up to the moment; reading
    is dated to the hour. `token_last_used_at` is what is known today.
    """

    principal_id: UUID
    principal: str
    kind: str
    disabled: bool
    clearance_level: str
    clearance_compartments: list[str]
    role: str
    namespace: str
    object: str | None
    group: str | None
    member_since: datetime | None
    granted_by: str
    granted_at: datetime
    uses: int
    last_used_at: datetime | None
    token_last_used_at: datetime | None


class AccessReviewPage(Page):
    """What was held at a moment, principal by principal."""

    at: datetime
    items: list[HoldingOut]


@router.get(
    "",
    response_model=AccessReviewPage,
    responses={200: {"content": {CSV: {"schema": {"type": "string"}}}}},
    **acts("access:review"),
)
def review(
    caller: Governed,
    at: Annotated[AwareDatetime | None, Query(description="The moment; default: now.")] = None,
    namespace: Annotated[
        str | None, Query(description="Only what works there, roles in `*` included.")
    ] = None,
    format: Annotated[  # noqa: A002 - the public name of the parameter
        Literal["json", "csv"] | None,
        Query(description="`csv`: the whole report, not paged; so does `Accept: text/csv`."),
    ] = None,
    accept: Annotated[str, Header(include_in_schema=False)] = "",
    limit: Limit = 50,
    cursor: Cursor = None,
) -> AccessReviewPage | Response:
    """Who held which role where at a moment, through which grant or group, and used it how much."""
    caller.require(PLATFORM)
    moment, after = _decode(cursor) if cursor else (at or caller.at, None)
    if moment > caller.at:
        raise Invalid("the review answers for moments that have been; give an earlier `at`")
    if format == "csv" or (format is None and CSV in accept):
        return Response(_csv(_whole(caller, moment, namespace)), media_type=CSV)
    rows = access_review(
        caller.session, at=moment, namespace=namespace, after=after, limit=limit + 1
    )
    following = _encode(moment, rows[limit - 1].key) if len(rows) > limit else None
    items = _shown(caller, rows[:limit], moment)
    return AccessReviewPage(at=moment, items=items, next_cursor=following)


def _whole(caller: Governed, at: datetime, namespace: str | None) -> Iterator[HoldingOut]:
    after: Key | None = None
    while rows := access_review(
        caller.session, at=at, namespace=namespace, after=after, limit=CSV_PAGE
    ):
        yield from _shown(caller, rows, at)
        after = rows[-1].key


def _shown(caller: Governed, rows: Sequence[Holding], at: datetime) -> list[HoldingOut]:
    """Rows with their use, in three queries however many they are."""
    who = {row.principal_id for row in rows}
    uses = uses_of(caller.session, who, at=at)
    tokens = dict(
        caller.session.execute(
            select(Token.principal_id, func.max(Token.last_used_at))
            .where(Token.principal_id.in_(who))
            .group_by(Token.principal_id)
        ).all()
    )
    fields = set(HoldingOut.model_fields) - {"object", *USED}

    def one(row: Holding) -> HoldingOut:
        use = uses.of(row.principal_id, row.namespace)
        return HoldingOut(
            **{field: getattr(row, field) for field in fields},
            object=row.object or None,
            uses=use.times,
            last_used_at=use.last,
            token_last_used_at=tokens.get(row.principal_id),
        )

    return list(map(one, rows))


def _csv(rows: Iterator[HoldingOut]) -> str:
    """RFC 4180. Names are slugs, so no cell can begin a formula."""
    sheet = io.StringIO()
    writer = csv.DictWriter(sheet, list(HoldingOut.model_fields))
    writer.writeheader()
    for row in rows:
        cells = row.model_dump(mode="json")
        writer.writerow(cells | {"clearance_compartments": " ".join(row.clearance_compartments)})
    return sheet.getvalue()


def _encode(at: datetime, key: Key) -> str:
    """Where to go on, and for which moment: all pages of a report are about the same one."""
    moment = ((at - START) // MICROSECOND).to_bytes(8, "big", signed=True)
    return base64.urlsafe_b64encode(moment + key[0].bytes + key[1].bytes).decode().rstrip("=")


def _decode(cursor: str) -> tuple[datetime, Key]:
    try:
        raw = base64.urlsafe_b64decode(cursor + "==")
        moment = START + int.from_bytes(raw[:8], "big", signed=True) * MICROSECOND
        return moment, (UUID(bytes=raw[8:24]), UUID(bytes=raw[24:]))
    except (ValueError, OverflowError, binascii.Error) as error:
        raise Invalid("this cursor was not given out here; start again without one") from error
