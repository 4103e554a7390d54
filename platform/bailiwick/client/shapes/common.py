"""What every capability uses."""

from typing import Generic, TypedDict, TypeVar

Item = TypeVar("Item")


class Page(TypedDict, Generic[Item]):
    """One page of a collection, newest first; `next_cursor` is None on the last one."""

    items: list[Item]
    next_cursor: str | None


class Label(TypedDict):
    """A classification label."""

    level: str
    compartments: list[str]
    residency: list[str]
    purposes: list[str]
