"""What the capabilities of the client have in common."""

from typing import Any

from bailiwick.client.transport import Transport


class Capability:
    """A part of the API."""

    def __init__(self, transport: Transport) -> None:
        self._http = transport


def given(**fields: Any) -> dict[str, Any]:
    """The fields that are not None: what is left out takes the API's default."""
    return {name: value for name, value in fields.items() if value is not None}
