"""Lists let through what a waiver opens, exactly as a read of each row would, at any moment."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from bailiwick.lifecycle.subjects import Thing, resource_of
from bailiwick.lineage import (
    WAIVABLE_DATASET_VERSIONS,
    WAIVABLE_DATASETS,
    Dataset,
    DatasetVersion,
)
from bailiwick.policy import Actor, Waivable, Waiver, ask, intern_label, visible
from bailiwick.registry import (
    WAIVABLE_DEPLOYMENTS,
    WAIVABLE_VERSIONS,
    Deployment,
    ModelVersion,
    RegisteredModel,
)
from factories import CONFIDENTIAL, Factory
from support.waiving import LOW, MONTH, acting, asked, terms

PUBLIC = replace(LOW, level="public")
RESTRICTED = replace(CONFIDENTIAL, level="restricted")
# Table: the row that has the namespace, the action that reads, and what can be waived.
LISTS: dict[type[Thing], tuple[Any, str, Waivable]] = {
    Dataset: (Dataset, "dataset:read", WAIVABLE_DATASETS),
    DatasetVersion: (Dataset, "dataset:read", WAIVABLE_DATASET_VERSIONS),
    ModelVersion: (RegisteredModel, "version:read", WAIVABLE_VERSIONS),
    Deployment: (Deployment, "deployment:read", WAIVABLE_DEPLOYMENTS),
}


@pytest.fixture
def things(make: Factory) -> list[Thing]:
    """Of each kind one without a waiver and one for each way in which one acts or does not."""
    rows = make.dataset_version(make.dataset())
    model = make.model()
    versions = [make.model_version(model, rows) for _ in range(2)]
    make.champion(versions[-1])
    running = [make.deployment(model, make.environment(f"e{n}"), name=f"d{n}") for n in range(2)]
    datasets = [make.dataset(f"set-{number}") for number in range(7)]
    acting(make, rows)
    acting(make, versions[0], terms(make.at, label=PUBLIC))
    acting(make, running[0])
    asked(make, datasets[0])
    acting(make, datasets[1])
    acting(make, datasets[2], terms(make.at, label=PUBLIC))
    acting(make, datasets[3], terms(make.at, expires_at=make.at + timedelta(days=1)))
    acting(make, datasets[4]).state = "ended"
    acting(make, datasets[5])
    datasets[5].label_id = intern_label(make.session, RESTRICTED)
    make.session.flush()
    return [rows, *versions, *running, *datasets]


@pytest.fixture
def actors(make: Factory) -> list[Actor]:
    found = []
    for level in make.platform.rules.scheme.levels:
        for compartments in ([], ["finance"]):
            person = make.principal(f"{level}-{len(compartments)}", "steward", clearance=level)
            person.clearance_compartments = compartments
            found.append(make.actor(person))
    return [*found, make.actor(make.principal("elsewhere", "steward", namespace="people"))]


def listed(make: Factory, actor: Actor, table: type[Thing], at: datetime) -> set[Any]:
    owner, action, waivable = LISTS[table]
    clause = visible(
        make.session,
        make.platform.rules,
        actor=actor,
        action=action,
        resource_type=table.__name__,
        namespace=owner.namespace,
        label_id=table.label_id,
        at=at,
        waivable=waivable,
    )
    query = select(table.id).where(clause)
    if table is DatasetVersion:
        query = query.join(Dataset, Dataset.id == DatasetVersion.dataset_id)
    if table is ModelVersion:
        query = query.join(RegisteredModel, RegisteredModel.id == ModelVersion.model_id)
    return set(make.session.scalars(query))


def test_lists_show_exactly_what_reading_each_row_would_allow(
    make: Factory, things: list[Thing], actors: list[Actor]
) -> None:
    rules, told = make.platform.rules, set()
    for at in (make.at, make.at + timedelta(days=2), make.at + MONTH):
        for actor in actors:
            for table, (_, action, _) in LISTS.items():
                readable = {
                    thing.id
                    for thing in things
                    if isinstance(thing, table)
                    and ask(
                        rules,
                        actor=actor,
                        action=action,
                        resource=resource_of(make.session, thing),
                        at=at,
                    ).verdict.allowed
                }
                found = listed(make, actor, table, at) & {thing.id for thing in things}
                assert found == readable, (actor.name, table, at)
                told.add((table.__name__, at, actor.name, len(readable)))
    # The comparison means something: what is seen depends on who looks, and when.
    assert len({line[3] for line in told if line[0] == "Dataset"}) > 4


def test_a_count_over_a_list_counts_each_row_once(
    make: Factory, session: Session, things: list[Thing], actors: list[Actor]
) -> None:
    assert session.query(Waiver).count() > 5
    everything = next(actor for actor in actors if actor.name == "restricted-1")
    for table in LISTS:
        found = listed(make, everything, table, make.at)
        assert len(found) == sum(isinstance(thing, table) for thing in things) + (
            table is Dataset  # the one that the rows are of
        )
