"""`ETag`, `If-Match` and `If-None-Match` (RFC 9110): no lost updates, no needless transfers.

A tag reads `"REVISION-DIGEST"`: the row's revision, and a digest of what is shown, much of
which lies in other rows. `If-Match` asks about the row, so it compares revisions;
`If-None-Match` asks about the answer, so it compares whole tags.
"""

from typing import Annotated, Protocol

from fastapi import Depends, Header, Request, Response

from bailiwick.core.canonical import sha256_hex
from bailiwick.core.errors import PreconditionFailed

DIGEST_LENGTH = 16
NOT_MODIFIED = 304


class Versioned(Protocol):
    """A row that counts its changes."""

    revision: int


def tag(response: Response, row: Versioned) -> None:
    """Send the row's revision as entity tag; `complete_tag` adds the digest."""
    response.headers["ETag"] = f'"{row.revision}"'


def complete_tag(response: Response) -> None:
    """Add the digest of the body that is about to leave; files are tagged by theirs already."""
    opaque = response.headers.get("etag", "").strip('"')
    body = getattr(response, "body", None)
    if opaque and isinstance(body, bytes):
        response.headers["ETag"] = f'"{opaque}-{sha256_hex(body)[:DIGEST_LENGTH]}"'


def not_modified(request: Request, response: Response) -> Response | None:
    """304 in the place of an answer to GET that the client has already, else None."""
    known = request.headers.get("if-none-match")
    etag = response.headers.get("etag")
    if request.method != "GET" or known is None or etag is None:
        return None
    held = {part.strip().removeprefix("W/") for part in known.split(",")}
    return (
        Response(status_code=NOT_MODIFIED, headers={"ETag": etag}) if {"*", etag} & held else None
    )


class IfMatch:
    """The caller's expectation of what they change."""

    def __init__(self, if_match: Annotated[str | None, Header()] = None) -> None:
        self.expected = if_match

    def check(self, row: Versioned | None) -> None:
        """`PreconditionFailed` if the caller named another state than the present one.

        None: the row does not exist yet, so no state of it can be meant.
        """
        if self.expected is None or (self.expected.strip() == "*" and row is not None):
            return
        named = {_revision(part) for part in self.expected.split(",")}
        if row is None or str(row.revision) not in named:
            raise PreconditionFailed(
                "this has changed since you read it; read it again, then repeat your change with "
                "the new ETag in If-Match"
            )


def _revision(entity_tag: str) -> str:
    """The revision of one entity tag; nothing of a weak or unquoted one, which never matches."""
    stripped = entity_tag.strip()
    quoted = stripped.startswith('"') and stripped.endswith('"')
    return stripped.strip('"').partition("-")[0] if quoted else ""


Precondition = Annotated[IfMatch, Depends(IfMatch)]
