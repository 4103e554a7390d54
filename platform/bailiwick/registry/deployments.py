"""Environments and the deployments in them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from bailiwick.access import checked_name
from bailiwick.audit.log import record
from bailiwick.core.canonical import digest_of
from bailiwick.core.errors import Conflict, Invalid, LastingConflict, NotFound
from bailiwick.core.ids import new_id
from bailiwick.db.session import hold_labels
from bailiwick.policy import (
    Actor,
    Label,
    Resource,
    Rules,
    Scheme,
    Subject,
    Waivable,
    load_label,
    raise_to,
    require,
    waived_label,
)
from bailiwick.registry.pointers import champions_of, has_been, pointed_at
from bailiwick.registry.tables import (
    CHAMPION,
    Deployment,
    Environment,
    ModelVersion,
    RegisteredModel,
)
from bailiwick.registry.versions import version_resource, versions_by_id

ACTIVE, STOPPED = "active", "stopped"
WAIVABLE_DEPLOYMENTS = Waivable("deployment", Deployment.id)  # what it runs never changes


def create_environment(
    session: Session,
    name: str,
    *,
    zone: str,
    clearance_level: str,
    clearance_compartments: Iterable[str],
    keeps_text: bool,
    rules: Rules,
    actor_id: UUID,
    at: datetime,
) -> Environment:
    """A place to run models in; its clearance says which labels may be there."""
    checked_name(name, "environment name")
    compartments = frozenset(clearance_compartments)
    purposes = frozenset(rules.scheme.purposes)
    rules.scheme.check(Label(clearance_level, compartments, frozenset({zone}), purposes))
    if session.scalar(select(Environment.id).where(Environment.name == name)):
        raise Conflict(f"there is an environment {name!r} already")
    environment = Environment(
        id=new_id(),
        name=name,
        zone=zone,
        clearance_level=clearance_level,
        clearance_compartments=sorted(compartments),
        keeps_text=keeps_text,
        created_at=at,
    )
    session.add(environment)
    session.flush()
    record(
        session,
        "environment.created",
        subject_type="environment",
        subject_id=environment.id,
        actor_id=actor_id,
        at=at,
        details={
            "name": name,
            "zone": zone,
            "clearance_level": clearance_level,
            "clearance_compartments": environment.clearance_compartments,
            "keeps_text": keeps_text,
        },
    )
    return environment


def find_environment(session: Session, name: str) -> Environment:
    """The environment of that name, or `NotFound`."""
    environment = session.scalar(select(Environment).where(Environment.name == name))
    if environment is None:
        raise NotFound(f"there is no environment {name!r}")
    return environment


def place_context(rules: Rules, environment: Environment) -> dict[str, Any]:
    """What the policy compares with the label of what is to be processed there."""
    return {
        "environment_level": environment.clearance_level,
        "environment_compartments": list(environment.clearance_compartments),
        "environment_zones": sorted(rules.scheme.zone_with_ancestors(environment.zone)),
    }


def serving_context(rules: Rules, environment: Environment, purpose: str) -> Mapping[str, Any]:
    """What the policy compares with a version's label before it may run there."""
    return place_context(rules, environment) | {"purpose": purpose}


def require_servable(
    session: Session,
    version: ModelVersion,
    environment: Environment,
    *,
    purpose: str,
    rules: Rules,
    actor: Actor,
    at: datetime,
    deployment: Deployment | None = None,
) -> None:
    """The policy must allow this version's label in that environment, for that purpose.

    `deployment`: the one that would serve it, if it stands already; its waiver acts too.
    """
    resource = version_resource(session, version)
    if deployment is not None:
        around = deployment_resource(session, deployment)
        resource = serving_resource(rules.scheme, resource, around)
    require(
        session,
        rules,
        actor=actor,
        action="deployment:serve",
        resource=resource,
        context=serving_context(rules, environment, purpose),
        at=at,
    )


def create_deployment(
    session: Session,
    model: RegisteredModel,
    environment: Environment,
    *,
    namespace: str,
    name: str,
    purpose: str,
    keeps_text: bool,
    pinned: ModelVersion | None,
    rules: Rules,
    actor: Actor,
    at: datetime,
) -> Deployment:
    """Run the model's champion (or one pinned version) in an environment.

    A pinned version must have been champion at some time: deployments never go round the gates.
    """
    checked_name(namespace, "namespace")
    checked_name(name, "deployment name")
    hold_labels(session)
    session.refresh(model, with_for_update=True)  # no promotion at the same moment
    served = pinned or pointed_at(session, model.id, CHAMPION)
    if served is None:
        raise Conflict(
            f"{model.namespace}/{model.name} has no champion yet; promote a version first"
        )
    if pinned is not None and (
        pinned.model_id != model.id or not has_been(session, pinned, CHAMPION)
    ):
        raise Conflict(
            f"version {pinned.number} has never been champion of {model.namespace}/{model.name}, "
            "so it cannot be pinned; promote it first"
        )
    taken = select(Deployment.id).where(Deployment.namespace == namespace, Deployment.name == name)
    if session.scalar(taken):
        raise Conflict(f"there is a deployment {namespace}/{name} already")
    session.refresh(served)  # its label may have risen since it was looked up
    require_servable(session, served, environment, purpose=purpose, rules=rules, actor=actor, at=at)
    deployment = Deployment(
        id=new_id(),
        namespace=namespace,
        name=name,
        model_id=model.id,
        environment_id=environment.id,
        pinned_version_id=pinned.id if pinned else None,
        purpose=purpose,
        keeps_text=keeps_text,
        state=ACTIVE,
        label_id=served.label_id,
        created_by=UUID(actor.id),
        created_at=at,
    )
    if keeps_text:
        require(
            session,
            rules,
            actor=actor,
            action="deployment:keep-text",
            resource=deployment_resource(session, deployment),
            context={"environment_keeps_text": environment.keeps_text},
            at=at,
        )
    session.add(deployment)
    session.flush()
    session.refresh(deployment, ["model", "environment"])
    record(
        session,
        "deployment.created",
        subject_type="deployment",
        subject_id=deployment.id,
        actor_id=UUID(actor.id),
        at=at,
        details={
            "name": f"{namespace}/{name}",
            "model": str(model.id),
            "environment": str(environment.id),
            "version": str(served.id),
            "pinned": pinned is not None,
            "keeps_text": keeps_text,
        },
    )
    return deployment


