"""`/otlp/v1/traces`: spans of generative AI from OpenTelemetry exporters become records."""

from typing import Any
from uuid import UUID

from anyio.to_thread import run_sync
from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from bailiwick.api.intake import Tally, reading, store
from bailiwick.monitoring import terms_of
from bailiwick.monitoring.intake.records import read_lines
from bailiwick.monitoring.intake.spans import Traces, read_traces, record_of
from bailiwick.policy import Unseen
from bailiwick.registry import Deployment, deployment_resource
from bailiwick.web import Caller, Governed, GovernedRoute, acts
from bailiwick.web.streams import UnsupportedMedia, media_type, open_body, read_whole

router = APIRouter(prefix="/otlp", tags=["running models"], route_class=GovernedRoute)
PIECE = 5_000  # spans that are stored together
_BODY: dict[str, Any] = {
    "application/json": {
        "schema": {
            "type": "object",
            "description": "An OTLP ExportTraceServiceRequest.",
            "properties": {"resourceSpans": {"type": "array", "items": {"type": "object"}}},
        }
    }
}


class PartialSuccess(BaseModel):
    """Spans that became no records, and why (OTLP writes 64-bit integers as text)."""

    model_config = ConfigDict(populate_by_name=True)

    rejected_spans: str = Field(alias="rejectedSpans")
    error_message: str = Field(alias="errorMessage")


class TracesOut(BaseModel):
    """OTLP's answer: empty when all spans became records."""

    model_config = ConfigDict(populate_by_name=True)

    partial_success: PartialSuccess | None = Field(None, alias="partialSuccess")


@router.post(
    "/v1/traces",
    response_model_exclude_none=True,
    **reading(acts("deployment:write-inferences", own_transaction=True), _BODY),
)
async def write_traces(request: Request, caller: Governed) -> TracesOut:
    """Take the spans with `gen_ai.*` attributes of resources that name a deployment.

    `bailiwick.deployment` on the resource is `NAMESPACE/NAME` or an id. Other spans are ignored
    and counted. If the policy refuses one of the deployments, nothing is taken.
    """
    if media_type(request) != "application/json":
        raise UnsupportedMedia(
            "only OTLP/HTTP with JSON is read here, no protobuf: set the exporter's protocol to "
            "http/json, or let a collector translate"
        )
    limit = caller.platform.settings.max_body_bytes
    body = await open_body(request, limit_bytes=limit)

    def receive() -> TracesOut:
        return _received(caller, read_traces(read_whole(body, limit)))

    return await run_sync(receive, limiter=request.app.state.intake_room)


def _received(caller: Caller, traces: Traces) -> TracesOut:
    deployments = {
        named: _deployment(caller, caller.session, named) for named in traces.by_deployment
    }
    if not deployments:
        caller.decided_by_use_case()  # nothing is asked for, nothing is written
    assert caller.actor  # noqa: S101 - looked up before the session that reads is given back
    caller.session.close()
    tally = Tally()
    for named, spans in traces.by_deployment.items():
        deployment_id, keeps_text, refusals = deployments[named]
        lines = [record_of(span, keeps_text=keeps_text, refusals=refusals) for span in spans]
        for start in range(0, len(lines), PIECE):
            batch = read_lines(lines[start : start + PIECE], start)
            store(caller, deployment_id, batch, None, tally)
    return _answer(traces.ignored, tally)


def _deployment(caller: Caller, session: Session, named: str) -> tuple[UUID, bool, tuple[str, ...]]:
    """The deployment of that id or name, after the policy has let the caller write to it.

    Its id, whether it keeps text, and its phrases of refusals.
    """
    query = select(Deployment)
    namespace, _, name = named.partition("/")
    if name:
        query = query.where(Deployment.namespace == namespace, Deployment.name == name)
    else:
        query = query.where(Deployment.id == _id(named))
    deployment = session.scalar(query)
    if deployment is None:
        raise Unseen
    caller.require(deployment_resource(session, deployment))
    return deployment.id, deployment.keeps_text, terms_of(session, deployment.id).refusals


def _id(named: str) -> UUID:
    try:
        return UUID(named)
    except ValueError:
        raise Unseen from None


def _answer(ignored: int, tally: Tally) -> TracesOut:
    rejected = ignored + tally.total
    if not rejected:
        return TracesOut.model_validate({})
    reasons = [f"{ignored} spans have no gen_ai attribute or name no deployment"] if ignored else []
    if tally.total:
        first = tally.first[0]
        reasons.append(f"{tally.total} are no records that can be used: {first.detail}")
    told = PartialSuccess(rejected_spans=str(rejected), error_message="; ".join(reasons))
    return TracesOut(partial_success=told)
