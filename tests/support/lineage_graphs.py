"""Lineage of any shape, registered as in life, and an oracle for what its labels must be."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from bailiwick.access import EVERY_NAMESPACE, Principal, create_principal, grant_role
from bailiwick.core.clock import ReplayClock
from bailiwick.core.ids import new_id
from bailiwick.lifecycle import Platform
from bailiwick.lifecycle.relabelling import raise_served
from bailiwick.lineage import (
    Content,
    Dataset,
    DatasetVersion,
    Node,
    Run,
    add_dataset_version,
    record_run,
)
from bailiwick.policy import Label, join_stored, load_label
from bailiwick.registry import (
    CHAMPION,
    Artifact,
    Deployment,
    Environment,
    ModelVersion,
    RegisteredModel,
    create_deployment,
    create_environment,
    followers,
    register_version,
)
from bailiwick.registry.aliases import move_alias
from factories import NAMESPACE, Factory

EVERYTHING = frozenset(
    {
        "accounting",
        "analytics",
        "customer-support",
        "document-search",
        "fraud-detection",
        "human-resources",
        "research",
        "security",
    }
)
OPEN = Label("public", frozenset(), frozenset({"world"}), EVERYTHING)
Version = DatasetVersion | ModelVersion
Labelled = Dataset | Version | RegisteredModel | Deployment | Run


class Lineage:
    """Versions, what they were made from, and the labels that people gave."""

    def __init__(self, make: Factory, environment: Environment, steward: Principal) -> None:
        self.make, self.environment, self.steward = make, environment, steward
        self.given: dict[UUID, list[Label]] = {}  # by dataset or version
        self.inputs: dict[UUID, list[UUID]] = {}  # by version; its dataset too

    @classmethod
    def begin(cls, make: Factory) -> "Lineage":
        """Nothing yet, but a place for all that may be in the EU, and somebody who may all."""
        words = sorted(make.platform.rules.scheme.compartments)
        by: dict[str, Any] = {"actor_id": make.root.id, "at": make.at}
        steward = create_principal(
            make.session,
            "stella",
            kind="person",
            clearance_level="restricted",
            clearance_compartments=words,
            **by,
        )
        for role in ("steward", "engineer"):
            grant_role(make.session, steward, role, namespace=EVERY_NAMESPACE, **by)
        place = create_environment(
            make.session,
            "anything",
            zone="eu",
            clearance_level="restricted",
            clearance_compartments=words,
            keeps_text=False,
            rules=make.platform.rules,
            **by,
        )
        make.actor(make.engineer)
        return cls(make, place, steward)

    @property
    def session(self) -> Session:
        """Where it is made."""
        return self.make.session

    @property
    def platform(self) -> Platform:
        """The installation."""
        return self.make.platform

    def data(
        self, *inputs: Version, label: Label = OPEN, into: Dataset | None = None
    ) -> DatasetVersion:
        """A version of a dataset, of a new one unless `into` is given."""
        dataset = into or self.make.dataset(f"d{new_id().hex}", label=label)
        digest = f"{new_id().hex}{new_id().hex}"
        version = add_dataset_version(
            self.session,
            dataset,
            Content(
                content_digest=digest,
                rows_blob=digest,
                columns=[],
                text_columns=("text",),
                label_column="label",
                date_column="time",
                rows=1,
                first_time=self.make.at,
                last_time=self.make.at,
            ),
            scheme=self.platform.rules.scheme,
            kind="prepare" if inputs else "ingest",
            inputs=[(node(one), "input", one.label_id) for one in inputs],
            started_at=self.make.at,
            actor_id=self.make.engineer.id,
            at=self.make.at,
        )
        self._known(version, inputs, dataset.id)
        if into is None:
            self.give(dataset, label)
        return version

    def model(self, *inputs: Version, into: RegisteredModel | None = None) -> ModelVersion:
        """A version of a model, of a new one unless `into` is given."""
        model = into or self.make.model(f"m{new_id().hex}", label=OPEN)
        scheme = self.platform.rules.scheme
        label, _ = join_stored(self.session, scheme, [("input", one.label_id) for one in inputs])
        run_id, version_id = new_id(), new_id()
        record_run(
            self.session,
            "train",
            namespace=model.namespace,
            label_id=label,
            inputs=[node(one) for one in inputs],
            outputs=[Node("model-version", version_id)],
            parameters={},
            metrics={},
            started_at=self.make.at,
            actor_id=self.make.engineer.id,
            at=self.make.at,
            run_id=run_id,
        )
        version = register_version(
            self.session,
            model,
            Artifact(
                files=({"path": "model.safetensors", "sha256": "0" * 64, "size_bytes": 1},),
                parameters=1,
                labels=("a", "b"),
                text_columns=("text",),
                recipe={},
                seed=0,
                metrics={},
            ),
            version_id=version_id,
            run_id=run_id,
            base_version_id=None,
            label_id=label,
            scheme=scheme,
            trained_by=self.make.engineer.id,
            at=self.make.at,
        )
        self._known(version, inputs)
        return version

    def deployed(self, version: ModelVersion, *, purpose: str = "accounting") -> Deployment:
        """A deployment that follows the model's champion, which the version now is."""
        session, make = self.session, self.make
        for other in followers(session, version.model_id, stopped=True):
            by: dict[str, Any] = {"actor_id": make.root.id, "at": make.at}
            raise_served(session, other, version, rules=self.platform.rules, **by)
        move_alias(session, version, CHAMPION, reason="made so", actor_id=make.root.id, at=make.at)
        clock = self.platform.clock
        assert isinstance(clock, ReplayClock)
        clock.advance_to(clock.now() + timedelta(seconds=1))  # after the champion there was
        return create_deployment(
            session,
            version.model,
            self.environment,
            namespace=NAMESPACE,
            name=f"s{new_id().hex}",
            purpose=purpose,
            keeps_text=False,
            pinned=None,
            rules=self.platform.rules,
            actor=make.actor(self.steward),
            at=make.at,
        )

    def give(self, target: Dataset | DatasetVersion, label: Label) -> None:
        """Note that somebody gave this label, for the oracle."""
        self.given.setdefault(target.id, []).append(label)

    def expected(self, *versions: Version) -> Label:
        """The join of all labels that were given to what these were made from, through any hop."""
        above = set().union(*(self._above(one.id) for one in versions))
        labels = [label for one in above for label in self.given.get(one, ())]
        return self.platform.rules.scheme.join_or_seal([OPEN, *labels])

    def label(self, thing: Labelled) -> Label:
        """The label that is stored."""
        self.session.expire(thing, ["label_id"])
        return load_label(self.session, thing.label_id)

    def _above(self, identifier: UUID) -> set[UUID]:
        inputs = self.inputs.get(identifier, [])
        return {identifier}.union(*map(self._above, inputs))

    def _known(self, version: Version, inputs: tuple[Version, ...], *more: UUID) -> None:
        self.inputs[version.id] = [*(one.id for one in inputs), *more]


def node(version: Version) -> Node:
    """The version as lineage knows it."""
    data = isinstance(version, DatasetVersion)
    return Node("dataset-version" if data else "model-version", version.id)
