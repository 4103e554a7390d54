"""Things that tests need, made by the use cases that make them in life; only training is spared."""

import tempfile
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from sqlalchemy.orm import Session

from bailiwick.access import EVERY_NAMESPACE, Principal, create_principal, grant_role
from bailiwick.cli.purchases import write_purchases
from bailiwick.core.canonical import sha256_hex
from bailiwick.lifecycle import Platform, TrainingOrder
from bailiwick.lifecycle.gates import Paired
from bailiwick.lifecycle.jobs import claim
from bailiwick.lifecycle.promotion import ask_for_approval, promote
from bailiwick.lifecycle.training_jobs import finish_training
from bailiwick.lifecycle.training_plans import DEFAULT_SELECTION, order_training, plan_training
from bailiwick.lineage import Content, Dataset, DatasetVersion, add_dataset_version, create_dataset
from bailiwick.lineage.rows import RowSpec, ingest
from bailiwick.policy import Actor, Label, actor_of, decide_approval
from bailiwick.registry import (
    CHAMPION,
    Deployment,
    Environment,
    ModelVersion,
    RegisteredModel,
    create_deployment,
    create_environment,
    create_model,
    pointed_at,
)
from bailiwick.training import RECIPES, SmallClassifierRecipe
from support.evaluation_rows import evaluation_rows
from support.measured import measured

CONFIDENTIAL = Label(
    level="confidential",
    compartments=frozenset({"finance"}),
    residency=frozenset({"eu"}),
    purposes=frozenset({"accounting"}),
)
PURCHASES = RowSpec(text=("merchant", "cost_centre"), label="category", date="date")
NAMESPACE = "finance"
PURPOSE = "accounting"
TRIED = {
    "name": "small-classifier",
    "recipe": RECIPES["small-classifier"].to_dict(),
    "accuracy": 0.81,
    "rows": 100,
    "seconds": 1.5,
    "reason": "enough: 81.0%",
    "won": True,
}
HOLDOUT_ROWS = 1_000
UPLOAD_BYTES = 1 << 24


