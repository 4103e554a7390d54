"""`bailiwick alert channel`: where people are told of alerts.

Addresses and secrets are asked for or read from a file, never taken from the command line, which
others on the machine can see.
"""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import RenderableType

from bailiwick.cli.api_client import Cursor, Limit, command
from bailiwick.cli.output import facts, moment, page_table, said, table
from bailiwick.client import Bailiwick
from bailiwick.client.capability import given
from bailiwick.client.shapes import Channel, Delivery, Page
from bailiwick.core.errors import Invalid

app = typer.Typer(no_args_is_help=True, help="Where people are told of alerts.")

Name = Annotated[str, typer.Argument(metavar="CHANNEL")]
Clearance = Annotated[str, typer.Option(help="Up to which level it may be told names.")]
Compartments = Annotated[list[str] | None, typer.Option("--compartment", help="And of which.")]
Namespaces = Annotated[list[str] | None, typer.Option("--namespace", help="Only of these.")]
Running = Annotated[list[str] | None, typer.Option("--deployment", help="Only NAMESPACE/NAME.")]
EscalateTo = Annotated[str | None, typer.Option(help="Hand over to this channel …")]
TargetFile = Annotated[
    Path | None,
    typer.Option(help="Holds the address and, on a second line, the secret; default: asked for."),
]
Minutes = Annotated[
    int | None,
    typer.Option("--after-minutes", min=1, max=10_080, help="… if nobody acknowledges."),
]


class Severity(StrEnum):
    """How loud an alert is."""

    NOTE = "note"
    WARNING = "warning"
    PAGE = "page"


class Kind(StrEnum):
    """How messages leave."""

    APPRISE = "apprise"
    WEBHOOK = "webhook"


Severities = Annotated[list[Severity] | None, typer.Option("--severity", help="Only these.")]


def _channels(_: Bailiwick, page: Page[Channel]) -> RenderableType:
    rows = (
        (
            one["name"],
            one["hint"],
            one["clearance_level"],
            "on" if one["enabled"] else "off",
            _takes(one),
        )
        for one in page["items"]
    )
    return page_table(page, ("CHANNEL", "WHERE", "CLEARED FOR", "IS", "TAKES"), rows)


def _takes(one: Channel) -> str:
    places = ", ".join([*one["namespaces"], *one["deployments"]]) or "everywhere"
    what = ", ".join(one["severities"]) or "what others hand over"
    return f"{what}: {'what nobody else takes' if one['is_default'] else places}"


def _channel(_: Bailiwick, one: Channel) -> RenderableType:
    handed = one["escalate_to"]
    return facts(
        {
            "name": one["name"],
            "kind": one["kind"],
            "where": one["hint"],
            "cleared for": " / ".join([one["clearance_level"], *one["clearance_compartments"]]),
            "takes": _takes(one),
            "hands over to": handed and f"{handed} after {one['escalate_after_minutes']} min",
            "enabled": "yes" if one["enabled"] else "no",
            "created": moment(one["created_at"]),
            "id": one["id"],
        }
    )


@command(app, "list", show=_channels)
def list_channels(client: Bailiwick, limit: Limit = 50, cursor: Cursor = None) -> Page[Channel]:
    """Channels, newest first."""
    return client.channels.page(limit=limit, cursor=cursor)


@command(app, "show", show=_channel)
def show(client: Bailiwick, name: Name) -> Channel:
    """A channel."""
    return client.channels.get(name)


@command(
    app, "create", show=said("Opened {name}: {hint}. Try it: bailiwick alert channel try {name}")
)
def create(
    client: Bailiwick,
    name: Name,
    kind: Annotated[Kind, typer.Option(help="How messages leave.")],
    *,
    clearance: Clearance,
    compartment: Compartments = None,
    severity: Severities = None,
    namespace: Namespaces = None,
    deployment: Running = None,
    default: Annotated[bool, typer.Option("--default", help="For what no other takes.")] = False,
    escalate_to: EscalateTo = None,
    after_minutes: Minutes = None,
    on_hand_over: Annotated[
        bool, typer.Option("--on-hand-over", help="Only what other channels hand over.")
    ] = False,
    target_file: TargetFile = None,
) -> Channel:
    """Open a channel; asks for its address and, of a webhook, its signing secret."""
    return client.channels.create(
        name,
        kind=kind,
        **_target(kind, target_file),
        clearance_level=clearance,
        clearance_compartments=compartment,
        severities=[] if on_hand_over else severity,
        namespaces=namespace,
        deployments=deployment,
        is_default=default or None,
        escalate_to=escalate_to,
        escalate_after_minutes=after_minutes,
    )


@command(app, "update", show=said("Changed {name}."))
def update(
    client: Bailiwick,
    name: Name,
    *,
    clearance: Annotated[str | None, typer.Option(help="Up to which level.")] = None,
    compartment: Compartments = None,
    severity: Severities = None,
    namespace: Namespaces = None,
    deployment: Running = None,
    default: Annotated[bool | None, typer.Option("--default/--no-default")] = None,
    escalate_to: EscalateTo = None,
    after_minutes: Minutes = None,
    enabled: Annotated[bool | None, typer.Option("--on/--off")] = None,
    readdress: Annotated[
        bool, typer.Option("--readdress", help="Ask for a new address and secret.")
    ] = False,
    target_file: TargetFile = None,
) -> Channel:
    """Change a channel; what is left out stays. Switched off, it forgets what it has not sent."""
    changes = given(
        clearance_level=clearance,
        clearance_compartments=compartment,
        severities=severity,
        namespaces=namespace,
        deployments=deployment,
        is_default=default,
        escalate_to=escalate_to,
        escalate_after_minutes=after_minutes,
        enabled=enabled,
    )
    if readdress or target_file is not None:
        changes |= _target(Kind(client.channels.get(name)["kind"]), target_file)
    if not changes:
        raise Invalid(
            "say what to change; `bailiwick alert channel update --help` lists what can be"
        )
    return client.channels.update(name, **changes)


@command(app, "try", show=said("Queued; see `bailiwick alert channel trials {channel}`."))
def try_it(client: Bailiwick, name: Name) -> Delivery:
    """Send a message that only says that the channel works."""
    return client.channels.try_it(name)


def _trials(_: Bailiwick, trials: list[Delivery]) -> RenderableType:
    rows = (
        (moment(one["created_at"]), one["state"], one["attempts"], one["last_error"] or "-")
        for one in trials
    )
    return table(("WHEN", "STATE", "TRIED", "WHAT WENT WRONG"), rows)


@command(app, "trials", show=_trials)
def list_trials(client: Bailiwick, name: Name) -> list[Delivery]:
    """What became of such messages, newest first."""
    return list(client.channels.trials(name))


def _target(kind: Kind, file: Path | None) -> dict[str, Any]:
    """The address and, of a webhook, the secret."""
    wanted = ["address"] if kind is Kind.APPRISE else ["address", "secret"]
    if file is None:
        return {name: _ask(name.capitalize()) for name in wanted}
    try:
        lines = file.read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(
            f"the file {file} cannot be read as text; check that it is there and yours to read"
        ) from error
    if len(lines) != len(wanted):
        raise Invalid(f"the file {file} must hold {' and '.join(wanted)}, each on a line")
    return dict(zip(wanted, lines, strict=True))


def _ask(what: str) -> str:
    """What is typed, unseen."""
    try:
        return str(typer.prompt(what, hide_input=True, err=True))
    except typer.Abort as error:
        raise Invalid(
            f"no {what.lower()} was typed; it can lie in a file as well (of a webhook with the "
            "secret on a second line), which --target-file names"
        ) from error
