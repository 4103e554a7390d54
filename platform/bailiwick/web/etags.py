"""`ETag` and `If-Match`: nobody overwrites a change that they have not seen."""

from typing import Annotated, Protocol

from fastapi import Depends, Header, Response

from bailiwick.core.errors import PreconditionFailed


class Versioned(Protocol):
    """A row that counts its changes."""

    revision: int


def etag_of(row: Versioned) -> str:
    """The entity tag of a row's present state."""
    return f'"{row.revision}"'


def tag(response: Response, row: Versioned) -> None:
    """Send the row's entity tag."""
    response.headers["ETag"] = etag_of(row)


class IfMatch:
    """The caller's expectation of what they change."""

    def __init__(self, if_match: Annotated[str | None, Header()] = None) -> None:
        self.expected = if_match

    def check(self, row: Versioned) -> None:
        """`PreconditionFailed` if the caller named another state than the present one."""
        if self.expected in (None, "*"):
            return
        named = {part.strip() for part in str(self.expected).split(",")}
        if etag_of(row) not in named:
            raise PreconditionFailed(
                f"this has changed since you read it (it is {etag_of(row)} now); read it again, "
                "then repeat your change with the new ETag in If-Match"
            )


Precondition = Annotated[IfMatch, Depends(IfMatch)]
