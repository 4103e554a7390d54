"""`/audit`: the log, its checkpoints, and proofs that it was not touched."""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse
from sqlalchemy import select

from bailiwick.api.schemas import Schema
from bailiwick.audit import (
    AuditEvent,
    AuditLeaf,
    checkpoints,
    leaves,
    newest_checkpoint,
    prove_consistency,
    prove_inclusion,
    verify_log,
)
from bailiwick.audit.export import Header, lines
from bailiwick.core.errors import NotFound
from bailiwick.lifecycle.platform import Platform
from bailiwick.policy import AUDIT_LOG
from bailiwick.web import Cursor, Governed, GovernedRoute, Limit, Page, acts, page_of

router = APIRouter(prefix="/audit", tags=["compliance"], route_class=GovernedRoute)
Size = Annotated[int, Query(ge=1)]


class EventOut(Schema):
    """One event; `index` is its place in the tree, null until it has one (a second or so)."""

    index: int | None
    event: dict[str, Any]


class EventPage(Page):
    """Events, newest first."""

    items: list[EventOut]


class CheckpointOut(Schema):
    """The newest signed statement of the log's size and root."""

    size: int
    root: str
    note: str
    vkey: str
    at: datetime


class VerificationOut(Schema):
    """The result of recomputing the whole log."""

    ok: bool
    size: int
    root: str | None
    signed_at: datetime | None
    checkpoints: int
    waiting: int
    problem: str | None


class InclusionOut(Schema):
    """RFC 6962 audit path, hexadecimal, from the leaf to the root."""

    index: int
    size: int
    leaf_hash: str
    path: list[str]


class ConsistencyOut(Schema):
    """RFC 6962 consistency proof, hexadecimal."""

    old_size: int
    size: int
    path: list[str]


@router.get("/events", **acts("audit:read"))
def list_events(
    caller: Governed,
    action: str | None = None,
    subject_id: str | None = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> EventPage:
    """The log's events, newest first, exactly as they are covered by the tree."""
    caller.require(AUDIT_LOG)
    query = select(AuditEvent)
    if action is not None:
        query = query.where(AuditEvent.action == action)
    if subject_id is not None:
        query = query.where(AuditEvent.subject_id == subject_id)
    rows, following = page_of(caller.session, query, AuditEvent.id, limit=limit, cursor=cursor)
    sequenced = caller.session.scalars(
        select(AuditLeaf).where(AuditLeaf.event_id.in_([row.id for row in rows]))
    )
    places = {leaf.event_id: leaf.index for leaf in sequenced}
    return EventPage(
        items=[EventOut(index=places.get(row.id), event=json.loads(row.body)) for row in rows],
        next_cursor=following,
    )


@router.get("/checkpoint", **acts("audit:read"))
def read_checkpoint(caller: Governed) -> CheckpointOut:
    """The newest signed checkpoint. Keep it: it proves later that nothing was cut off."""
    caller.require(AUDIT_LOG)
    newest = newest_checkpoint(caller.session)
    if newest is None:
        raise NotFound("the log is empty or has not been signed yet; a worker does it each second")
    return CheckpointOut(
        size=newest.size,
        root=newest.root.hex(),
        note=newest.note,
        vkey=caller.platform.signer().vkey,
        at=newest.at,
    )


@router.get("/verification", **acts("audit:read"))
def verify(caller: Governed) -> VerificationOut:
    """Recompute the whole log where it stands."""
    caller.require(AUDIT_LOG)
    report = verify_log(caller.session, caller.platform.signer().verifier)
    return VerificationOut.model_validate(report)


@router.get("/proofs/inclusion", **acts("audit:read"))
def read_inclusion(
    index: Annotated[int, Query(ge=0)], size: Size, caller: Governed
) -> InclusionOut:
    """The proof that an event is in the tree."""
    caller.require(AUDIT_LOG)
    leaf, path = prove_inclusion(caller.session, index, size)
    return InclusionOut(
        index=index, size=size, leaf_hash=leaf.hex(), path=[node.hex() for node in path]
    )


@router.get("/proofs/consistency", **acts("audit:read"))
def read_consistency(old_size: Size, size: Size, caller: Governed) -> ConsistencyOut:
    """The proof that the log has only grown between two sizes."""
    caller.require(AUDIT_LOG)
    path = prove_consistency(caller.session, old_size, size)
    return ConsistencyOut(old_size=old_size, size=size, path=[node.hex() for node in path])


@router.get(
    "/export",
    response_class=StreamingResponse,
    **acts("audit:export", own_transaction=True),
)
def export(caller: Governed) -> StreamingResponse:
    """The whole log as NDJSON, to be verified without us: `bailiwick audit verify --export`."""
    caller.require(AUDIT_LOG)
    platform = caller.platform
    with platform.database.transaction() as session:
        caller.require(AUDIT_LOG, within=session)
    platform.sequence_audit()
    return StreamingResponse(exported(platform), media_type="application/x-ndjson")


def exported(platform: Platform) -> Iterator[bytes]:
    """The export's lines, read in one consistent view of the database."""
    signer = platform.signer()
    with platform.database.reading() as session:
        yield from lines(Header(signer.name, signer.vkey), leaves(session), checkpoints(session))