@dataclass(frozen=True)
class Factory:
    """Makes things in one transaction of one installation, now by its clock."""

    session: Session
    platform: Platform

    @property
    def at(self) -> datetime:
        """The moment at which everything is made."""
        return self.platform.clock.now()

    @cached_property
    def root(self) -> Principal:
        """The first admin, who makes everybody else."""
        return self._principal("root", "person", "restricted", made_by=None)

    @cached_property
    def engineer(self) -> Principal:
        """Builds, trains, deploys."""
        return self.principal("engineer", "engineer")

    @cached_property
    def approver(self) -> Principal:
        """Another person, who approves."""
        return self.principal("approver", "approver")

    def principal(
        self,
        name: str,
        *roles: str,
        kind: Literal["person", "service"] = "person",
        clearance: str = "restricted",
        namespace: str = EVERY_NAMESPACE,
    ) -> Principal:
        """Somebody with these roles, cleared for the compartment `finance`."""
        made = self._principal(name, kind, clearance, made_by=self.root)
        for role in roles:
            grant_role(
                self.session, made, role, namespace=namespace, actor_id=self.root.id, at=self.at
            )
        return made

    def actor(self, principal: Principal) -> Actor:
        """The principal as the policy sees it now."""
        self.session.flush()
        return actor_of(self.session, principal)

    def dataset(self, name: str = "purchases", *, label: Label = CONFIDENTIAL) -> Dataset:
        """An empty dataset of the engineer's."""
        return create_dataset(
            self.session,
            NAMESPACE,
            name,
            label=label,
            description="made for a test",
            actor_id=self.engineer.id,
            at=self.at,
        )

    def dataset_version(
        self, dataset: Dataset, *, rows: int = 200, seed: int = 0
    ) -> DatasetVersion:
        """The dataset's next version: generated purchases that went through ingestion."""
        with tempfile.TemporaryDirectory() as folder:
            arrived = Path(folder) / "purchases.csv"
            write_purchases(arrived, rows=rows, seed=seed)
            ingested = ingest(arrived, PURCHASES, Path(folder), max_bytes=UPLOAD_BYTES)
            content = Content(
                content_digest=ingested.content_digest,
                rows_blob=self.platform.blobs.put_file(ingested.accepted_path),
                source_blob=self.platform.blobs.put_file(arrived),
                columns=[dict(column) for column in ingested.schema],
                text_columns=PURCHASES.text,
                label_column=PURCHASES.label,
                date_column=PURCHASES.date,
                rows=ingested.rows,
                first_time=ingested.first_time,
                last_time=ingested.last_time,
            )
        return add_dataset_version(
            self.session,
            dataset,
            content,
            scheme=self.platform.rules.scheme,
            kind="ingest",
            inputs=[],
            started_at=self.at,
            actor_id=self.engineer.id,
            at=self.at,
        )

    def model(self, name: str = "classifier", *, label: Label = CONFIDENTIAL) -> RegisteredModel:
        """A model without versions."""
        return create_model(
            self.session,
            NAMESPACE,
            name,
            label=label,
            description="made for a test",
            actor_id=self.engineer.id,
            at=self.at,
        )

    def model_version(
        self,
        model: RegisteredModel,
        data: DatasetVersion,
        *,
        accuracy: float = 0.8,
        trained_by: Principal | None = None,
        risk_tier: str = "standard",
    ) -> ModelVersion:
        """The model's next version, registered and judged as after a training that went so.

        Its files are no weights. Against a champion it wins 120 of 1,000 rows and loses 20.
        """
        trainer = trained_by or self.engineer
        actor = self.actor(trainer)
        rules, session, at = self.platform.rules, self.session, self.at
        order = TrainingOrder(
            model_id=model.id,
            dataset_version_ids=(data.id,),
            recipe=SmallClassifierRecipe(),
            selection=DEFAULT_SELECTION,
            purpose=PURPOSE,
            risk_tier=risk_tier,
            seed=0,
            from_champion=False,
        )
        job = order_training(session, order, rules=rules, actor=actor, at=at)
        lease = claim(session, owner="factory", lease_seconds=60, at=at)
        if lease is None or lease.job_id != job.id:
            message = "another job waits in this database: carry it out first"
            raise RuntimeError(message)
        champion = pointed_at(session, model.id, CHAMPION)
        return finish_training(
            session,
            self.platform,
            lease,
            plan_training(session, order, rules=rules, actor=actor, at=at),
            self._outcome(accuracy, str(job.id), compared=champion is not None),
            reference_blob=self.platform.blobs.put_bytes(evaluation_rows()),
            started_at=at,
            at=at,
        )

    def champion(self, version: ModelVersion) -> ModelVersion:
        """The version after another person approved it and it was promoted."""
        common: Any = {"rules": self.platform.rules, "at": self.at}
        engineer = self.actor(self.engineer)
        request = ask_for_approval(
            self.session, version, tiers=self.platform.tiers, actor=engineer, **common
        )
        decide_approval(
            self.session,
            request,
            approve=True,
            comment="",
            actor=self.actor(self.approver),
            **common,
        )
        promote(
            self.session,
            version,
            reason="approved",
            tiers=self.platform.tiers,
            actor=engineer,
            **common,
        )
        return version

    def environment(
        self, name: str = "ledger", *, clearance: str = "confidential", keeps_text: bool = False
    ) -> Environment:
        """A place in the EU, cleared for the compartment `finance`."""
        return create_environment(
            self.session,
            name,
            zone="eu",
            clearance_level=clearance,
            clearance_compartments=["finance"],
            keeps_text=keeps_text,
            rules=self.platform.rules,
            actor_id=self.root.id,
            at=self.at,
        )

    def deployment(
        self,
        model: RegisteredModel,
        environment: Environment,
        *,
        name: str = "cards",
        keeps_text: bool = False,
    ) -> Deployment:
        """The model's champion, running in the environment."""
        return create_deployment(
            self.session,
            model,
            environment,
            namespace=NAMESPACE,
            name=name,
            purpose=PURPOSE,
            keeps_text=keeps_text,
            pinned=None,
            rules=self.platform.rules,
            actor=self.actor(self.engineer),
            at=self.at,
        )

    def running(self) -> Deployment:
        """All of it: a deployment of a champion that was trained on a dataset."""
        model = self.model()
        self.champion(self.model_version(model, self.dataset_version(self.dataset())))
        return self.deployment(model, self.environment())

    def _principal(
        self,
        name: str,
        kind: Literal["person", "service"],
        clearance: str,
        *,
        made_by: Principal | None,
    ) -> Principal:
        return create_principal(
            self.session,
            name,
            kind=kind,
            clearance_level=clearance,
            clearance_compartments=["finance"],
            actor_id=made_by.id if made_by else None,
            at=self.at,
        )

    def _outcome(self, accuracy: float, content: str, *, compared: bool) -> dict[str, Any]:
        """What the training process would have answered."""
        weights = content.encode()
        self.platform.blobs.put_bytes(weights)
        file = {
            "path": "model.safetensors",
            "sha256": sha256_hex(weights),
            "size_bytes": len(weights),
        }
        holdout = {
            "rows": HOLDOUT_ROWS,
            "accuracy": accuracy,
            "macro_f1": accuracy,
            "unknown_label_rows": 0,
        }
        paired = Paired(both=600, only_candidate=120, only_champion=20, neither=260)
        return {
            "recipe": RECIPES["small-classifier"].to_dict(),
            "recipes_tried": [TRIED],
            "files": [file],
            "parameters": 1_000_000,
            "labels": ["Fuel", "Travel"],
            "holdout": holdout,
            "champion": holdout | {"accuracy": accuracy - 0.1} if compared else None,
            "paired": asdict(paired) if compared else None,
            "majority_accuracy": 0.2,
            "seconds": 1.0,
            "losses": [],
            "measured": measured(),
        }
