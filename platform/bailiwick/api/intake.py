"""`/deployments/{id}/inferences`, `/feedback`, `/rejected-records`, `/intake`: what comes in."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import IO, Annotated, Any
from uuid import UUID

from anyio.to_thread import run_sync
from fastapi import APIRouter, Depends, Request
from pydantic import Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from bailiwick.api.deployments import governed_deployment
from bailiwick.api.schemas import Body, Schema
from bailiwick.core.errors import Invalid
from bailiwick.monitoring import (
    Outcome,
    RejectedRecord,
    log_feedback,
    set_terms,
    take,
    terms_of,
    texts_of,
)
from bailiwick.monitoring.intake.arrow import read_arrow
from bailiwick.monitoring.intake.formats import read_json, read_ndjson
from bailiwick.monitoring.intake.labels import LABELS_SCHEMA, Label, read_labels
from bailiwick.monitoring.intake.records import SCHEMA, Batch, Fault
from bailiwick.policy import Unseen, load_label
from bailiwick.registry import Deployment, ModelVersion, deployment_resource, served_version
from bailiwick.web import (
    Caller,
    Cursor,
    Governed,
    GovernedRoute,
    Limit,
    Page,
    acts,
    page_of,
)
from bailiwick.web.streams import UnsupportedMedia, media_type, open_body, read_whole

router = APIRouter(prefix="/deployments", tags=["running models"], route_class=GovernedRoute)
JSON, NDJSON = "application/json", "application/x-ndjson"
ARROW = "application/vnd.apache.arrow.stream"
SHOWN_FAULTS = 100

_BYTES = {"type": "string", "format": "binary"}
_RECORDS = {
    JSON: {
        "schema": {
            "type": "object",
            "required": ["records"],
            "additionalProperties": False,
            "properties": {
                "records": {"type": "array", "minItems": 1, "maxItems": 10_000, "items": SCHEMA},
                "version_id": {"type": ["string", "null"], "format": "uuid"},
            },
        }
    },
    NDJSON: {"schema": SCHEMA | {"description": "One record a line."}},
    ARROW: {"schema": _BYTES | {"description": "Columns named like a record's fields."}},
}
_LABELS = {
    JSON: {
        "schema": {
            "type": "object",
            "required": ["feedback"],
            "properties": {"feedback": {"type": "array", "items": LABELS_SCHEMA}},
        }
    },
    NDJSON: {"schema": LABELS_SCHEMA | {"description": "One label a line."}},
}


class RejectedInferenceOut(Schema):
    """A record that was not taken: its place in the request, from 0, and why."""

    place: int
    record_id: str | None
    code: str
    detail: str


class TakenOut(Schema):
    """Records that were new, those that were known and count once, and those turned away.

    `rejected` lists the first of them; all are kept for a while in `rejected-records`.
    """

    new: int
    known: int
    rejected: list[RejectedInferenceOut]
    rejected_total: int


class AcceptedOut(Schema):
    """Labels that were new, and labels that changed nothing."""

    new: int
    known: int


class RejectedRecordOut(Schema):
    """A record that could not be used; `raw` only where the deployment keeps text."""

    id: UUID
    received_at: datetime
    expires_at: datetime
    place: int
    code: str
    digest: str
    raw: str | None


class RejectedRecordPage(Page):
    """Rejected records, newest first."""

    items: list[RejectedRecordOut]


class IntakeIn(Body):
    """What a deployment accepts: segments and features of records, and bounds of time.

    Other features begin another baseline, once 200 records carry them.
    """

    segments: list[str] = Field(default_factory=list, max_length=8)
    features: list[str] = Field(default_factory=list, max_length=40)
    max_ahead_seconds: int = 300
    max_age_days: int = 1_095
    rejected_days: int = 30
    refusals: list[str] | None = Field(
        None,
        max_length=100,
        description="Phrases that tell a generator's refusal in spans; default: bundled ones.",
    )


class IntakeOut(Schema):
    """What a deployment accepts."""

    segments: list[str]
    features: list[str]
    max_ahead_seconds: int
    max_age_days: int
    rejected_days: int
    refusals: list[str]


@dataclass
class Tally:
    """What became of the batches of one request."""

    new: int = 0
    known: int = 0
    total: int = 0
    first: list[Fault] = field(default_factory=list)

    def answer(self) -> TakenOut:
        """As it is told."""
        shown = [RejectedInferenceOut.model_validate(fault) for fault in self.first]
        return TakenOut(new=self.new, known=self.known, rejected=shown, rejected_total=self.total)


def reading(declared: dict[str, Any], bodies: dict[str, Any]) -> dict[str, Any]:
    """A route's declaration with the kinds of body that it reads itself."""
    content = {"requestBody": {"required": True, "content": bodies}}
    return {"openapi_extra": declared["openapi_extra"] | content}


@router.post(
    "/{deployment_id}/inferences",
    status_code=202,
    **reading(
        acts("deployment:write-inferences", own_transaction=True, streams=True),
        _RECORDS,
    ),
)
async def write_inferences(
    deployment_id: UUID, request: Request, caller: Governed, version_id: UUID | None = None
) -> TakenOut:
    """Log requests that were answered elsewhere: JSON, NDJSON or an Arrow IPC stream.

    Each record stands for itself: one that cannot be used is turned away, the others are stored.
    A long body is stored piece by piece; to send it again after a failure changes nothing.
    """
    body = await open_body(request, limit_bytes=caller.platform.settings.max_upload_bytes)
    kind = media_type(request)

    def receive() -> TakenOut:
        batches, named = _batches(body, kind, caller)
        return _received(caller, deployment_id, batches, named or version_id)

    return await run_sync(receive, limiter=request.app.state.intake_room)


