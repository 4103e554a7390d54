"""`bailiwick dataset label|relabel|impact`: where a label comes from, and raising it."""

from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from bailiwick.cli.api_client import command
from bailiwick.cli.labels import Compartments
from bailiwick.cli.output import facts, moment, plain, table, words_of
from bailiwick.client import Bailiwick
from bailiwick.client.shapes import (
    Label,
    LabelExplained,
    LabelPart,
    Relabelled,
    WhatIf,
)

app = typer.Typer()

DatasetOrVersion = Annotated[str, typer.Argument(metavar="NAMESPACE/NAME[@VERSION]")]
NewLevel = Annotated[str | None, typer.Option("--level", help="As high as the old one, or more.")]
NewZones = Annotated[
    list[str] | None, typer.Option("--residency", help="A zone left to it; may be repeated.")
]
NewPurposes = Annotated[
    list[str] | None, typer.Option("--purpose", help="A purpose left to it; may be repeated.")
]
UNSEEN = "an input that you may not see"


def explained(_: Bailiwick, found: LabelExplained) -> RenderableType:
    """A label with the source of each part."""
    lines = ["", "Where it comes from:"]
    for one in found["parts"]:
        lines += [f"  {_part(one)}", f"      {_said(one)}", f"      {_way(one)}"]
    if found["moves"]:
        lines += ["", "How it rose:"]
    for move in found["moves"]:
        lines += [f"  {moment(move['at'])} from {words_of(move['old'])}", f"      {move['reason']}"]
    label = _words(found["label"], sealed=found["sealed"])
    return Group(facts({"label": label}), *map(plain, lines))


def _part(one: LabelPart) -> str:
    kinds = {"residency": "not in ", "purpose": "not for "}
    return kinds.get(one["part"], f"{one['part']} ") + ", ".join(one["names"])


def _said(one: LabelPart) -> str:
    source = one["source"]
    if source is None:
        return UNSEEN if one["unseen"] else "was there when it was registered"
    version = "" if source["version"] is None else f"@{source['version']}"
    why = f": {source['reason']}" if source["reason"] else ""
    return f"{source['dataset']}{version}, {moment(source['at'])}{why}"


def _way(one: LabelPart) -> str:
    unseen = [f"{one['unseen']} x {UNSEEN}"] if one["unseen"] else []
    return " > ".join([*unseen, *one["path"]]) or "-"


def _words(label: Label, *, sealed: bool) -> str:
    return words_of(label) + (" (sealed: nothing may be done with it)" if sealed else "")


def _relabelled(_: Bailiwick, done: Relabelled) -> RenderableType:
    if done["cause_id"] is None:
        return plain(f"It is {words_of(done['old'])} already: nothing changed.")
    moved = ", ".join(f"{count} {kind}" for kind, count in sorted(done["moved"].items()))
    shown: list[RenderableType] = [
        plain(f"It is {words_of(done['new'])} now. Labels that rose: {moved}."),
    ]
    if done["sealed"]:
        shown.append(plain(f"{done['sealed']} of them allow nothing any more (sealed)."))
    if done["breaches"] or done["unseen_breaches"]:
        rows = (
            (one["deployment"], moment(one["stop_at"]), ", ".join(one["policy_ids"]))
            for one in done["breaches"]
        )
        shown += [Text(), table(("OUT OF POLICY", "STOPS", "POLICIES"), rows)]
    if done["unseen_breaches"]:
        shown.append(plain(f"and {done['unseen_breaches']} that you may not see"))
    return Group(*shown)


def _what_if(_: Bailiwick, found: WhatIf) -> RenderableType:
    rows = (
        (one["type"], one["name"], f"{words_of(one['old'])} > {words_of(one['new'])}")
        for one in found["rises"]
    )
    broken = (
        (one["deployment"], ", ".join(one["policy_ids"]), one["reason"])
        for one in found["out_of_policy"]
    )
    hidden = found["unseen_rises"], found["unseen_out_of_policy"]
    shown: list[RenderableType] = [table(("WOULD RISE", "NAME", "LABEL"), rows)]
    if found["out_of_policy"]:
        shown += [Text(), table(("OUT OF POLICY", "POLICIES", "WHY"), broken)]
    else:
        shown += [Text(), plain("No deployment that you may see would be out of policy.")]
    if any(hidden):
        shown.append(plain(f"Not shown: {hidden[0]} rises, {hidden[1]} deployments out of policy."))
    return Group(*shown)


@command(app, "label", show=explained)
def label(client: Bailiwick, dataset: DatasetOrVersion) -> LabelExplained:
    """Where the label of a dataset, or of one version, comes from, and how it has moved."""
    return client.labels.of_dataset(dataset)


@command(app, "relabel", show=_relabelled)
def relabel(
    client: Bailiwick,
    dataset: DatasetOrVersion,
    reason: Annotated[str, typer.Option(help="Why it rises; it is kept.")],
    level: NewLevel = None,
    compartment: Compartments = None,
    residency: NewZones = None,
    purpose: NewPurposes = None,
) -> Relabelled:
    """Raise the label, and with it those of all that was made from it.

    What is not given stays as it is; compartments are added. See `impact` for what it does.
    """
    new = _new(client.labels.of_dataset(dataset)["label"], level, compartment, residency, purpose)
    return client.labels.raise_dataset(dataset, new, reason=reason)


@command(app, "impact", show=_what_if)
def impact(
    client: Bailiwick,
    dataset: DatasetOrVersion,
    level: NewLevel = None,
    compartment: Compartments = None,
    residency: NewZones = None,
    purpose: NewPurposes = None,
) -> WhatIf:
    """What raising the label would raise, and which deployments it would put out of policy."""
    old = client.labels.of_dataset(dataset)["label"]
    new = _new(old, level, compartment, residency, purpose)
    return client.labels.what_if(dataset, **new)


def _new(
    old: Label,
    level: str | None,
    compartments: list[str] | None,
    residency: list[str] | None,
    purposes: list[str] | None,
) -> Label:
    return Label(
        level=level or old["level"],
        compartments=sorted({*old["compartments"], *(compartments or [])}),
        residency=residency or old["residency"],
        purposes=purposes or old["purposes"],
    )
