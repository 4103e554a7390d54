"""`/waivers`: exceptions for one exact thing, approved by others, for a limited time."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import AwareDatetime, Field
from sqlalchemy import ColumnElement, and_, or_, select

from bailiwick.api.schemas import Body, LabelIn, LabelOut, Schema, Text
from bailiwick.lifecycle import waivers as lifecycle
from bailiwick.lifecycle.subjects import Thing, known_subjects, resource_of
from bailiwick.lineage import find_dataset, find_dataset_version
from bailiwick.policy import ApprovalRequest, Unseen, Waiver, load_label
from bailiwick.policy.waived import ACTIVE, ENDED, REQUESTED
from bailiwick.policy.waivers import Terms, standing_of, waiver_resource
from bailiwick.registry import Deployment, find_model, find_version
from bailiwick.web import (
    Cursor,
    Governed,
    GovernedRoute,
    Limit,
    Page,
    Precondition,
    acts,
    page_of,
    tag,
)

router = APIRouter(prefix="/waivers", tags=["rules"], route_class=GovernedRoute)

Path = Annotated[str, Field(pattern=r"^[^/]+/[^/]+$", description="NAMESPACE/NAME")]
Number = Annotated[int, Field(ge=1)]
State = Literal["requested", "active", "rejected", "ended", "expired"]


class WaivedVersion(Body):
    """A model version."""

    type: Literal["model-version"]
    model: Path
    version: Number


class WaivedDataset(Body):
    """A dataset: its name, description and marks."""

    type: Literal["dataset"]
    dataset: Path


class WaivedDatasetVersion(Body):
    """A dataset version: its rows."""

    type: Literal["dataset-version"]
    dataset: Path
    version: Number


class WaivedDeployment(Body):
    """A deployment: what it is asked and answers."""

    type: Literal["deployment"]
    id: UUID


class WaiverIn(Body):
    """What should not apply, to what, why, on which evidence, and until when.

    `label` is the lower label of a declassification; `gate` the gate that need not be passed.
    """

    subject: Annotated[
        WaivedVersion | WaivedDataset | WaivedDatasetVersion | WaivedDeployment,
        Field(discriminator="type"),
    ]
    kind: Literal["declassification", "gate"]
    label: LabelIn | None = None
    gate: Annotated[str | None, Field(max_length=80)] = None
    reason: Text
    evidence: Text
    expires_at: AwareDatetime


class EndIn(Body):
    """Why a waiver ends before its time."""

    reason: Text


class WaiverOut(Schema):
    """An exception. `void` says why an active one does not act; `subject` names what it is about.

    `label` is the subject's own when the waiver was asked for, `waived_label` the lower one.
    """

    id: UUID
    kind: str
    state: str
    void: str | None
    namespace: str
    subject_type: str
    subject_id: UUID
    subject_digest: str
    subject: str | None
    label: LabelOut
    waived_label: LabelOut | None
    gate: str | None
    reason: str
    evidence: str
    requested_by: UUID
    approval_id: UUID | None
    created_at: datetime
    started_at: datetime | None
    expires_at: datetime
    ended_at: datetime | None
    ended_by: UUID | None
    end_reason: str | None


class WaiverPage(Page):
    """Waivers, newest first."""

    items: list[WaiverOut]


@router.get("", **acts("waiver:list"))
def list_waivers(
    caller: Governed,
    state: State | None = None,
    subject_id: Annotated[UUID | None, Query(description="Only about this.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> WaiverPage:
    """The waivers that the caller may see, newest first."""
    query = select(Waiver).where(
        caller.visible("Waiver", Waiver.namespace, Waiver.label_id, action="waiver:read")
    )
    if state is not None:
        query = query.where(_stands(state, caller.at))
    if subject_id is not None:
        query = query.where(Waiver.subject_id == subject_id)
    rows, following = page_of(caller.session, query, Waiver.id, limit=limit, cursor=cursor)
    return WaiverPage(items=_shown(caller, rows), next_cursor=following)


@router.post("", status_code=201, **acts("waiver:request"))
def request_waiver(body: WaiverIn, caller: Governed, response: Response) -> WaiverOut:
    """Ask other people for an exception; nothing acts before they have approved."""
    thing = _thing(caller, body)
    label = caller.rules.scheme.parse(body.label.model_dump()) if body.label else None
    waiver = lifecycle.request_waiver(
        caller.session,
        thing,
        Terms(body.kind, body.reason, body.evidence, body.expires_at, label, body.gate),
        rules=caller.rules,
        tiers=caller.platform.tiers,
        actor=caller.actor,
        at=caller.at,
    )
    tag(response, waiver)
    return _shown(caller, [waiver])[0]


@router.get("/{waiver_id}", **acts("waiver:read"))
def read_waiver(waiver_id: UUID, caller: Governed, response: Response) -> WaiverOut:
    """One waiver, and whether it acts."""
    waiver = _governed(caller, waiver_id)
    tag(response, waiver)
    return _shown(caller, [waiver])[0]


@router.post("/{waiver_id}/end", **acts("waiver:end"))
def end_waiver(
    waiver_id: UUID, body: EndIn, caller: Governed, response: Response, seen: Precondition
) -> WaiverOut:
    """End an active waiver before its time; what ran by it is reviewed at once."""
    waiver = _governed(caller, waiver_id)
    seen.check(waiver)
    lifecycle.end_waiver(
        caller.session,
        waiver,
        reason=body.reason,
        rules=caller.rules,
        actor=caller.actor,
        at=caller.at,
    )
    tag(response, waiver)
    return _shown(caller, [waiver])[0]


def _governed(caller: Governed, waiver_id: UUID) -> Waiver:
    waiver = caller.session.get(Waiver, waiver_id)
    if waiver is None:
        raise Unseen
    caller.require(waiver_resource(caller.session, waiver))
    return waiver


def _thing(caller: Governed, body: WaiverIn) -> Thing:
    """What the waiver is to be about, after the policy has let the caller ask for it."""
    session, about = caller.session, body.subject
    thing: Thing | None
    match about:
        case WaivedDeployment():
            thing = session.get(Deployment, about.id)
        case WaivedVersion():
            namespace, _, name = about.model.partition("/")
            thing = find_version(session, find_model(session, namespace, name), about.version)
        case WaivedDataset() | WaivedDatasetVersion():
            namespace, _, name = about.dataset.partition("/")
            thing = find_dataset(session, namespace, name)
            if isinstance(about, WaivedDatasetVersion):
                thing = find_dataset_version(session, thing, about.version)
    if thing is None:
        raise Unseen
    caller.require(resource_of(session, thing))
    return thing


def _stands(state: State, at: datetime) -> ColumnElement[bool]:
    """The condition for `standing_of` to answer `state`."""
    ended_alone = and_(Waiver.state == ENDED, Waiver.ended_by.is_(None))
    over = and_(Waiver.state.in_((REQUESTED, ACTIVE)), Waiver.expires_at <= at)
    if state == "expired":
        return or_(ended_alone, over)
    return and_(Waiver.state == state, ~or_(ended_alone, over))


def _shown(caller: Governed, waivers: Sequence[Waiver]) -> list[WaiverOut]:
    """Waivers with their subjects and requests, in a few queries however many they are."""
    session, ids = caller.session, [waiver.id for waiver in waivers]
    known = known_subjects(session, ((one.subject_type, one.subject_id) for one in waivers))
    asked = session.execute(
        select(ApprovalRequest.subject_id, ApprovalRequest.id)
        .where(ApprovalRequest.subject_id.in_(ids))
        .order_by(ApprovalRequest.id)
    )
    approvals = dict(asked.all())
    shown = []
    for waiver in waivers:
        about, lower = known.get(waiver.subject_id), waiver.waived_label_id
        # Under a label that has risen, its name is no longer for everyone who sees the waiver.
        named = about is not None and about.subject.label_id == waiver.label_id
        fields = set(WaiverOut.model_fields) & set(Waiver.__table__.columns.keys())
        values = {field: getattr(waiver, field) for field in fields - {"state"}}
        shown.append(
            WaiverOut(
                **values,
                state=standing_of(waiver, caller.at),
                void=lifecycle.why_void(waiver, about, at=caller.at),
                subject=about.name if about is not None and named else None,
                label=LabelOut(**load_label(session, waiver.label_id).to_dict()),
                waived_label=LabelOut(**load_label(session, lower).to_dict()) if lower else None,
                approval_id=approvals.get(waiver.id),
            )
        )
    return shown
