"""`Idempotency-Key`: a write that is sent again gets the answer that it got the first time.

A key belongs to one principal, with the rights that they held, and one request. It is claimed by
a row under a unique key in the transaction of the write itself: a second request with the same
key waits there until the first has ended, then replays its answer, or does the work if the first
one failed.
"""

from datetime import datetime
from uuid import UUID

from fastapi import Response
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from bailiwick.core.errors import Conflict, Invalid
from bailiwick.web.tables import IdempotentResponse

MAX_KEY_LENGTH = 200
UNANSWERED = 0  # the status of a key whose answer is still being made
NO_CONTENT = 204
KEPT_HEADERS = ("etag", "location")


class KeyReused(Conflict):
    """The key was used for another request."""

    code = "idempotency-key-reused"


class AnswerNotKept(Conflict):
    """The request was carried out, but its answer held a secret."""

    code = "answer-not-kept"


def claim(
    session: Session, principal_id: UUID, key: str, *, request_digest: str, at: datetime
) -> IdempotentResponse:
    """The key's row: with the answer it got before, or fresh and ours to `keep` an answer in.

    Raises `Invalid` for an unusable key and `KeyReused` for one of another request.
    """
    if not 0 < len(key) <= MAX_KEY_LENGTH:
        raise Invalid(f"an Idempotency-Key has 1 to {MAX_KEY_LENGTH} characters")
    kept = _find(session, principal_id, key)
    if kept is None:
        kept = IdempotentResponse(
            principal_id=principal_id,
            key=key,
            request_digest=request_digest,
            status=UNANSWERED,
            headers={},
            body=None,
            created_at=at,
        )
        try:
            with session.begin_nested():
                session.add(kept)
        except IntegrityError:  # PostgreSQL, after waiting for the other request's commit
            kept = _find(session, principal_id, key)
            if kept is None:
                raise
    if kept.request_digest != request_digest:
        raise KeyReused(
            "this Idempotency-Key was used for another request, or before your rights changed; "
            "look whether the change has been made, and use a fresh key per request"
        )
    return kept


def keep(kept: IdempotentResponse, response: Response, *, secret: bool) -> None:
    """Keep an answer as it leaves, byte by byte; of one that holds a secret only that it was."""
    kept.status = response.status_code
    kept.headers = {
        name: response.headers[name] for name in KEPT_HEADERS if name in response.headers
    }
    kept.body = None if secret else bytes(response.body).decode()


def replay(kept: IdempotentResponse) -> Response:
    """The kept answer again; `AnswerNotKept` if it was a secret."""
    if kept.body is None:
        raise AnswerNotKept(
            "this request was carried out before; its answer held a secret, which is shown once "
            "and never kept: if it is lost, revoke it and make another with a fresh Idempotency-Key"
        )
    return Response(
        None if kept.status == NO_CONTENT else kept.body,
        status_code=kept.status,
        headers={**kept.headers, "Idempotent-Replay": "true"},
        media_type="application/json" if kept.body else None,
    )


def _find(session: Session, principal_id: UUID, key: str) -> IdempotentResponse | None:
    return session.scalar(
        select(IdempotentResponse).where(
            IdempotentResponse.principal_id == principal_id, IdempotentResponse.key == key
        )
    )
