"""Random lineage, random labels: after any relabelling every label is the join of its sources."""

from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from bailiwick.lifecycle.compliance import unresolved_breaches
from bailiwick.lifecycle.relabelling import (
    Relabelled,
    preview_relabelling,
    relabel_dataset,
    relabel_dataset_version,
)
from bailiwick.lineage import Dataset, DatasetVersion, LineageEdge, Run
from bailiwick.policy import Label, LabelMove, load_label
from bailiwick.registry import Deployment, ModelVersion
from factories import Factory
from support.lineage_graphs import EVERYTHING, OPEN, Lineage, Version

# At first labels differ in what never contradicts; what contradicts comes afterwards.
FIRST = st.builds(
    Label,
    st.sampled_from(["public", "internal", "confidential"]),
    st.frozensets(st.sampled_from(["finance", "health"])),
    st.just(frozenset({"world"})),
    st.just(EVERYTHING),
)
RISE = st.builds(
    Label,
    st.sampled_from(["public", "internal", "confidential", "restricted"]),
    st.frozensets(st.sampled_from(["finance", "legal"])),
    st.sampled_from([frozenset({"world"}), frozenset({"eu"}), frozenset({"us"})]),
    st.sampled_from([EVERYTHING, frozenset({"accounting"}), frozenset({"research"})]),
)
INDEX = st.integers(0, 99)
MADE = st.tuples(st.booleans(), FIRST, st.lists(INDEX, max_size=3), INDEX)


@pytest.fixture
def lineage(make: Factory) -> Lineage:
    return Lineage.begin(make)


ACTS = st.tuples(st.sampled_from(["dataset", "version"]), INDEX, RISE)


def told(deployments: Any) -> set[tuple[UUID, tuple[str, ...], str]]:
    return {(d, tuple(policies), reason) for d, policies, reason in deployments}


class Story:
    """One random lineage and what is done to it."""

    def __init__(self, lineage: Lineage) -> None:
        self.lineage, make = (
            Lineage(lineage.make, lineage.environment, lineage.steward),
            lineage.make,
        )
        self.make, self.scheme = make, make.platform.rules.scheme
        self.common: Any = {"rules": make.platform.rules, "at": make.at}
        self.versions: list[Version] = []
        self.served: dict[Deployment, set[UUID]] = {}

    def build(self, made: list[Any]) -> None:
        """Versions in order, each of some before it; every model version is deployed."""
        for is_model, label, picks, into in made:
            inputs = tuple({self.versions[p % len(self.versions)] for p in picks if self.versions})
            if is_model and inputs:
                models = [one.model for one in self.versions if isinstance(one, ModelVersion)]
                model = models[into % len(models)] if models and into % 2 else None
                version = self.lineage.model(*inputs, into=model)
                self.versions.append(version)
                self.served[self.lineage.deployed(version)] = set()
                for deployment in self.served:
                    if deployment.model_id == version.model_id:
                        self.served[deployment].add(version.id)
            else:
                self.versions.append(self.lineage.data(*inputs, label=label))

    def act(self, kind: str, pick: int, rise: Label) -> None:
        """Relabel a dataset, or one version; the preview must have said what happens."""
        data = [one for one in self.versions if isinstance(one, DatasetVersion)]
        version = data[pick % len(data)]
        target = version.dataset if kind == "dataset" else version
        label = self.scheme.join_or_seal([self.lineage.label(target), rise])
        if label.is_sealed:
            return  # nobody can give that
        preview = preview_relabelling(self.make.session, target, label, **self.common)
        done = self.relabel(target, label)
        self.lineage.give(target, label)
        moves = self.make.session.execute(
            select(LabelMove.node_type, LabelMove.node_id, LabelMove.old_label_id,
                   LabelMove.new_label_id).where(LabelMove.cause_id == done.cause_id)
        )  # fmt: skip
        assert {(r.type, r.id, r.old, r.new) for r in preview.rises} == {
            (kind, one, load_label(self.make.session, old), load_label(self.make.session, new))
            for kind, one, old, new in moves
        }
        raised = [rise.id for rise in preview.rises if rise.type == "deployment"]
        breaches = unresolved_breaches(self.make.session, raised).values()
        assert told((j.deployment.id, j.policy_ids, j.reason) for j in preview.out_of_policy) == (
            told((b.deployment_id, b.policy_ids, b.reason) for b in breaches)
        )

    def relabel(self, target: Dataset | DatasetVersion, label: Label) -> Relabelled:
        """In the steward's name."""
        actor, session = self.make.actor(self.lineage.steward), self.make.session
        more = {"reason": "learned more", "actor": actor, **self.common}
        if isinstance(target, Dataset):
            return relabel_dataset(session, target, label, **more)
        return relabel_dataset_version(session, target, label, **more)

    def check(self) -> None:
        """Every label is what the oracle says."""
        lineage, session = self.lineage, self.make.session
        by_id = {one.id: one for one in self.versions}
        for version in self.versions:
            assert lineage.label(version) == lineage.expected(version)
        for model in {v.model for v in self.versions if isinstance(v, ModelVersion)}:
            members = [v for v in self.versions if getattr(v, "model_id", None) == model.id]
            assert lineage.label(model) == lineage.expected(*members)
        for deployment, ids in self.served.items():
            served = [by_id[one] for one in ids]
            assert lineage.label(deployment) == lineage.expected(*served)
        runs: dict[UUID, list[Version]] = {}
        for edge in session.scalars(select(LineageEdge).where(LineageEdge.node_id.in_(by_id))):
            runs.setdefault(edge.run_id, []).append(by_id[edge.node_id])
        for run, ends in runs.items():
            assert lineage.label(session.get_one(Run, run)) == lineage.expected(*ends)


@settings(
    max_examples=25,
    phases=[Phase.generate],
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(made=st.lists(MADE, min_size=2, max_size=8), acts=st.lists(ACTS, min_size=1, max_size=4))
def test_every_label_is_the_join_of_all_sources_and_the_preview_said_so(
    lineage: Lineage, made: list[Any], acts: list[Any]
) -> None:
    with lineage.session.begin_nested() as attempt:
        story = Story(lineage)
        story.build([(False, OPEN, [], 0), *made])
        for act in acts:
            story.act(*act)
            story.check()
        attempt.rollback()
