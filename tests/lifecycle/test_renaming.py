"""Renamed labels: what old names mean, which ones are likely, what training makes of them."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from sqlalchemy import select

from bailiwick.audit import AuditEvent
from bailiwick.core.errors import Invalid
from bailiwick.lifecycle.renaming import likely_renames
from bailiwick.lifecycle.selection import FRAME_SCHEMA, renamed
from bailiwick.lineage.tables import Taxonomy
from bailiwick.lineage.taxonomies import Renames, set_taxonomy, taxonomy_of
from factories import Factory

START = datetime(2020, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
WORDS = {
    "fuel": "diesel petrol pump garage litre",
    "food": "bread milk cheese apple shop",
    "trips": "train ticket fare seat rail",
    "desk": "paper toner stapler pen folder",
}


def rows(*spans: tuple[str, str, int, int]) -> tuple[list[datetime], list[str], list[str]]:
    """(label, what it is about, first day, last day): two rows a day."""
    random = np.random.default_rng(4)
    found = [
        (START + day * DAY, " ".join(random.choice(WORDS[about].split(), 3)), label)
        for label, about, first, last in spans
        for day in range(first, last)
        for _ in range(2)
    ]
    times, texts, labels = zip(*found, strict=True)
    return list(times), list(texts), list(labels)


def test_a_name_that_went_as_another_came_with_the_same_words_is_suggested() -> None:
    found = likely_renames(
        *rows(
            ("Vehicle Fuel", "fuel", 0, 200),
            ("Fuel & Oil", "fuel", 195, 400),  # both for some days
            ("Food", "food", 0, 400),
            ("Stationery", "desk", 0, 150),  # ended
            ("Rail", "trips", 210, 400),  # began
        )
    )
    assert [(one.old, one.new) for one in found] == [("Vehicle Fuel", "Fuel & Oil")]
    assert found[0].likeness > 0.9
    assert (found[0].old_rows, found[0].new_rows) == (400, 410)
    assert found[0].first_new < found[0].last_old


def test_names_that_were_used_beside_each_other_or_years_apart_are_not() -> None:
    beside = rows(("A", "fuel", 0, 300), ("B", "fuel", 100, 400))
    apart = rows(("A", "fuel", 0, 100), ("B", "fuel", 300, 400), ("C", "food", 0, 400))
    assert likely_renames(*beside) == likely_renames(*apart) == []
    assert likely_renames([], [], []) == []


def test_two_that_became_one_are_both_suggested() -> None:
    found = likely_renames(
        *rows(
            ("Petrol", "fuel", 0, 200),
            ("Diesel", "fuel", 0, 200),
            ("Fuel", "fuel", 200, 400),
            ("Food", "food", 0, 400),
        )
    )
    assert {(one.old, one.new) for one in found} == {("Petrol", "Fuel"), ("Diesel", "Fuel")}


def test_frames_are_read_with_names_of_now_and_without_what_was_given_up() -> None:
    times = pa.array([START] * 3, FRAME_SCHEMA.field("time").type)
    frame = pa.table([times, ["a", "b", "c"], ["Petrol", "Misc", "Food"]], schema=FRAME_SCHEMA)
    found = renamed(frame, Renames({"Petrol": "Fuel", "Misc": None}))
    assert found.schema == FRAME_SCHEMA
    assert found["label"].to_pylist() == ["Fuel", "Food"]
    assert renamed(frame, Renames()) is frame


def test_each_change_stays_on_record_and_the_same_again_is_none(make: Factory) -> None:
    dataset = make.dataset()
    said = {"reason": "new ledger", "actor_id": make.engineer.id, "at": make.at}
    assert taxonomy_of(make.session, dataset.id) is None
    first = set_taxonomy(make.session, dataset, Renames({"Petrol": "Fuel"}), **said)
    again = set_taxonomy(make.session, dataset, Renames({"Petrol": "Fuel"}), **said)
    second = set_taxonomy(make.session, dataset, Renames({}), **said)
    assert (first.number, again.id, second.number) == (1, first.id, 2)
    assert taxonomy_of(make.session, dataset.id) is second
    told = make.session.scalars(
        select(AuditEvent.body).where(AuditEvent.action == "taxonomy.set")
    ).all()
    assert len(told) == 2
    assert b'"Petrol":"Fuel"' in told[0]
    assert len(make.session.scalars(select(Taxonomy)).all()) == 2


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ({"Petrol": "Fuel", "Fuel": "Energy"}, "renamed itself"),
        ({"Petrol": "Petrol"}, "called that already"),
        ({"": "Fuel"}, "1 to 200"),
        ({"Petrol": ""}, "1 to 200"),
        ({"Petrol": "x" * 201}, "1 to 200"),
        ({f"l{n}": "Fuel" for n in range(2_001)}, "at most 2,000"),
    ],
)
def test_names_that_cannot_be_are_refused_in_words(names: dict[str, str], said: str) -> None:
    with pytest.raises(Invalid, match=said):
        Renames(names)
