"""Marks on columns: who proposes, who decides, and what a scan may no longer change."""

from typing import Any

import pytest
from sqlalchemy import func, select

from bailiwick.audit import AuditEvent
from bailiwick.core.errors import Invalid
from bailiwick.lineage import (
    ColumnMark,
    DatasetVersion,
    decide_mark,
    find_mark,
    marks_by_dataset,
    marks_on,
    propose_marks,
    set_mark,
)
from bailiwick.lineage.tallies import Scan, Tally
from bailiwick.policy import Unseen
from factories import Factory


@pytest.fixture
def version(make: Factory) -> DatasetVersion:
    return make.dataset_version(make.dataset(), rows=20)


def tally(entity: str = "EMAIL_ADDRESS", matched: int = 3, **changes: Any) -> Tally:
    given: dict[str, Any] = {"column": "merchant", "mark": "personal-data", "recogniser": "email"}
    given |= {"score": 0.95, "sampled": 20}
    return Tally(entity=entity, matched=matched, **(given | changes))


def proposals(make: Factory, version: DatasetVersion, *tallies: Tally) -> list[ColumnMark]:
    found = Scan(20, 20, {"merchant": 20, "cost_centre": 20}, tallies)
    return propose_marks(make.session, version, found, actor_id=make.engineer.id, at=make.at)


def decided(make: Factory, mark: ColumnMark, *, accept: bool) -> ColumnMark:
    by = make.approver.id
    return decide_mark(make.session, mark, accept=accept, actor_id=by, at=make.at)


def actions(make: Factory) -> list[str]:
    query = select(AuditEvent.action).order_by(AuditEvent.id)
    return [
        action
        for action in make.session.scalars(query)
        if action.startswith(("column-mark", "dataset-version.scanned"))
    ]


def test_a_steward_marks_a_column_once(make: Factory, version: DatasetVersion) -> None:
    data = version.dataset
    by: dict[str, Any] = {"actor_id": make.engineer.id, "at": make.at}
    mark = set_mark(make.session, data, "merchant", "personal-data", **by)
    assert (mark.source, mark.state, mark.entity, mark.matched) == ("steward", "accepted", "", None)
    assert set_mark(make.session, data, "merchant", "personal-data", **by) is mark
    assert actions(make) == ["column-mark.set"]
    decided(make, mark, accept=False)
    assert set_mark(make.session, data, "merchant", "personal-data", **by).state == "accepted"
    assert actions(make)[1:] == ["column-mark.rejected", "column-mark.accepted"]


def test_a_column_that_is_not_there_is_refused_with_those_that_are(
    make: Factory, version: DatasetVersion
) -> None:
    by: dict[str, Any] = {"actor_id": make.engineer.id, "at": make.at}
    with pytest.raises(Invalid, match="'merchant', 'cost_centre', 'category'"):
        set_mark(make.session, version.dataset, "mechant", "free-text", **by)
    with pytest.raises(Invalid, match="no versions yet"):
        set_mark(make.session, make.dataset("empty"), "merchant", "free-text", **by)
    with pytest.raises(Invalid, match="personal-data, free-text"):
        set_mark(make.session, version.dataset, "merchant", "secret", **by)  # type: ignore[arg-type]
    assert actions(make) == []


def test_a_scan_proposes_and_a_person_decides(make: Factory, version: DatasetVersion) -> None:
    (mark,) = proposals(make, version, tally(), tally("AGE", is_evident=False))
    assert (mark.source, mark.state, mark.sampled, mark.matched) == ("scanner", "proposed", 20, 3)
    assert (mark.proposed_by, mark.decided_by) == (make.engineer.id, None)
    decided(make, mark, accept=True)
    assert (mark.state, mark.decided_by, mark.decided_at) == ("accepted", make.approver.id, make.at)
    decided(make, mark, accept=True)
    assert actions(make) == [
        "column-mark.proposed",
        "dataset-version.scanned",
        "column-mark.accepted",
    ]


def test_a_scan_again_counts_anew_and_doubles_nothing(
    make: Factory, version: DatasetVersion
) -> None:
    (first,) = proposals(make, version, tally())
    (again,) = proposals(make, version, tally(matched=5, score=0.9))
    assert again is first
    assert (first.matched, first.score) == (5, 0.9)
    proposals(make, version, tally(matched=5, score=0.9))
    proposals(make, version)
    assert (first.state, first.matched) == ("proposed", 0)
    assert make.session.scalar(select(func.count()).select_from(ColumnMark)) == 1
    assert [action for action in actions(make) if "scanned" not in action] == [
        "column-mark.proposed",
        "column-mark.counted",
        "column-mark.counted",
    ]


@pytest.mark.parametrize("accept", [True, False])
def test_what_was_decided_no_scan_changes(
    make: Factory, version: DatasetVersion, *, accept: bool
) -> None:
    (mark,) = proposals(make, version, tally())
    decided(make, mark, accept=accept)
    before = (mark.state, mark.matched, mark.decided_by, mark.revision)
    assert proposals(make, version, tally(matched=20)) == []
    assert (mark.state, mark.matched, mark.decided_by, mark.revision) == before


def test_another_entity_is_proposed_beside_a_rejected_one(
    make: Factory, version: DatasetVersion
) -> None:
    (mark,) = proposals(make, version, tally())
    decided(make, mark, accept=False)
    (new,) = proposals(make, version, tally(), tally("PHONE_NUMBER"))
    assert (new.entity, new.state, mark.state) == ("PHONE_NUMBER", "proposed", "rejected")


def test_a_column_that_was_not_scanned_keeps_its_counts(
    make: Factory, version: DatasetVersion
) -> None:
    (mark,) = proposals(make, version, tally(column="category"))
    proposals(make, version)
    assert mark.matched == 3


def test_marks_are_found_by_dataset_state_and_version(
    make: Factory, version: DatasetVersion
) -> None:
    (mark,) = proposals(make, version, tally())
    data = version.dataset
    assert find_mark(make.session, data, mark.id) is mark
    with pytest.raises(Unseen):
        find_mark(make.session, make.dataset("other"), mark.id)
    assert marks_by_dataset(make.session, [data.id]) == {data.id: [mark]}
    assert marks_by_dataset(make.session, [data.id], "accepted") == {}
    assert marks_on(version, [mark]) == [mark]
    mark.column = "gone"
    assert marks_on(version, [mark]) == []
