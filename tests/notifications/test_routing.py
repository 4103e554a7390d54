from datetime import timedelta
from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from bailiwick.notifications import Severity
from bailiwick.notifications.routing import Way, routes

NOW = timedelta(0)
EVERY = frozenset(Severity)
A, B, C = (UUID(int=number) for number in (1, 2, 3))


def way(identifier: UUID, **changes: Any) -> Way:
    fields: dict[str, Any] = {
        "enabled": True,
        "severities": EVERY,
        "namespaces": frozenset(),
        "deployments": frozenset(),
        "is_default": False,
        "escalate_to": None,
        "escalate_after": NOW,
    }
    return Way(id=identifier, **fields | changes)


def told(*ways: Way, severity: Severity = Severity.PAGE, escalates: bool = True) -> dict[UUID, int]:
    found = routes(ways, severity=severity, namespace="finance", name="cards", escalates=escalates)
    return {identifier: int(wait.total_seconds() / 60) for identifier, wait in found.items()}


def test_a_channel_without_places_takes_everything() -> None:
    assert told(way(A)) == {A: 0}


def test_a_channel_takes_its_severities_namespaces_and_deployments() -> None:
    assert told(way(A, severities=frozenset({"note"}))) == {}
    assert told(way(A, namespaces=frozenset({"people"}))) == {}
    assert told(way(A, namespaces=frozenset({"finance"}))) == {A: 0}
    assert told(way(A, deployments=frozenset({"finance/cards"}))) == {A: 0}
    assert told(way(A, deployments=frozenset({"people/cards"}))) == {}


def test_the_default_channel_takes_what_no_other_takes() -> None:
    default, notes = way(A, is_default=True), way(B, severities=frozenset({"note"}))
    assert told(default, notes) == {A: 0}
    assert told(default, notes, severity=Severity.NOTE) == {B: 0}
    assert told(way(A, is_default=True, severities=frozenset())) == {}


def test_a_channel_that_is_switched_off_takes_nothing() -> None:
    assert told(way(A, enabled=False), way(B, is_default=True)) == {B: 0}
    off = way(B, enabled=False)
    assert told(way(A, escalate_to=B, escalate_after=timedelta(minutes=5)), off) == {A: 0}


def test_what_nobody_acknowledges_is_handed_over_and_over() -> None:
    first = way(A, escalate_to=B, escalate_after=timedelta(minutes=5))
    quiet: Any = {"severities": frozenset()}
    second = way(B, escalate_to=C, escalate_after=timedelta(minutes=10), **quiet)
    assert told(first, second, way(C, **quiet)) == {A: 0, B: 5, C: 15}
    assert told(first, second, way(C, **quiet), escalates=False) == {A: 0}


def test_a_circle_of_channels_tells_each_once() -> None:
    first = way(A, escalate_to=B, escalate_after=timedelta(minutes=5))
    second = way(
        B, escalate_to=A, escalate_after=timedelta(minutes=5), severities=frozenset({"note"})
    )
    assert told(first, second) == {A: 0, B: 5}


@given(
    st.lists(
        st.builds(
            way,
            st.sampled_from([UUID(int=n) for n in range(6)]),
            enabled=st.booleans(),
            severities=st.frozensets(st.sampled_from(list(Severity))),
            namespaces=st.frozensets(st.sampled_from(["finance", "people"])),
            is_default=st.booleans(),
            escalate_to=st.none() | st.sampled_from([UUID(int=n) for n in range(6)]),
            escalate_after=st.timedeltas(timedelta(minutes=1), timedelta(days=1)),
        ),
        unique_by=lambda one: one.id,
    ),
    st.sampled_from(list(Severity)),
)
def test_only_channels_that_are_on_are_told_and_some_are_told_at_once(
    ways: list[Way], severity: Severity
) -> None:
    found = routes(ways, severity=severity, namespace="finance", name="cards", escalates=True)
    by_id = {one.id: one for one in ways}
    assert all(by_id[identifier].enabled for identifier in found)
    at_once = [by_id[identifier] for identifier, wait in found.items() if not wait]
    assert bool(at_once) == bool(found)
    assert all(severity in one.severities for one in at_once)
    takers = [
        one
        for one in ways
        if one.enabled
        and severity in one.severities
        and not one.is_default
        and (not one.namespaces or "finance" in one.namespaces)
    ]
    assert {one.id for one in at_once} >= {one.id for one in takers}
