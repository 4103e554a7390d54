"""`bailiwick dataset quarantine`: batches that nothing may learn from."""

from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType

from bailiwick.cli.api_client import command
from bailiwick.cli.output import moment, plain, table
from bailiwick.client import Bailiwick
from bailiwick.client.shapes import BatchQuarantine
from bailiwick.core.errors import Invalid

app = typer.Typer(no_args_is_help=True, help="Batches that nothing may learn from.")

DatasetName = Annotated[str, typer.Argument(metavar="NAMESPACE/NAME")]
Versions = Annotated[list[int] | None, typer.Option("--version", help="A version's number.")]
Spans = Annotated[
    list[str] | None,
    typer.Option("--span", metavar="FROM..TO", help="Days or moments (UTC), TO left out."),
]


def _shown(_: Bailiwick, one: BatchQuarantine) -> RenderableType:
    if not one["batches"]:
        return plain("Nothing is quarantined.")
    rows = [(_name(batch), batch["why"]) for batch in one["batches"]]
    rows += [(made["name"], made["why"]) for made in one["derived"]]
    told = [plain(f"Since {moment(one['made_at'])}: {one['reason']}")]
    if one["learned_by"]:
        told.append(plain(f"Learned from these before: {', '.join(one['learned_by'])}"))
    return Group(table(("BATCH", "WHY"), rows), *told)


def _name(batch: dict[str, Any]) -> str:
    if batch["version"] is not None:
        return f"v{batch['version']}"
    return f"{moment(batch['start'])} to {moment(batch['end'])}"


@command(app, "show", show=_shown)
def show(client: Bailiwick, dataset: DatasetName) -> BatchQuarantine:
    """Which batches of a dataset nothing may learn from, and why."""
    return client.datasets.quarantine(dataset)


@command(app, "add", show=_shown)
def add(
    client: Bailiwick,
    dataset: DatasetName,
    version: Versions = None,
    span: Spans = None,
    *,
    reason: Annotated[str, typer.Option(help="Why; it is kept.")],
) -> BatchQuarantine:
    """Quarantine versions and spans; what was quarantined before stays so."""
    batches = list(client.datasets.quarantine(dataset)["batches"])
    new = _batches(version, span)
    batches += [{**batch, "why": reason} for batch in new]
    return client.datasets.set_quarantine(dataset, batches, reason=reason)


@command(app, "lift", show=_shown)
def lift(
    client: Bailiwick,
    dataset: DatasetName,
    version: Versions = None,
    span: Spans = None,
    *,
    reason: Annotated[str, typer.Option(help="Why; it is kept.")],
) -> BatchQuarantine:
    """Let versions and spans be learned from again."""
    standing = {_name(batch): batch for batch in client.datasets.quarantine(dataset)["batches"]}
    for batch in _batches(version, span):
        if standing.pop(_name(batch), None) is None:
            see = f"see bailiwick dataset quarantine show {dataset}"
            raise Invalid(f"{_name(batch)} is not quarantined; {see}")
    return client.datasets.set_quarantine(dataset, list(standing.values()), reason=reason)


def _batches(versions: list[int] | None, spans: list[str] | None) -> list[dict[str, Any]]:
    if not versions and not spans:
        raise Invalid("name a --version or a --span FROM..TO")
    found: list[dict[str, Any]] = [
        {"version": number, "start": None, "end": None} for number in versions or []
    ]
    for one in spans or []:
        start, is_span, end = one.partition("..")
        if not is_span:
            raise Invalid(f"--span {one} has no end; write it as --span 2026-03-02..2026-03-05")
        found.append({"version": None, "start": _moment(start), "end": _moment(end)})
    return found


def _moment(written: str) -> str:
    """A day or a moment as the API takes it: UTC where nothing else is said."""
    text = written.strip()
    if not text[:1].isdigit():
        raise Invalid(f"{text or 'nothing'} is no day; write it as 2026-03-02, or 2026-03-02T12:00")
    if "T" not in text:
        text += "T00:00:00"
    return text if text.endswith("Z") or "+" in text else f"{text}Z"
