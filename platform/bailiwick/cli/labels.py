"""Options that make a classification label."""

from typing import Annotated, Any

import typer

Level = Annotated[str, typer.Option(help="public, internal, confidential or restricted.")]
Compartments = Annotated[
    list[str] | None, typer.Option("--compartment", help="Need to know; may be repeated.")
]
Residency = Annotated[
    list[str], typer.Option("--residency", help="Zone the data may be in; may be repeated.")
]
Purposes = Annotated[
    list[str], typer.Option("--purpose", help="What it may be used for; may be repeated.")
]


def label_of(
    level: str, compartments: list[str] | None, residency: list[str], purposes: list[str]
) -> dict[str, Any]:
    """The label; its words are those of `bailiwick policy words`."""
    return {
        "level": level,
        "compartments": compartments or [],
        "residency": residency,
        "purposes": purposes,
    }
