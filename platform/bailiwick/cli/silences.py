"""`bailiwick alert silence`: times in which nobody is told of some alerts."""

import re
from enum import StrEnum
from typing import Annotated

import typer
from rich.console import RenderableType

from bailiwick.cli.api_client import Cursor, Limit, command
from bailiwick.cli.moments import Since, Until, utc
from bailiwick.cli.output import moment, page_table, said, short
from bailiwick.cli.references import whole_id
from bailiwick.client import Bailiwick
from bailiwick.client.shapes import Page, Silence, Weekly
from bailiwick.core.errors import Invalid

CLOCK = re.compile(r"(?:[01]\d|2[0-3]):[0-5]\d")

app = typer.Typer(no_args_is_help=True, help="Times in which nobody is told of some alerts.")


class Weekday(StrEnum):
    """A day of the week."""

    MONDAY = "monday"
    TUESDAY = "tuesday"
    WEDNESDAY = "wednesday"
    THURSDAY = "thursday"
    FRIDAY = "friday"
    SATURDAY = "saturday"
    SUNDAY = "sunday"


def _silences(client: Bailiwick, page: Page[Silence]) -> RenderableType:
    rows = (
        (
            short(one["id"]),
            one["state"],
            moment(one["ends_at"]),
            _scope(client, one),
            one["reason"],
        )
        for one in page["items"]
    )
    return page_table(page, ("SILENCE", "STATE", "UNTIL", "OF", "WHY"), rows)


def _scope(client: Bailiwick, one: Silence) -> str:
    deployment = one["deployment_id"]
    place = "everywhere" if one["namespace"] == "*" else one["namespace"]
    if deployment:
        place = client.deployments.name_of(deployment)
    return f"{place}: {one['cause']}" if one["cause"] else place


@command(app, "list", show=_silences)
def list_silences(client: Bailiwick, limit: Limit = 50, cursor: Cursor = None) -> Page[Silence]:
    """Silences, newest first."""
    return client.silences.page(limit=limit, cursor=cursor)


@command(app, "create", show=said("Silent until {ends_at}; alerts are recorded as ever."))
def create(
    client: Bailiwick,
    *,
    reason: Annotated[str, typer.Option(help="Why; it is kept.")],
    until: Until,
    deployment: Annotated[str | None, typer.Option(help="Of NAMESPACE/NAME, or id.")] = None,
    namespace: Annotated[str | None, typer.Option(help="Of a namespace; * for all.")] = None,
    cause: Annotated[str | None, typer.Option(help="Only of this cause.")] = None,
    since: Since = None,
    on: Annotated[list[Weekday] | None, typer.Option(help="Weekly, on these days.")] = None,
    hours: Annotated[str | None, typer.Option(help="Weekly, BEGIN-END like 22:00-02:00.")] = None,
    zone: Annotated[str, typer.Option(help="Whose wall clock the hours are of.")] = "UTC",
    covers_policy: Annotated[
        bool, typer.Option("--covers-policy", help="Alerts of being out of policy as well.")
    ] = False,
) -> Silence:
    """Tell nobody of some alerts for a time. What still stands when it ends is told then."""
    if deployment is None and namespace is None:
        raise Invalid("say what is to be silent: --deployment NAMESPACE/NAME or --namespace NAME")
    return client.silences.create(
        deployment=deployment,
        namespace=namespace,
        cause=cause,
        reason=reason,
        ends_at=utc(until),
        starts_at=utc(since) if since else None,
        weekly=_weekly(on, hours, zone),
        covers_policy=covers_policy or None,
    )


@command(app, "end", show=said("Over."))
def end(
    client: Bailiwick,
    silence: Annotated[str, typer.Argument(help="Its id, or the end of it.")],
) -> Silence:
    """End a silence early; what it held back and still stands is told now."""
    return client.silences.end(whole_id(silence, client.silences.list(), "silence"))


def _weekly(on: list[Weekday] | None, hours: str | None, zone: str) -> Weekly | None:
    if not on and hours is None:
        return None
    if not on or hours is None:
        raise Invalid("a weekly silence takes both: --on DAY and --hours BEGIN-END")
    begins, _, ends = hours.partition("-")
    for clock in (begins, ends):
        if not CLOCK.fullmatch(clock):
            raise Invalid(f"hours read BEGIN-END, like 22:00-02:00; {hours!r} does not")
    return {"weekdays": [*map(str, on)], "begins": begins, "ends": ends, "zone": zone}