def set_deployment_state(
    session: Session, deployment: Deployment, state: str, *, actor_id: UUID, at: datetime
) -> Deployment:
    """Note that a deployment has stopped or answers again, which `start_deployment` decides."""
    if state not in (ACTIVE, STOPPED):
        raise Invalid(f"a deployment is {ACTIVE} or {STOPPED}, not {state!r}")
    if deployment.state != state:
        record(
            session,
            f"deployment.{state}",
            subject_type="deployment",
            subject_id=deployment.id,
            actor_id=actor_id,
            at=at,
            details={"old": deployment.state, "new": state},
        )
        deployment.state = state
        session.flush()
    return deployment


def served_version(session: Session, deployment: Deployment) -> ModelVersion:
    """The version that answers now: the pinned one, else the model's champion."""
    if deployment.pinned_version_id is not None:
        return session.get_one(ModelVersion, deployment.pinned_version_id)
    champion = pointed_at(session, deployment.model_id, CHAMPION)
    if champion is None:
        raise LastingConflict("this deployment's model has no champion; promote a version")
    return champion


def served_versions(
    session: Session, deployments: Sequence[Deployment]
) -> dict[UUID, ModelVersion]:
    """The same for many deployments, by deployment id, in two queries."""
    pinned = versions_by_id(
        session, [d.pinned_version_id for d in deployments if d.pinned_version_id]
    )
    champions = champions_of(session, {d.model_id for d in deployments if not d.pinned_version_id})
    return {
        d.id: pinned[d.pinned_version_id] if d.pinned_version_id else champions[d.model_id]
        for d in deployments
    }


def start_deployment(
    session: Session, deployment: Deployment, *, rules: Rules, actor: Actor, at: datetime
) -> Deployment:
    """Let a stopped deployment answer again, if what it would answer with may run there.

    Its model may have another champion by now, or the champion another label: starting is
    asked like deploying. The deployment has that version's label already: the labels of stopped
    ones rise too.
    """
    hold_labels(session)
    session.refresh(deployment.model, with_for_update=True)  # no promotion at the same moment
    version = served_version(session, deployment)
    require_servable(
        session,
        version,
        deployment.environment,
        purpose=deployment.purpose,
        rules=rules,
        actor=actor,
        at=at,
        deployment=deployment,
    )
    return set_deployment_state(session, deployment, ACTIVE, actor_id=UUID(actor.id), at=at)


def followers(session: Session, model_id: UUID, *, stopped: bool = False) -> list[Deployment]:
    """The active deployments that answer with whatever is champion; the `stopped` ones too."""
    states = (ACTIVE, STOPPED) if stopped else (ACTIVE,)
    return list(
        session.scalars(
            select(Deployment).where(
                Deployment.model_id == model_id,
                Deployment.pinned_version_id.is_(None),
                Deployment.state.in_(states),
            ),
            execution_options={"populate_existing": True},
        )
    )


def raise_deployment_label(
    session: Session, deployment: Deployment, version: ModelVersion, *, rules: Rules
) -> None:
    """A deployment's label never ranks below that of a version it has served."""
    deployment.label_id = raise_to(
        session,
        rules.scheme,
        current=deployment.label_id,
        at_least=version.label_id,
        name=f"deployment {deployment.namespace}/{deployment.name}",
    )


def deployment_subject(deployment: Deployment) -> Subject:
    """What people waive about: this model, running there, for that purpose."""
    running = {
        "deployment": str(deployment.id),
        "model": str(deployment.model_id),
        "environment": str(deployment.environment_id),
        "pinned_version": str(deployment.pinned_version_id),
        "purpose": deployment.purpose,
        "keeps_text": deployment.keeps_text,
    }
    return Subject(
        type="deployment",
        id=deployment.id,
        digest=digest_of(running),
        namespace=deployment.namespace,
        label_id=deployment.label_id,
        trained_by=deployment.created_by,
    )


def deployment_resource(session: Session, deployment: Deployment) -> Resource:
    """The deployment as the policy sees it."""
    waived = waived_label(session, deployment_subject(deployment))
    return replace(unwaived_deployment(session, deployment), waived=waived)


def unwaived_deployment(session: Session, deployment: Deployment) -> Resource:
    """The deployment as the policy would see it if nothing about it were waived."""
    return Resource(
        type="Deployment",
        id=str(deployment.id),
        namespace=deployment.namespace,
        label=load_label(session, deployment.label_id),
        belongs_to=(f"{deployment.namespace}/deployments/{deployment.name}",),
    )


def serving_resource(scheme: Scheme, version: Resource, deployment: Resource) -> Resource:
    """The version as the policy sees it in this deployment: a waiver of either one acts.

    That of the deployment is for all that the deployment's label covers.
    """
    own, around = version.label, deployment.label
    if version.waived is not None or own is None or around is None:
        return version
    return replace(version, waived=deployment.waived) if scheme.dominates(around, own) else version
