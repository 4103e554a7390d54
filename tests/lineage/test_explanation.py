"""Who set each part of a label, and the shortest way from there."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bailiwick.lifecycle.relabelling import relabel_dataset, relabel_dataset_version
from bailiwick.lineage import Dataset, DatasetVersion, Node
from bailiwick.lineage.explanation import Explained, explain_dataset, explain_label, parts_of
from bailiwick.policy import Label, Scheme, load_label
from factories import Factory
from support.lineage_graphs import OPEN, Lineage, Version, node

SCHEME = Scheme.load(Path(__file__).parents[2] / "policies" / "classification.yaml")
LABELS = st.builds(
    lambda *words: SCHEME.known(Label(*words)),
    st.sampled_from(SCHEME.levels),
    st.frozensets(st.sampled_from(sorted(SCHEME.compartments)), max_size=2),
    st.frozensets(st.sampled_from(sorted(SCHEME.zones)), max_size=3),
    st.frozensets(st.sampled_from(sorted(SCHEME.purposes)), max_size=3),
)
FINANCE = replace(OPEN, compartments=frozenset({"finance"}))
HEALTH = replace(OPEN, level="internal", compartments=frozenset({"health"}))


@pytest.fixture
def lineage(make: Factory) -> Lineage:
    return Lineage.begin(make)


def raise_to(make: Factory, lineage: Lineage, target: Dataset | DatasetVersion, to: Label) -> None:
    more: dict[str, Any] = {
        "reason": "x",
        "rules": make.platform.rules,
        "actor": make.actor(lineage.steward),
        "at": make.at,
    }
    if isinstance(target, Dataset):
        relabel_dataset(make.session, target, to, **more)
    else:
        relabel_dataset_version(make.session, target, to, **more)


def explained(make: Factory, *ends: Version, label: Label | None = None) -> dict[str, Explained]:
    make.session.expire_all()
    own = label or load_label(make.session, ends[0].label_id)
    found = explain_label(make.session, SCHEME, own, [node(one) for one in ends])
    return {f"{one.kind} {' '.join(one.names)}": one for one in found}


@given(LABELS, LABELS)
def test_a_label_dominates_another_exactly_if_it_has_all_its_parts(a: Label, b: Label) -> None:
    assert SCHEME.dominates(a, b) == (parts_of(SCHEME, a) >= parts_of(SCHEME, b))
    joined = SCHEME.join_or_seal([a, b])
    assert parts_of(SCHEME, joined) == parts_of(SCHEME, a) | parts_of(SCHEME, b)


def test_each_part_is_traced_to_the_input_that_brought_it(make: Factory, lineage: Lineage) -> None:
    finance, health = lineage.data(label=FINANCE), lineage.data(label=HEALTH)
    mixed = lineage.data(finance, health)
    model = lineage.model(mixed)
    found = explained(make, model)
    assert set(found) == {"level internal", "compartment finance", "compartment health"}
    for part, source in (("compartment finance", finance), ("level internal", health)):
        cause = found[part].source
        assert cause is not None
        assert (cause.dataset_id, cause.version, cause.move_id) == (source.dataset_id, None, None)
        assert cause.actor_id == make.engineer.id
        assert found[part].path == (node(source), node(mixed), node(model))


def test_the_way_is_the_shortest_and_the_nearest_source_is_named(
    make: Factory, lineage: Lineage
) -> None:
    far = lineage.data(label=FINANCE)
    step = lineage.data(far)
    near = lineage.data(label=FINANCE)
    model = lineage.model(step, near)
    assert explained(make, model)["compartment finance"].path == (node(near), node(model))
    both = lineage.model(step, far)
    assert explained(make, both)["compartment finance"].path == (node(far), node(both))


def test_what_was_said_later_names_who_said_it_of_what(make: Factory, lineage: Lineage) -> None:
    data = lineage.data(label=FINANCE)
    other = lineage.data(into=data.dataset)
    model, second = lineage.model(data), lineage.model(other)
    raise_to(make, lineage, data.dataset, replace(FINANCE, level="internal"))
    only = FINANCE.compartments | {"legal"}
    raise_to(make, lineage, data, replace(FINANCE, level="internal", compartments=only))
    found = explained(make, model)
    level, legal = found["level internal"].source, found["compartment legal"].source
    assert level is not None
    assert legal is not None
    assert (level.version, legal.version) == (None, data)
    assert level.actor_id == legal.actor_id == lineage.steward.id
    assert None not in (level.move_id, legal.move_id)
    declared = found["compartment finance"].source
    assert declared is not None
    assert declared.move_id is None
    assert "compartment legal" not in explained(make, second)
    own = explain_dataset(make.session, SCHEME, data.dataset)
    assert [(one.kind, one.names, one.path) for one in own] == [
        ("level", ("internal",), ()),
        ("compartment", ("finance",), ()),
    ]
    assert [one.source for one in own] == [level, declared]


def test_zones_and_purposes_that_are_not_allowed_are_parts(make: Factory, lineage: Lineage) -> None:
    narrow = replace(
        OPEN, residency=frozenset({"eu", "uk"}), purposes=OPEN.purposes - {"research", "security"}
    )
    model = lineage.model(lineage.data(label=narrow))
    assert set(explained(make, model)) == {
        "level public",
        "residency us world",
        "purpose research security",
    }


def test_a_sealed_label_names_both_that_exclude_each_other(make: Factory, lineage: Lineage) -> None:
    one, other = lineage.data(), lineage.data()
    model = lineage.model(one, other)
    raise_to(make, lineage, one.dataset, replace(OPEN, residency=frozenset({"eu"})))
    raise_to(make, lineage, other.dataset, replace(OPEN, residency=frozenset({"us"})))
    found = explained(make, model)
    assert found["residency uk us world"].path[0] == node(one)
    assert found["residency de eu fr ie nl"].path[0] == node(other)


def test_a_copy_that_rose_with_its_twin_says_so(make: Factory) -> None:
    lineage = Lineage.begin(make)
    first, second = make.dataset("first", label=OPEN), make.dataset("second", label=OPEN)
    original, copy = make.dataset_version(first), make.dataset_version(second)
    raise_to(make, lineage, second, FINANCE)
    cause = explained(make, original)["compartment finance"]
    assert cause.source is not None
    assert cause.source.dataset_id == second.id
    assert cause.path == (node(copy), node(original))


def test_what_no_input_carries_has_no_source(make: Factory, lineage: Lineage) -> None:
    data = lineage.data()
    found = explained(make, data, label=HEALTH)
    assert found["compartment health"].source is None
    assert found["compartment health"].path == ()
    alone = explain_label(make.session, SCHEME, OPEN, [Node("model-version", data.id)])
    assert [(one.kind, one.source) for one in alone] == [("level", None)]
