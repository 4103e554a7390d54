"""Waivers as answers about their subjects show them: which act now, and until when."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from bailiwick.api.schemas import LabelOut, Schema
from bailiwick.policy import Subject, Waiver, acting_waivers, load_label
from bailiwick.web import Caller


class ActingWaiverOut(Schema):
    """An exception that acts for what is shown: a lower label, or a gate that is excused."""

    id: UUID
    kind: str
    label: LabelOut | None
    gate: str | None
    expires_at: datetime


def waivers_shown(caller: Caller, subjects: Iterable[Subject]) -> dict[UUID, list[ActingWaiverOut]]:
    """Those that act now, by subject id, in one query."""
    acting = acting_waivers(caller.session, subjects, at=caller.at)
    return {
        identifier: [_shown(caller, waiver) for waiver in waivers]
        for identifier, waivers in acting.items()
    }


def _shown(caller: Caller, waiver: Waiver) -> ActingWaiverOut:
    lower = waiver.waived_label_id
    return ActingWaiverOut(
        id=waiver.id,
        kind=waiver.kind,
        label=LabelOut(**load_label(caller.session, lower).to_dict()) if lower else None,
        gate=waiver.gate,
        expires_at=waiver.expires_at,
    )
