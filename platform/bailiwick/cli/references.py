"""What people write in place of ids, and what they read in place of them."""

import re
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

from bailiwick.cli.output import short
from bailiwick.client import Bailiwick
from bailiwick.core.errors import Invalid, NotFound

ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
ENDING = re.compile(r"[0-9a-f-]{6,36}")
SEARCHED = 2_000

Items = Iterable[Mapping[str, Any]]


class Names(dict[str, str]):
    """Names by id; an id without one is shortened."""

    def __missing__(self, identifier: str) -> str:
        return short(identifier)


def deployment_names(client: Bailiwick, page: Mapping[str, Any]) -> Names:
    """The names of the deployments that the items of a page are about."""
    if not page["items"]:
        return Names()
    return Names(
        {one["id"]: f"{one['namespace']}/{one['name']}" for one in client.deployments.list()}
    )


def whole_id(reference: str, items: Items, what: str) -> str:
    """The id of the one item that `reference` is the id of, or the end of the id of.

    Raises `Invalid` for what is no id or ends several, `NotFound` for what ends none.
    """
    wanted = reference.lower()
    if ID.fullmatch(wanted):
        return wanted
    if not ENDING.fullmatch(wanted):
        raise Invalid(
            f"{reference!r} is no id: give that of the {what}, or its last six characters or more; "
            "the list shows them"
        )
    found = [item["id"] for item in islice(items, SEARCHED) if item["id"].endswith(wanted)]
    if len(found) > 1:
        raise Invalid(f"several ids end in {wanted}; give more of it (--json shows whole ids)")
    if not found:
        raise NotFound(
            f"no {what} that you may see has an id ending in {wanted}, among the newest "
            f"{SEARCHED:,}; give the whole id"
        )
    return str(found[0])


def of_deployment(client: Bailiwick, reference: str, items: Items, what: str) -> str:
    """The id of the one item of a deployment (`NAMESPACE/NAME`), or of the item itself."""
    if "/" not in reference:
        return whole_id(reference, items, what)
    deployment_id = client.deployments.id_of(reference)
    found = [item["id"] for item in items if item["deployment_id"] == deployment_id]
    if len(found) != 1:
        how_many = "has no" if not found else "has more than one"
        raise NotFound(f"{reference} {how_many} {what} that you may see; list them, and give an id")
    return str(found[0])
