"""What commands print: the API's JSON exactly, or text for people that fits 80 columns."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import typer
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from bailiwick.client.shapes import ActingWaiver, Label

SHORT_ID_CHARACTERS = 8
STYLES = {
    "open": "red",
    "failed": "red",
    "rejected": "red",
    "fail": "red",
    "harm": "red",
    "running": "cyan",
    "acknowledged": "yellow",
    "drift": "yellow",
    "stopped": "yellow",
    "warn": "yellow",
    "succeeded": "green",
    "approved": "green",
    "active": "green",
    "resolved": "green",
    "ok": "green",
}


def print_json(answer: Any) -> None:
    """The API's answer, nothing added."""
    typer.echo(json.dumps(answer, ensure_ascii=False, indent=2))


def print_text(shown: RenderableType) -> None:
    """Text for people on standard output."""
    Console(highlight=False).print(shown)


def plain(value: object) -> Text:
    """A value as text: no markup, no control characters of whoever wrote it."""
    written = "".join(char if char.isprintable() else " " for char in str(value))
    return Text(written, style=STYLES.get(written, ""))


def short(identifier: str | None) -> str:
    """The end of an id, which is its random part; commands accept it in place of the whole."""
    return "-" if identifier is None else identifier[-SHORT_ID_CHARACTERS:]


def moment(time: str | None) -> str:
    """A time to the minute, UTC."""
    return "-" if time is None else time[:16].replace("T", " ")


def day(time: str) -> str:
    """The day of a time, UTC."""
    return time[:10]


def percent(ratio: float | None) -> str:
    """A ratio as a percentage."""
    return "-" if ratio is None else f"{ratio:.1%}"


def words_of(label: Label) -> str:
    """A classification label on one line."""
    sets = (label["compartments"], label["residency"], label["purposes"])
    return " / ".join([label["level"], *(", ".join(words) for words in sets if words)])


def waived(waivers: Iterable[ActingWaiver]) -> dict[str, str]:
    """A line of facts about the waivers that act, if any do."""
    told = [
        f"{'gate ' + str(one['gate']) if one['label'] is None else words_of(one['label'])} "
        f"until {moment(one['expires_at'])} (waiver {short(one['id'])})"
        for one in waivers
    ]
    return {"waived": "; ".join(told)} if told else {}


def table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    """A table; the last column takes the room that is left and folds, the others stay whole."""
    shown = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for heading in headings[:-1]:
        shown.add_column(heading, no_wrap=True, overflow="fold")
    shown.add_column(headings[-1], overflow="fold")
    for row in rows:
        shown.add_row(*map(plain, row))
    return shown


def page_table(
    page: Mapping[str, Any], headings: Sequence[str], rows: Iterable[Sequence[object]]
) -> RenderableType:
    """One page of a collection, and how to see the next one."""
    if not page["items"]:
        return Text("None that you may see.")
    following = page["next_cursor"]
    shown = table(headings, rows)
    return shown if following is None else Group(shown, Text(f"More: --cursor {following}"))


def facts(pairs: Mapping[str, object]) -> Table:
    """One thing: a name and a value a line."""
    shown = Table.grid(padding=(0, 2))
    shown.add_column(style="bold", no_wrap=True)
    shown.add_column(overflow="fold")
    for name, value in pairs.items():
        shown.add_row(name, plain("-" if value is None or value == "" else value))
    return shown


def said(template: str) -> Callable[[Any, Any], RenderableType]:
    """Shows an answer as a sentence with its fields in it."""

    def show(_: object, answer: Any) -> RenderableType:
        return plain(template.format_map(answer or {}))

    return show
