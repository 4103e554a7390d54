"""Who can do what, and who did: the access review, for any moment that has been."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from sqlalchemy import func, select

from bailiwick.access import Group, GroupMembership, Holding, RoleBinding, access_review
from bailiwick.console.rendering import page
from bailiwick.console.routing import GovernedPage
from bailiwick.core.errors import Invalid
from bailiwick.policy import PLATFORM, Use, uses_of
from bailiwick.web import Caller, Governed, acts

router = APIRouter(prefix="/console", include_in_schema=False, route_class=GovernedPage)
SHOWN = 500


@dataclass(frozen=True, slots=True)
class HoldingRow:
    """A role that somebody held, and what became of it."""

    holding: Holding
    use: Use

    @property
    def place(self) -> str:
        """Where the role is held, in words."""
        if self.holding.object:
            return f"{self.holding.namespace}/{self.holding.object}"
        return "everywhere" if self.holding.namespace == "*" else self.holding.namespace

    @property
    def is_idle(self) -> bool:
        """Whether nothing was ever done with it: a candidate for taking it away."""
        return not self.use.times and not self.holding.disabled


@dataclass(frozen=True, slots=True)
class GroupRow:
    """A group with what it gives, and to how many."""

    group: Group
    members: int
    roles: tuple[str, ...]


@router.get("/access", **acts("access:review"))
def access(
    request: Request,
    caller: Governed,
    on: Annotated[str, Query(max_length=10)] = "",
    namespace: Annotated[str, Query(max_length=200)] = "",
) -> Response:
    """Every role that was held at the end of a day, and the groups of today."""
    caller.require(PLATFORM)
    at = _end_of(on, caller.at)
    held = access_review(caller.session, at=at, namespace=namespace or None, limit=SHOWN + 1)
    uses = uses_of(caller.session, {one.principal_id for one in held}, at=at)
    return page(
        request,
        caller,
        "access.html",
        title="Access",
        section="access",
        rows=[HoldingRow(one, uses.of(one.principal_id, one.namespace)) for one in held[:SHOWN]],
        cut=len(held) > SHOWN,
        at=at,
        on=on,
        namespace=namespace,
        groups=_groups(caller),
    )


def _end_of(day: str, now: datetime) -> datetime:
    """The last moment of a day as a form sends it, never later than now."""
    if not day:
        return now
    try:
        last = datetime.strptime(day, "%Y-%m-%d").replace(hour=23, minute=59, tzinfo=UTC)
    except ValueError as error:
        raise Invalid(f"{day!r} is not a day; write it like 2026-01-31") from error
    return min(last, now)


def _groups(caller: Caller) -> list[GroupRow]:
    """Today's groups, in three queries however many they are."""
    session = caller.session
    members = dict(
        session.execute(
            select(GroupMembership.group_id, func.count())
            .where(GroupMembership.until.is_(None))
            .group_by(GroupMembership.group_id)
        ).all()
    )
    given: dict[object, list[str]] = {}
    for binding in session.scalars(
        select(RoleBinding).where(
            RoleBinding.group_id.is_not(None), RoleBinding.revoked_at.is_(None)
        )
    ):
        place = f"{binding.namespace}/{binding.object}" if binding.object else binding.namespace
        given.setdefault(binding.group_id, []).append(f"{binding.role} in {place}")
    groups = session.scalars(select(Group).order_by(Group.name))
    return [
        GroupRow(group, members.get(group.id, 0), tuple(sorted(given.get(group.id, ()))))
        for group in groups
    ]
