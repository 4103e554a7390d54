"""What a relabelling asks of the database, whatever the length of the lineage."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from sqlalchemy import event
from sqlalchemy.orm import Session

from bailiwick.lifecycle.relabelling import relabel_dataset
from factories import Factory
from support.lineage_graphs import OPEN, Lineage

HIGHER = replace(OPEN, level="internal")


@contextmanager
def counted(session: Session) -> Iterator[list[str]]:
    statements: list[str] = []

    def note(_: Any, __: Any, statement: str, *___: Any) -> None:
        statements.append(statement)

    engine = session.get_bind()
    event.listen(engine, "before_cursor_execute", note)
    yield statements
    event.remove(engine, "before_cursor_execute", note)


def test_a_longer_lineage_needs_no_more_statements(make: Factory) -> None:
    lineage = Lineage.begin(make)
    counts = []
    for length in (1, 2, 12):  # the first one also stores the words of the label
        first = newest = lineage.data()
        for _ in range(length):
            newest = lineage.data(lineage.model(newest))
        with counted(make.session) as statements:
            relabel_dataset(
                make.session,
                first.dataset,
                HIGHER,
                reason="x",
                rules=make.platform.rules,
                actor=make.actor(lineage.steward),
                at=make.at,
            )
        assert lineage.label(newest) == HIGHER
        counts.append(len(statements))
    assert counts[1] == counts[2]
