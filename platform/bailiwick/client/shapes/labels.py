"""Labels: where they come from, how they rise, and what is out of policy for it."""

from typing import TypedDict

from bailiwick.client.shapes.common import Label


class LabelSource(TypedDict):
    """Who gave a part of a label; `reason` where it was said later."""

    dataset: str
    version: int | None
    by: str
    at: str
    reason: str | None


class LabelPart(TypedDict):
    """Parts that come from one source, and the way from there; zones and purposes NOT allowed."""

    part: str
    names: list[str]
    source: LabelSource | None
    path: list[str]
    unseen: int


class LabelMove(TypedDict):
    """One rise of a label."""

    old: Label
    new: Label
    reason: str
    cause_id: str
    by: str
    at: str


class LabelExplained(TypedDict):
    """A label, where each of its parts comes from, and how it has moved, oldest first."""

    label: Label
    sealed: bool
    parts: list[LabelPart]
    moves: list[LabelMove]


class Breach(TypedDict):
    """Why a deployment is out of policy, since when, and when it is stopped for it."""

    id: str
    deployment_id: str
    deployment: str
    state: str
    version_id: str
    policy_ids: list[str]
    reason: str
    cause: str
    caused_by: str
    owner_id: str
    found_at: str
    stop_at: str | None
    stopped_at: str | None
    resolved_at: str | None
    resolution: str | None


class Relabelled(TypedDict):
    """What one act raised, counted by kind; what it sealed; the breaches that it caused."""

    old: Label
    new: Label
    cause_id: str | None
    moved: dict[str, int]
    sealed: int
    breaches: list[Breach]
    unseen_breaches: int


class Rise(TypedDict):
    """A label that would rise."""

    type: str
    id: str
    name: str
    old: Label
    new: Label


class WouldBreach(TypedDict):
    """A deployment that would be out of policy, with the policies that say so."""

    deployment_id: str
    deployment: str
    version_id: str
    policy_ids: list[str]
    reason: str


class WhatIf(TypedDict):
    """What raising a label would do; what one may not see is counted only."""

    new: Label
    rises: list[Rise]
    unseen_rises: int
    out_of_policy: list[WouldBreach]
    unseen_out_of_policy: int
