"""Names as people write them: `NAMESPACE/NAME`, `NAMESPACE/NAME@VERSION`."""

import re
from typing import NamedTuple
from urllib.parse import quote

from bailiwick.client.errors import MisusedClient

_SLUG = r"[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?"
_NAME = re.compile(rf"({_SLUG})/({_SLUG})")
_VERSION = re.compile(rf"({_SLUG}/{_SLUG})@([1-9][0-9]*)")


class Name(NamedTuple):
    """A model, dataset or deployment."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


class Numbered(NamedTuple):
    """One version of a model or dataset."""

    name: Name
    number: int

    def __str__(self) -> str:
        return f"{self.name}@{self.number}"


def name_of(text: str) -> Name:
    """The parts of `NAMESPACE/NAME`; `MisusedClient` if it is something else.

    >>> name_of("finance/cards")
    Name(namespace='finance', name='cards')
    """
    found = _NAME.fullmatch(text)
    if found is None:
        raise MisusedClient(f"{text!r} is no NAMESPACE/NAME, as in finance/classifier")
    return Name(*found.groups())


def version_of(text: str) -> Numbered:
    """The parts of `NAMESPACE/NAME@VERSION`; `MisusedClient` if it is something else.

    >>> str(version_of("finance/cards@3"))
    'finance/cards@3'
    """
    found = _VERSION.fullmatch(text)
    if found is None:
        raise MisusedClient(f"{text!r} is no NAMESPACE/NAME@VERSION, as in finance/purchases@1")
    return Numbered(name_of(found[1]), int(found[2]))


def path(*segments: str | int) -> str:
    """Segments of an address, each quoted.

    >>> path("principals", "a b", "roles", "*")
    '/principals/a%20b/roles/%2A'
    """
    return "".join(f"/{quote(str(segment), safe='')}" for segment in segments)
