"""Ordering a backtest: whose history, and whether the actor may have it replayed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from bailiwick.audit.log import record
from bailiwick.core.canonical import digest_of
from bailiwick.core.errors import Invalid
from bailiwick.core.ids import new_id
from bailiwick.db.session import hold_labels
from bailiwick.lifecycle.job_places import job_places
from bailiwick.lifecycle.jobs import JobKind, enqueue
from bailiwick.lifecycle.replays.settings import POLICY, ReplaySettings
from bailiwick.lifecycle.tables import Backtest, Job, RetrainingPolicy
from bailiwick.lineage import DatasetVersion, dataset_version_resource
from bailiwick.policy import Actor, Label, Resource, Rules, join_stored, load_label, require
from bailiwick.registry import Deployment, deployment_resource


@dataclass(frozen=True, slots=True)
class Source:
    """Whose history: a deployment's, with its policy and what was brought in for that, or rows."""

    deployment: Deployment | None = None
    policy: RetrainingPolicy | None = None
    versions: tuple[DatasetVersion, ...] = ()

    @property
    def subject(self) -> Deployment | DatasetVersion:
        """What the backtest is about."""
        return self.deployment or self.versions[0]

    @property
    def namespace(self) -> str:
        """Where it belongs."""
        return self.deployment.namespace if self.deployment else self.versions[0].dataset.namespace

    @property
    def labels(self) -> list[tuple[str, str]]:
        """What is read, by name and id of its label."""
        named = [
            (f"{one.dataset.namespace}/{one.dataset.name} v{one.number}", one.label_id)
            for one in self.versions
        ]
        if (found := self.deployment) is not None:
            named.append((f"deployment {found.namespace}/{found.name}", found.label_id))
        return named


def source_of(
    session: Session,
    *,
    deployment: Deployment | None = None,
    policy: RetrainingPolicy | None = None,
    version: DatasetVersion | None = None,
) -> Source:
    """One of the three; of a policy, its deployment and the files of its dataset."""
    if policy is not None:
        brought_in = select(DatasetVersion).where(
            DatasetVersion.dataset_id == policy.dataset_id, DatasetVersion.source_blob.is_not(None)
        )
        versions = tuple(session.scalars(brought_in.order_by(DatasetVersion.number)))
        return Source(session.get_one(Deployment, policy.deployment_id), policy, versions)
    if (deployment is None) == (version is None):
        raise Invalid("name one thing to replay: a deployment, a dataset version, or a policy")
    return Source(deployment, None, () if version is None else (version,))


def stored_source(session: Session, backtest: Backtest) -> Source:
    """The source of a backtest as it stands now. A policy that has changed since is `Invalid`."""
    if backtest.policy_id is not None:
        policy = session.get_one(RetrainingPolicy, backtest.policy_id)
        if policy.digest != backtest.policy_digest:
            raise Invalid("the policy has changed since this was asked for; ask again")
        return source_of(session, policy=policy)
    if backtest.deployment_id is not None:
        return Source(session.get_one(Deployment, backtest.deployment_id))
    return Source(versions=(session.get_one(DatasetVersion, backtest.dataset_version_id),))


def order_backtest(
    session: Session,
    source: Source,
    settings: ReplaySettings,
    *,
    rules: Rules,
    actor: Actor,
    at: datetime,
    limits: Mapping[str, int] | None = None,
) -> Backtest:
    """Queue a backtest; it is checked now, so that a wrong order fails where it is given.

    Raises `DeniedByPolicy`, `IncompatibleLabels` or `Invalid`.
    """
    if POLICY in settings.strategies and source.policy is None:
        raise Invalid("the strategy policy replays a retraining policy: name one (policy_id)")
    hold_labels(session)
    label_id, _ = require_rights(session, source, settings.purpose, rules=rules, actor=actor, at=at)
    backtest_id, actor_id = new_id(), UUID(actor.id)
    job = enqueue(
        session,
        JobKind.BACKTEST,
        namespace=source.namespace,
        label_id=label_id,
        subject_id=source.subject.id,
        acts_as=actor_id,
        payload={"backtest_id": str(backtest_id)},
        actor_id=actor_id,
        at=at,
        limits=limits,
    )
    policy, written = source.policy, settings.to_json()
    backtest = Backtest(
        id=backtest_id,
        job_id=job.id,
        deployment_id=source.deployment.id if source.deployment else None,
        dataset_version_id=None if source.deployment else source.versions[0].id,
        policy_id=policy.id if policy else None,
        policy_digest=policy.digest if policy else None,
        settings=written,
        created_by=actor_id,
        created_at=at,
    )
    session.add(backtest)
    session.flush()
    record(
        session,
        "backtest.ordered",
        subject_type="backtest",
        subject_id=backtest.id,
        actor_id=actor_id,
        at=at,
        details={
            "job": str(job.id),
            "about": str(source.subject.id),
            "policy": str(policy.id) if policy else None,
            "policy_digest": backtest.policy_digest,
            "settings_digest": digest_of(written),
        },
    )
    return backtest


def require_rights(
    session: Session,
    source: Source,
    purpose: str,
    *,
    rules: Rules,
    actor: Actor,
    at: datetime,
) -> tuple[str, Label]:
    """The actor may learn from all that is read, for the purpose; the joined label and its id."""
    label_id, label = join_stored(session, rules.scheme, source.labels)
    context = {"purpose": purpose, "input_label": label}
    resources: list[Resource] = []
    asked: list[tuple[str, Resource, Mapping[str, Any]]] = []
    if source.deployment is not None:
        resources.append(deployment_resource(session, source.deployment))
        asked.append(("deployment:read-inferences", resources[0], {}))
    for version in source.versions:
        resources.append(dataset_version_resource(session, version))
        asked.append(("dataset:read-rows", resources[-1], {"now": at}))
    for action, resource, given in [("backtest:start", resources[0], context), *asked]:
        require(session, rules, actor=actor, action=action, resource=resource, context=given, at=at)
    return label_id, label


def backtest_resource(session: Session, backtest: Backtest) -> Resource:
    """The backtest as the policy sees it: under the label of its job."""
    job = session.get_one(Job, backtest.job_id)
    return Resource(
        type="Backtest",
        id=str(backtest.id),
        namespace=job.namespace,
        label=load_label(session, job.label_id),
        belongs_to=job_places(session, job),
    )
