"""Renamed labels in what is counted and told: both names are right, whatever order it came in."""

from datetime import datetime, timedelta
from uuid import UUID

import numpy as np
import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from bailiwick.lifecycle import Platform
from bailiwick.lineage import Dataset
from bailiwick.lineage.taxonomies import Renames, set_taxonomy
from bailiwick.monitoring import Inference, Outcome, accuracy_between, log_inferences
from bailiwick.monitoring.confusion import LabelArrival, LabelLedger, counts_between, hours_between
from bailiwick.monitoring.confusion.counts import LabelCounts
from bailiwick.monitoring.labelled import count
from bailiwick.monitoring.naming import AS_SENT, namings_of, read_as
from bailiwick.registry import ModelVersion
from factories import Factory
from support.api_traffic import FOREVER
from support.api_traffic import START as KEPT_START
from support.kept_records import Kept, days
from support.labelled_traffic import DAY, HOUR, START, LabelledTraffic

NAMES = ("Fuel", "Petrol", "Travel", "Cheque")
TAXONOMIES: tuple[dict[str, str | None], ...] = (
    {"Petrol": "Fuel", "Cheque": None},
    {},
    {"Petrol": "Travel"},
)


@pytest.fixture
def traffic(make: Factory) -> LabelledTraffic:
    return LabelledTraffic(make)


def rename(session: Session, names: dict[str, str | None], actor_id: UUID, at: datetime) -> None:
    dataset = session.scalars(select(Dataset)).one()
    set_taxonomy(session, dataset, Renames(names), reason="x", actor_id=actor_id, at=at)


def ask(traffic: LabelledTraffic, said: dict[str, str]) -> None:
    """Requests that were answered in the first hour, by record id."""
    own = [
        Inference(
            record_id=about,
            at=START,
            prediction=answer,
            confidence=0.7,
            characters=None,
            words=None,
            unseen_words_ratio=None,
            text=None,
            segments={"region": "north"},
        )
        for about, answer in said.items()
    ]
    make = traffic.make
    log_inferences(make.session, traffic.deployment.id, traffic.version_id, own, at=START)


def counts_of(traffic: LabelledTraffic) -> LabelCounts:
    session, identifier = traffic.make.session, traffic.deployment.id
    return counts_between(session, identifier, None, start=START, end=START + 99 * DAY)


@pytest.mark.parametrize("seed", range(4))
def test_labels_count_by_what_names_meant_when_they_came(
    traffic: LabelledTraffic, seed: int
) -> None:
    make, random = traffic.make, np.random.default_rng(seed)
    classes = make.session.get_one(ModelVersion, traffic.version_id).labels
    count(make.session, traffic.monitor, at=START)
    said = {f"r{number}": str(random.choice(NAMES)) for number in range(12)}
    ask(traffic, said)
    in_force: dict[str, str | None] = {}
    stand: dict[str, tuple[str | None, dict[str, str | None]]] = {}
    at = START
    for _ in range(60):
        at += timedelta(minutes=25)
        if random.random() < 0.1:
            at = at.replace(minute=0) + HOUR  # what names mean changes for the hours that follow
            in_force = dict(TAXONOMIES[int(random.integers(len(TAXONOMIES)))])
            rename(make.session, in_force, make.engineer.id, at)
        elif random.random() < 0.3:
            count(make.session, traffic.monitor, at=at)
        else:
            about = f"r{random.integers(len(said))}"
            label = None if random.random() < 0.2 else str(random.choice(NAMES))
            if (stand[about][0] if about in stand else None) != label:
                stand[about] = label, in_force
            traffic.tell({about: label}, at=at)
    count(make.session, traffic.monitor, at=at)
    read = [
        (said[about], read_as(label, said[about], Renames(renames), classes))
        for about, (label, renames) in stand.items()
    ]
    known = [(answer, label) for answer, label in read if label is not None]
    counts = counts_of(traffic)
    assert (counts.rows, counts.correct) == (len(known), sum(one == label for one, label in known))
    traffic.tell(dict.fromkeys(stand), at=at + HOUR)
    count(make.session, traffic.monitor, at=at + HOUR)
    assert counts_of(traffic).to_bytes() == LabelCounts().to_bytes()


def test_an_old_name_that_comes_after_the_rename_is_no_error_and_shows_as_the_class(
    traffic: LabelledTraffic,
) -> None:
    session, identifier = traffic.make.session, traffic.deployment.id
    count(session, traffic.monitor, at=START)
    ask(traffic, dict.fromkeys(("before", "after", "given up"), "Fuel"))
    traffic.tell({"before": "Petrol"}, at=START + HOUR)
    by = traffic.make.engineer.id
    rename(session, {"Petrol": "Fuel", "Cheque": None}, by, START + 2 * HOUR)
    traffic.tell({"after": "Petrol", "given up": "Cheque"}, at=START + 3 * HOUR)
    count(session, traffic.monitor, at=START + 4 * HOUR)
    [hour] = hours_between(session, identifier, start=START, end=START + DAY)
    assert (hour.rows, hour.correct) == (2, 1)
    names = session.get_one(LabelLedger, identifier).labels
    cells = {(names[said], names[true]): n for (said, true), n in counts_of(traffic).cells.items()}
    assert cells == {("Fuel", "Petrol"): 1, ("Fuel", "Fuel"): 1}
    arrived = {one.arrived: (one.rows, one.wrong) for one in traffic.every(LabelArrival)}
    assert arrived == {START + HOUR: (1, 1), START + 3 * HOUR: (1, 0)}


def test_accuracy_reads_all_labels_by_the_names_of_now_archived_ones_too(
    platform: Platform,
) -> None:
    kept = Kept.on(platform)
    kept.keep(days(5))
    old, new = Outcome("d00-1", "Petrol"), Outcome("d04-0", "Petrol")
    kept.tell(old, new, Outcome("d01-0", "Cheque"), at=KEPT_START + 11 * DAY)
    assert kept.archive_all(KEPT_START + 33 * DAY) == 3

    def told() -> tuple[int, int, int]:
        with platform.database.reading() as session:
            found = accuracy_between(
                session,
                kept.deployment_id,
                start=KEPT_START,
                end=FOREVER,
                known_at=FOREVER,
                blobs=platform.blobs,
                namings=namings_of(session, kept.deployment_id),
            )
        return found.rows, found.labelled_rows, found.correct

    assert told() == (15, 3, 0)
    with platform.database.transaction() as session:
        rename(session, {"Petrol": "Fuel", "Cheque": None}, kept.actor_id, KEPT_START)
    assert told() == (15, 2, 2)


def test_versions_of_data_that_was_never_renamed_have_no_naming(traffic: LabelledTraffic) -> None:
    make = traffic.make
    assert namings_of(make.session, traffic.deployment.id) == {}
    assert AS_SENT.read("Petrol", "Fuel") == "Petrol"
    rename(make.session, {"Petrol": "Fuel"}, make.engineer.id, START)
    rename(make.session, {}, make.engineer.id, START + DAY)
    [(version_id, naming)] = namings_of(make.session, traffic.deployment.id).items()
    assert version_id == traffic.version_id
    when = [START - HOUR, START, START + HOUR, START + DAY]
    read = [naming.read("Petrol", "Fuel", at=one) for one in when]
    assert read == ["Petrol", "Fuel", "Fuel", "Petrol"]
