"""Marks on a dataset's columns: personal data, free text, identifier.

States: proposed → accepted, rejected; accepted ↔ rejected. A steward's own mark begins as
accepted. What a person has decided no scan changes; a scan proposes again only what is new:
another column, mark or entity.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Literal, get_args
from uuid import UUID

from sqlalchemy import ColumnElement, select, true
from sqlalchemy.orm import Session

from bailiwick.audit.log import record
from bailiwick.core.errors import Invalid
from bailiwick.core.ids import new_id
from bailiwick.lineage.tables import ColumnMark, Dataset, DatasetVersion
from bailiwick.lineage.tallies import Scan, Tally
from bailiwick.policy import Unseen

Mark = Literal["personal-data", "free-text", "identifier"]
State = Literal["proposed", "accepted", "rejected"]
PROPOSED, ACCEPTED, REJECTED = get_args(State)
MAX_LISTED_COLUMNS = 40


def columns_of_dataset(
    session: Session, dataset: Dataset, *, seen: ColumnElement[bool] | None = None
) -> list[str]:
    """The columns of its versions, those of the newest first; only of those that are `seen`."""
    versions = session.scalars(
        select(DatasetVersion.columns)
        .join(Dataset, Dataset.id == DatasetVersion.dataset_id)
        .where(DatasetVersion.dataset_id == dataset.id, true() if seen is None else seen)
        .order_by(DatasetVersion.number.desc())
    )
    return list(dict.fromkeys(str(one["name"]) for columns in versions for one in columns))


def set_mark(
    session: Session,
    dataset: Dataset,
    column: str,
    mark: Mark,
    *,
    actor_id: UUID,
    at: datetime,
    seen: ColumnElement[bool] | None = None,
) -> ColumnMark:
    """A steward says what a column holds. Said already: the mark that stands, accepted again.

    `seen`: the versions whose columns count. Raises `Invalid`, with the names that there are, for
    a column that none of them has.
    """
    if mark not in get_args(Mark):
        raise Invalid(f"a mark is one of {', '.join(get_args(Mark))}")
    known = columns_of_dataset(session, dataset, seen=seen)
    if column not in known:
        raise Invalid(_unknown_column(known), columns=known[:MAX_LISTED_COLUMNS])
    _lock(session, dataset)
    standing = session.scalar(
        select(ColumnMark).where(
            ColumnMark.dataset_id == dataset.id,
            ColumnMark.column == column,
            ColumnMark.mark == mark,
            ColumnMark.entity == "",
        )
    )
    if standing is not None:
        return decide_mark(session, standing, accept=True, actor_id=actor_id, at=at)
    made = ColumnMark(
        id=new_id(),
        dataset_id=dataset.id,
        column=column,
        mark=mark,
        source="steward",
        entity="",
        state=ACCEPTED,
        proposed_by=actor_id,
        proposed_at=at,
        decided_by=actor_id,
        decided_at=at,
    )
    session.add(made)
    session.flush()
    _record(session, "column-mark.set", made, actor_id=actor_id, at=at)
    return made


def find_mark(session: Session, dataset: Dataset, mark_id: UUID) -> ColumnMark:
    """That mark of the dataset, or `Unseen`."""
    found = session.get(ColumnMark, mark_id)
    if found is None or found.dataset_id != dataset.id:
        raise Unseen
    return found


def decide_mark(
    session: Session, mark: ColumnMark, *, accept: bool, actor_id: UUID, at: datetime
) -> ColumnMark:
    """A steward accepts or rejects a mark, whoever set it. Decided so already: nothing changes."""
    state = ACCEPTED if accept else REJECTED
    if mark.state == state:
        return mark
    old, mark.state = mark.state, state
    mark.decided_by, mark.decided_at = actor_id, at
    session.flush()
    _record(session, f"column-mark.{state}", mark, actor_id=actor_id, at=at, was=old)
    return mark


def propose_marks(
    session: Session, version: DatasetVersion, found: Scan, *, actor_id: UUID, at: datetime
) -> list[ColumnMark]:
    """Keep what a scan of the version found; the proposals that it made or counted anew.

    An open proposal that this scan did not find again keeps standing, with its new counts.
    """
    dataset = version.dataset
    _lock(session, dataset)
    marks = session.scalars(select(ColumnMark).where(ColumnMark.dataset_id == dataset.id))
    standing = {(one.column, one.mark, one.entity): one for one in marks}
    tallies = {(one.column, one.mark, one.entity): one for one in found.tallies}
    proposals = [
        _proposed(session, dataset, tally, actor_id=actor_id, at=at)
        for key, tally in tallies.items()
        if tally.is_evident and key not in standing
    ]
    for key, mark in standing.items():
        if mark.state == PROPOSED and mark.column in found.sampled:
            proposals.append(mark)
            if _recounted(mark, tallies.get(key), found.sampled[mark.column]):
                _record(session, "column-mark.counted", mark, actor_id=actor_id, at=at)
    session.flush()
    record(
        session,
        "dataset-version.scanned",
        subject_type="dataset-version",
        subject_id=version.id,
        actor_id=actor_id,
        at=at,
        details={
            "rows": found.rows,
            "sampled_rows": found.sampled_rows,
            "proposals": len(proposals),
        },
    )
    return sorted(proposals, key=lambda one: (one.column, one.mark, one.entity))


def marks_by_dataset(
    session: Session, dataset_ids: Iterable[UUID], *states: State
) -> dict[UUID, list[ColumnMark]]:
    """The marks of some datasets in these states (none named: in all), in one query."""
    query = (
        select(ColumnMark)
        .where(ColumnMark.dataset_id.in_(set(dataset_ids)))
        .order_by(ColumnMark.column, ColumnMark.mark, ColumnMark.entity)
    )
    if states:
        query = query.where(ColumnMark.state.in_(states))
    found: dict[UUID, list[ColumnMark]] = {}
    for mark in session.scalars(query):
        found.setdefault(mark.dataset_id, []).append(mark)
    return found


def marks_on(version: DatasetVersion, marks: Sequence[ColumnMark]) -> list[ColumnMark]:
    """Those of the dataset's marks whose column the version has."""
    names = {one["name"] for one in version.columns}
    return [mark for mark in marks if mark.column in names]