async def _content(request: Request) -> bytes:
    return await request.body()


@router.post(
    "/{deployment_id}/feedback",
    status_code=202,
    **reading(acts("deployment:write-feedback"), _LABELS),
)
def write_feedback(
    deployment_id: UUID,
    request: Request,
    caller: Governed,
    content: Annotated[bytes, Depends(_content)],
) -> AcceptedOut:
    """Send labels that came later, by record id or join key, as JSON or NDJSON.

    Another label for the same record is a correction, null withdraws what was said.
    """
    governed_deployment(caller, deployment_id)
    labels = read_labels(content, lines=_kind(media_type(request), JSON, NDJSON) == NDJSON)
    told = log_feedback(
        caller.session,
        deployment_id,
        list(_outcomes(caller, labels)),
        actor_id=caller.principal_id,
        at=caller.at,
    )
    return AcceptedOut(new=told.new, known=told.known)


@router.get("/{deployment_id}/rejected-records", **acts("deployment:read-inferences"))
def list_rejected_records(
    deployment_id: UUID, caller: Governed, limit: Limit = 50, cursor: Cursor = None
) -> RejectedRecordPage:
    """Records that could not be used, newest first, as long as they are kept."""
    governed_deployment(caller, deployment_id)
    query = select(RejectedRecord).where(
        RejectedRecord.deployment_id == deployment_id, RejectedRecord.expires_at > caller.at
    )
    rows, following = page_of(caller.session, query, RejectedRecord.id, limit=limit, cursor=cursor)
    raw = texts_of(caller.session, caller.platform.texts, rows)
    items = [
        RejectedRecordOut.model_validate(row).model_copy(update={"raw": text})
        for row, text in zip(rows, raw, strict=True)
    ]
    return RejectedRecordPage(items=items, next_cursor=following)


@router.get("/{deployment_id}/intake", **acts("deployment:read"))
def read_intake(deployment_id: UUID, caller: Governed) -> IntakeOut:
    """What the deployment accepts."""
    governed_deployment(caller, deployment_id)
    return IntakeOut.model_validate(terms_of(caller.session, deployment_id))


@router.put("/{deployment_id}/intake", **acts("deployment:update"))
def change_intake(deployment_id: UUID, body: IntakeIn, caller: Governed) -> IntakeOut:
    """Say what the deployment accepts from now on."""
    governed_deployment(caller, deployment_id)
    terms = set_terms(
        caller.session,
        deployment_id,
        **body.model_dump(),
        actor_id=caller.principal_id,
        at=caller.at,
    )
    return IntakeOut.model_validate(terms)


def store(
    caller: Caller, deployment_id: UUID, batch: Batch, version_id: UUID | None, tally: Tally
) -> None:
    """One batch in one transaction, in which the policy is asked once."""
    with caller.platform.database.transaction() as session:
        deployment = session.get(Deployment, deployment_id)
        if deployment is None:
            raise Unseen
        caller.require(
            deployment_resource(session, deployment),
            action="deployment:write-inferences",
            within=session,
        )
        version = served_version(session, deployment)
        if version_id is not None and version_id != version.id:
            version = _other_version(caller, session, deployment, version_id)
        taken = take(
            session,
            deployment_id,
            version.id,
            batch,
            keeps_text=deployment.keeps_text,
            pseudonyms=caller.platform.pseudonyms,
            vault=caller.platform.texts,
            at=caller.at,
        )
    tally.new += taken.new
    tally.known += taken.known
    tally.total += len(taken.rejected)
    tally.first += taken.rejected[: SHOWN_FAULTS - len(tally.first)]


def _received(
    caller: Caller, deployment_id: UUID, batches: Iterator[Batch], version_id: UUID | None
) -> TakenOut:
    tally = Tally()
    assert caller.actor  # noqa: S101 - looked up before the session that reads is given back
    caller.session.close()  # no reader holds the database's log while a long body comes in
    for batch in batches:
        store(caller, deployment_id, batch, version_id, tally)
    return tally.answer()


def _batches(body: IO[bytes], kind: str, caller: Caller) -> tuple[Iterator[Batch], UUID | None]:
    match _kind(kind, JSON, NDJSON, ARROW):
        case "application/x-ndjson":
            return read_ndjson(body), None
        case "application/json":
            limit = caller.platform.settings.max_body_bytes
            batch, named = read_json(read_whole(body, limit))
            return iter((batch,)), named
        case _:
            return read_arrow(body), None


def _kind(kind: str, *known: str) -> str:
    if kind not in known:
        raise UnsupportedMedia(f"Content-Type must be one of {', '.join(known)}")
    return kind


def _outcomes(caller: Caller, labels: list[Label]) -> Iterator[Outcome]:
    keys = caller.platform.pseudonyms.join_keys(label.join_key for label in labels)
    for label, key in zip(labels, keys, strict=True):
        yield Outcome(label.record_id, label.label, key)


def _other_version(
    caller: Caller, session: Session, deployment: Deployment, version_id: UUID
) -> ModelVersion:
    """A version that the deployment could have served: its answers are labelled like it."""
    found = session.get(ModelVersion, version_id)
    labels = [load_label(session, one.label_id) for one in (deployment, found) if one]
    if (
        found is None
        or found.model_id != deployment.model_id
        or not caller.rules.scheme.dominates(*labels)
    ):
        raise Invalid("version_id is no version of this deployment's model that it may answer with")
    return found
