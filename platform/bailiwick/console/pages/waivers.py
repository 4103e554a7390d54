"""Waivers: exceptions that others approved, what they are about, and how one asks for another."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy import select

from bailiwick.access import names_of
from bailiwick.console.exceptions import lower_label, pages_of
from bailiwick.console.queries import explained, labels_of
from bailiwick.console.rendering import page
from bailiwick.console.routing import GovernedPage
from bailiwick.console.visibility import visible_waivers
from bailiwick.lifecycle import waivers
from bailiwick.lifecycle.gates import GATES, WAIVABLE_GATES
from bailiwick.lifecycle.subjects import Thing, find_thing, known_subjects, named, resource_of
from bailiwick.lifecycle.tables import Evaluation
from bailiwick.policy import ApprovalRequest, Label, Unseen, Waiver, load_label
from bailiwick.policy.waived import DECLASSIFICATION, GATE
from bailiwick.policy.waivers import MAX_DURATION, Terms, standing_of, waiver_resource
from bailiwick.web import Caller, Cursor, Governed, acts, page_of

WAIVERS_PER_PAGE = 50
OFFERED = timedelta(days=30)

router = APIRouter(prefix="/console/waivers", include_in_schema=False, route_class=GovernedPage)

Words = Annotated[str, Form(max_length=2_000)]
Names = Annotated[list[str], Form()]


@dataclass(frozen=True, slots=True)
class WaiverRow:
    """A waiver as pages show it; `void` says why an active one does not act."""

    waiver: Waiver
    state: str
    void: str | None
    subject: str
    path: str | None
    label: Label
    waived_label: Label | None


@router.get("", **acts("waiver:list"))
def all_waivers(request: Request, caller: Governed, cursor: Cursor = None) -> Response:
    """All that the caller may see, newest first."""
    found, following = page_of(
        caller.session,
        select(Waiver).where(visible_waivers(caller)),
        Waiver.id,
        limit=WAIVERS_PER_PAGE,
        cursor=cursor,
    )
    return page(
        request,
        caller,
        "waivers.html",
        title="Waivers",
        section="waivers",
        rows=_rows(caller, found),
        following=following,
        names=names_of(caller.session, [one.requested_by for one in found]),
    )


@router.get("/{waiver_id}", **acts("waiver:read"))
def one_waiver(request: Request, caller: Governed, waiver_id: UUID) -> Response:
    """One waiver: what it waives, why, on what evidence, and whether it acts."""
    waiver = _governed(caller, waiver_id)
    (row,) = _rows(caller, [waiver])
    asked = caller.session.scalars(
        select(ApprovalRequest)
        .where(ApprovalRequest.subject_id == waiver.id)
        .order_by(ApprovalRequest.id.desc())
    ).first()
    votes = asked.votes if asked else []
    people = [waiver.requested_by, waiver.ended_by, *(who for vote in votes for who in vote.people)]
    return page(
        request,
        caller,
        "waiver.html",
        title=f"Waiver of {row.subject}",
        section="waivers",
        row=row,
        asked=asked,
        gates=GATES,
        lower=explained(caller.rules.scheme, row.waived_label) if row.waived_label else None,
        may_end=row.state == "active"
        and caller.may(waiver_resource(caller.session, waiver), "waiver:end"),
        names=names_of(caller.session, people),
    )


@router.post("/{waiver_id}/end", **acts("waiver:end"))
def end(caller: Governed, waiver_id: UUID, reason: Words) -> Response:
    """End it before its time."""
    waiver = _governed(caller, waiver_id)
    waivers.end_waiver(
        caller.session,
        waiver,
        reason=reason,
        rules=caller.rules,
        actor=caller.actor,
        at=caller.at,
    )
    return RedirectResponse(f"/console/waivers/{waiver_id}", 303)


@router.get("/about/{kind}/{identifier}", **acts("waiver:request"))
def form(request: Request, caller: Governed, kind: str, identifier: UUID) -> Response:
    """What one fills in to ask for a waiver of something."""
    thing = _thing(caller, kind, identifier)
    known, scheme = named(thing), caller.rules.scheme
    label = load_label(caller.session, known.subject.label_id)
    today = caller.at.date()
    return page(
        request,
        caller,
        "waiver_form.html",
        title=f"Ask for a waiver of {known.name}",
        section="waivers",
        known=known,
        about_page=pages_of(caller.session, [known])[known.subject.id],
        label=label,
        levels=scheme.levels[: scheme.level_number(label.level) + 1],
        scheme=scheme,
        people=scheme.approvals_to_waive(label.level),
        gates=_failed(caller, thing),
        meanings=GATES,
        offered=today + OFFERED,
        latest=today + MAX_DURATION - timedelta(days=1),
    )


@router.post("/about/{kind}/{identifier}", **acts("waiver:request"))
def ask(
    caller: Governed,
    kind: str,
    identifier: UUID,
    reason: Words,
    evidence: Words,
    until: Annotated[date, Form()],
    gate: Annotated[str | None, Form(max_length=80)] = None,
    level: Annotated[str, Form(max_length=40)] = "",
    compartments: Names = [],  # noqa: B006 - FastAPI copies defaults
    residency: Names = [],  # noqa: B006
    purposes: Names = [],  # noqa: B006
) -> Response:
    """Ask other people; nothing acts before they have approved."""
    thing = _thing(caller, kind, identifier)
    lower = Label(level, frozenset(compartments), frozenset(residency), frozenset(purposes))
    waiver = waivers.request_waiver(
        caller.session,
        thing,
        Terms(
            kind=GATE if gate else DECLASSIFICATION,
            reason=reason,
            evidence=evidence,
            expires_at=datetime.combine(until, time.max, UTC),
            label=None if gate else lower,
            gate=gate or None,
        ),
        rules=caller.rules,
        tiers=caller.platform.tiers,
        actor=caller.actor,
        at=caller.at,
    )
    return RedirectResponse(f"/console/waivers/{waiver.id}", 303)


def _governed(caller: Caller, waiver_id: UUID) -> Waiver:
    waiver = caller.session.get(Waiver, waiver_id)
    if waiver is None:
        raise Unseen
    caller.require(waiver_resource(caller.session, waiver))
    return waiver


def _thing(caller: Caller, kind: str, identifier: UUID) -> Thing:
    """What a waiver is to be about, after the policy has let the caller ask for one."""
    thing = find_thing(caller.session, kind, identifier)
    if thing is None:
        raise Unseen
    caller.require(resource_of(caller.session, thing))
    return thing


def _failed(caller: Caller, thing: Thing) -> list[dict[str, str]]:
    """The gates that a version failed and that a waiver could excuse, with the reasons."""
    judged = select(Evaluation).where(Evaluation.version_id == thing.id)
    evaluation = caller.session.scalar(judged)
    rejections = evaluation.rejections if evaluation else []
    return [one for one in rejections if one["gate"] in WAIVABLE_GATES]


def _rows(caller: Caller, found: Sequence[Waiver]) -> list[WaiverRow]:
    session = caller.session
    known = known_subjects(session, ((one.subject_type, one.subject_id) for one in found))
    paths = pages_of(session, known.values())
    labels = labels_of(session, [one.label_id for one in found])
    rows = []
    for one in found:
        about = known.get(one.subject_id)
        # Under a label that has risen, its name is no longer for everyone who sees the waiver.
        shown = about is not None and about.subject.label_id == one.label_id
        rows.append(
            WaiverRow(
                waiver=one,
                state=standing_of(one, caller.at),
                void=waivers.why_void(one, about, at=caller.at),
                subject=about.name if about and shown else one.subject_type.replace("-", " "),
                path=paths.get(one.subject_id) if shown else None,
                label=labels[one.label_id],
                waived_label=lower_label(session, one),
            )
        )
    return rows
