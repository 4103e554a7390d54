"""Which channels are told of an alert, and after how long. Pure.

A channel takes an alert if it is enabled, lists its severity, and covers its deployment: by name,
by namespace, or by naming neither. Where no channel takes it, the default channel does if it lists
the severity. A channel may hand over to another: unless somebody has acknowledged the alert after
so many minutes, that one is told too, and then perhaps a third.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from bailiwick.notifications.severity import Severity


@dataclass(frozen=True, slots=True)
class Way:
    """What routing needs to know of a channel."""

    id: UUID
    enabled: bool
    severities: frozenset[str]
    namespaces: frozenset[str]
    deployments: frozenset[str]
    is_default: bool
    escalate_to: UUID | None
    escalate_after: timedelta


def routes(
    ways: Sequence[Way], *, severity: Severity, namespace: str, name: str, escalates: bool
) -> dict[UUID, timedelta]:
    """The channels to tell, each with the time to wait first: none for those told at once.

    `escalates`: nobody has acknowledged the alert yet. A channel that is reached in several ways
    is told at the earliest; chains may be circular, each channel is told once.
    """
    fitting = [way for way in ways if way.enabled and severity in way.severities]
    told = [w for w in fitting if not w.is_default and _covers(w, namespace, name)]
    told = told or [way for way in fitting if way.is_default]
    waits = {way.id: timedelta(0) for way in told}
    if escalates:
        by_id = {way.id: way for way in ways if way.enabled}
        for way in told:
            _hand_over(way, by_id, waits)
    return waits


def _hand_over(way: Way, by_id: Mapping[UUID, Way], waits: dict[UUID, timedelta]) -> None:
    wait, passed = timedelta(0), {way.id}
    while (following := _following(way, by_id)) is not None and following.id not in passed:
        wait += way.escalate_after
        way = following
        passed.add(way.id)
        waits[way.id] = min(wait, waits.get(way.id, wait))


def _following(way: Way, by_id: Mapping[UUID, Way]) -> Way | None:
    return by_id.get(way.escalate_to) if way.escalate_to is not None else None


def _covers(way: Way, namespace: str, name: str) -> bool:
    if not way.namespaces and not way.deployments:
        return True
    return namespace in way.namespaces or f"{namespace}/{name}" in way.deployments