def _lock(session: Session, dataset: Dataset) -> None:
    """Two scans of one dataset follow each other."""
    session.refresh(dataset, with_for_update=True)


def _proposed(
    session: Session, dataset: Dataset, tally: Tally, *, actor_id: UUID, at: datetime
) -> ColumnMark:
    made = ColumnMark(
        id=new_id(),
        dataset_id=dataset.id,
        column=tally.column,
        mark=tally.mark,
        source="scanner",
        entity=tally.entity,
        recogniser=tally.recogniser,
        score=tally.score,
        sampled=tally.sampled,
        matched=tally.matched,
        state=PROPOSED,
        proposed_by=actor_id,
        proposed_at=at,
    )
    session.add(made)
    _record(session, "column-mark.proposed", made, actor_id=actor_id, at=at)
    return made


def _recounted(mark: ColumnMark, tally: Tally | None, sampled: int) -> bool:
    """Take over the newest counts; whether they are others than before."""
    before = (mark.sampled, mark.matched, mark.score, mark.recogniser)
    mark.sampled, mark.matched = sampled, tally.matched if tally else 0
    if tally is not None:
        mark.score, mark.recogniser = tally.score, tally.recogniser
    return before != (mark.sampled, mark.matched, mark.score, mark.recogniser)


def _record(
    session: Session,
    action: str,
    mark: ColumnMark,
    *,
    actor_id: UUID,
    at: datetime,
    was: str | None = None,
) -> None:
    details = {
        "dataset": str(mark.dataset_id),
        "column": mark.column,
        "mark": mark.mark,
        "entity": mark.entity,
        "recogniser": mark.recogniser,
        "sampled": mark.sampled,
        "matched": mark.matched,
        "was": was,
    }
    record(
        session,
        action,
        subject_type="column-mark",
        subject_id=mark.id,
        actor_id=actor_id,
        at=at,
        details={name: value for name, value in details.items() if value is not None},
    )


def _unknown_column(known: Sequence[str]) -> str:
    if not known:
        return "the dataset has no versions yet, so no columns: register rows, then mark them"
    listed = ", ".join(f"'{name}'" for name in known[:MAX_LISTED_COLUMNS])
    return f"no version of the dataset has such a column; it has {listed}"
