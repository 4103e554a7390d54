"""`bailiwick monitor`: what is watched, and what the checks found."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import RenderableType

from bailiwick.cli import labelled, traffic
from bailiwick.cli.api_client import Cursor, Limit, command
from bailiwick.cli.output import day, facts, moment, page_table, percent, said, short
from bailiwick.cli.references import deployment_names, of_deployment
from bailiwick.cli.traffic import DeploymentName
from bailiwick.client import Bailiwick
from bailiwick.client.shapes import Check, Monitor, Page
from bailiwick.core.errors import Invalid
from bailiwick.core.sentences import headline

app = typer.Typer(no_args_is_help=True, help="What is watched, and what the checks found.")
app.add_typer(traffic.app, name="traffic")
app.add_typer(labelled.app, name="labels")

MonitorName = Annotated[
    str, typer.Argument(metavar="MONITOR", help="NAMESPACE/NAME of its deployment, or its id.")
]
WindowDays = Annotated[int | None, typer.Option(min=1, help="Traffic a check looks at.")]
MinRows = Annotated[int | None, typer.Option(min=1, help="Fewer rows prove nothing.")]
Drop = Annotated[
    float | None, typer.Option(help="0.05: five points below the reference is an alert.")
]
FalseAlarms = Annotated[
    float | None, typer.Option(help="At most so many false alarms a year; fewer means later.")
]
ChangeSd = Annotated[
    float | None, typer.Option(help="Smallest change worth waking somebody for, in deviations.")
]
ChangeShare = Annotated[float | None, typer.Option(help="The same for shares: 0.05 is 5 points.")]
WindowHours = Annotated[
    int | None, typer.Option(help="Length of a window; 0, the default: as the traffic needs.")
]
Zone = Annotated[str | None, typer.Option(help="Where the day begins, like Europe/Berlin.")]
ChangeRequests = Annotated[
    float | None,
    typer.Option(help="Watch their number too: 0.5 is half as many again; 0, the default: not."),
]
BaselineDays = Annotated[
    int | None, typer.Option(help="Make the baseline anew so often; 0, the default: never.")
]
LabelAlarms = Annotated[
    float | None, typer.Option(help="The labels' share of the false alarms; 0: not watched.")
]
CostsFile = Annotated[
    Path | None,
    typer.Option(
        "--costs",
        exists=True,
        dir_okay=False,
        help="JSON file: what a request costs, by true label and answer.",
    ),
]
AlarmsBy = Annotated[str | None, typer.Option(help="windows (default), or checks: thresholds.")]


def _monitors(client: Bailiwick, page: Page[Monitor]) -> RenderableType:
    names = deployment_names(client, page)
    rows = (
        (
            names[one["deployment_id"]],
            short(one["id"]),
            "on" if one["enabled"] else "off",
            f"{one['window_days']} days",
            f"{one['min_rows']:,}",
            ", ".join(statistic["column"] for statistic in one["statistics"]),
        )
        for one in page["items"]
    )
    return page_table(page, ("DEPLOYMENT", "MONITOR", "IS", "WINDOW", "ROWS FROM", "WATCHES"), rows)


def _monitor(client: Bailiwick, one: Monitor) -> RenderableType:
    tests = {
        f"  {test['column']}": f"{test['test']} from {test['threshold']:g}"
        for test in one["statistics"]
    }
    return facts(
        {
            "deployment": client.deployments.name_of(one["deployment_id"]),
            "is": "on" if one["enabled"] else "off",
            "window": f"{one['window_days']} days",
            "needs": f"{one['min_rows']:,} rows",
            "accuracy may drop": percent(one["max_accuracy_drop"]),
            "alarms by": one["alarms_by"],
            "false alarms": f"{one['false_alarms_per_year']:g} a year at most",
            "smallest change": f"{one['smallest_change_sd']:g} sd, "
            f"{percent(one['smallest_change_share'])} of rows",
            "judged window": f"{one['window_hours']} h" if one["window_hours"] else "as needed",
            "requests": f"{percent(one['smallest_change_requests'])} more or less"
            if one["smallest_change_requests"]
            else "watched for staying away",
            "zone": one["zone"],
            "baseline": f"made anew every {one['baseline_days']} days"
            if one["baseline_days"]
            else "stands",
            "of them by labels": percent(one["label_alarms_ratio"]),
            "costs": f"of {len(one['costs'])} labels" if one["costs"] else "",
            "tests": len(tests),
            **tests,
            "created": moment(one["created_at"]),
            "id": one["id"],
        }
    )


def _checks(_: Bailiwick, page: Page[Check]) -> RenderableType:
    rows = (
        (
            day(one["window_end"]),
            one["verdict"],
            f"{one['rows']:,}",
            percent(one["accuracy"]),
            headline(one["sentence"]),
        )
        for one in page["items"]
    )
    return page_table(page, ("TO", "VERDICT", "ROWS", "ACCURACY", "FOUND"), rows)


@command(app, "list", show=_monitors)
def list_monitors(client: Bailiwick, limit: Limit = 50, cursor: Cursor = None) -> Page[Monitor]:
    """Monitors, newest first."""
    return client.monitors.page(limit=limit, cursor=cursor)


@command(app, "show", show=_monitor)
def show_monitor(client: Bailiwick, monitor: MonitorName) -> Monitor:
    """A monitor and its tests."""
    return client.monitors.get(_id(client, monitor))


@command(app, "create", show=_monitor)
def create(
    client: Bailiwick,
    deployment: DeploymentName,
    *,
    acts_as: Annotated[str, typer.Option(help="Service principal that runs the checks.")],
    cron: Annotated[str | None, typer.Option(help="When: five fields, UTC.")] = None,
    window_days: WindowDays = None,
    min_rows: MinRows = None,
    max_accuracy_drop: Drop = None,
    alarms_by: AlarmsBy = None,
    false_alarms_per_year: FalseAlarms = None,
    smallest_change_sd: ChangeSd = None,
    smallest_change_share: ChangeShare = None,
    window_hours: WindowHours = None,
    zone: Zone = None,
    baseline_days: BaselineDays = None,
    smallest_change_requests: ChangeRequests = None,
    label_alarms_ratio: LabelAlarms = None,
    costs: CostsFile = None,
) -> Monitor:
    """Watch a deployment: its traffic all the time, its labels on a schedule."""
    return client.monitors.create(
        deployment,
        acts_as=acts_as,
        cron=cron,
        window_days=window_days,
        min_rows=min_rows,
        max_accuracy_drop=max_accuracy_drop,
        alarms_by=alarms_by,
        false_alarms_per_year=false_alarms_per_year,
        smallest_change_sd=smallest_change_sd,
        smallest_change_share=smallest_change_share,
        window_hours=window_hours or None,
        zone=zone,
        baseline_days=baseline_days or None,
        smallest_change_requests=smallest_change_requests or None,
        label_alarms_ratio=label_alarms_ratio,
        costs=_costs(costs),
    )


@command(app, "set", show=_monitor)
def change(
    client: Bailiwick,
    monitor: MonitorName,
    *,
    window_days: WindowDays = None,
    min_rows: MinRows = None,
    max_accuracy_drop: Drop = None,
    alarms_by: AlarmsBy = None,
    false_alarms_per_year: FalseAlarms = None,
    smallest_change_sd: ChangeSd = None,
    smallest_change_share: ChangeShare = None,
    window_hours: WindowHours = None,
    zone: Zone = None,
    baseline_days: BaselineDays = None,
    smallest_change_requests: ChangeRequests = None,
    label_alarms_ratio: LabelAlarms = None,
    costs: CostsFile = None,
) -> Monitor:
    """Change how a deployment is watched; what is not named stays."""
    named = {
        "window_days": window_days,
        "min_rows": min_rows,
        "max_accuracy_drop": max_accuracy_drop,
        "alarms_by": alarms_by,
        "false_alarms_per_year": false_alarms_per_year,
        "smallest_change_sd": smallest_change_sd,
        "smallest_change_share": smallest_change_share,
        "window_hours": window_hours,
        "zone": zone,
        "baseline_days": baseline_days,
        "smallest_change_requests": smallest_change_requests,
        "label_alarms_ratio": label_alarms_ratio,
        "costs": _costs(costs),
    }
    changes: dict[str, Any] = {name: one for name, one in named.items() if one is not None}
    for name in ("window_hours", "baseline_days", "smallest_change_requests"):
        if named[name] == 0:
            changes[name] = None
    if not changes:
        raise Invalid("say what to change; `bailiwick monitor set --help` lists what can be")
    return client.monitors.update(_id(client, monitor), **changes)


def _costs(file: Path | None) -> Any:
    """The matrix in a file; the server says whether it is one."""
    if file is None:
        return None
    try:
        return json.loads(file.read_text("utf-8"))
    except ValueError as error:
        raise Invalid(f"{file.name} is no JSON; correct it") from error


@command(app, "pause", show=said("The monitor is off."))
def pause(client: Bailiwick, monitor: MonitorName) -> Monitor:
    """Check no more until it is resumed."""
    return client.monitors.update(_id(client, monitor), enabled=False)


@command(app, "resume", show=said("The monitor is on."))
def resume(client: Bailiwick, monitor: MonitorName) -> Monitor:
    """Check again."""
    return client.monitors.update(_id(client, monitor), enabled=True)


@command(app, "checks", show=_checks)
def list_checks(
    client: Bailiwick, deployment: DeploymentName, limit: Limit = 20, cursor: Cursor = None
) -> Page[Check]:
    """What the checks of a deployment found, newest first."""
    return client.monitors.checks_page(deployment, limit=limit, cursor=cursor)


def _id(client: Bailiwick, reference: str) -> str:
    return of_deployment(client, reference, client.monitors.list(), "monitor")
