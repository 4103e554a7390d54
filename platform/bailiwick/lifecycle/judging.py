"""What the policies say to a deployment, asked for whoever could do most."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal, get_args
from uuid import UUID

from sqlalchemy.orm import Session

from bailiwick.access import EVERY_NAMESPACE, ROLES
from bailiwick.policy import (
    Actor,
    Label,
    Resource,
    Rules,
    Verdict,
    Waiver,
    acting_waivers,
    ask,
    load_label,
)
from bailiwick.policy.decisions import Waived
from bailiwick.registry import (
    Deployment,
    ModelVersion,
    deployment_subject,
    served_versions,
    serving_context,
    serving_resource,
    unwaived_deployment,
    unwaived_version,
    version_subject,
)

Kind = Literal["person", "service"]
READ_ONLY = "auditor"  # a role that takes away instead of giving
NOTHING: Mapping[UUID, Label] = {}


@dataclass(frozen=True, slots=True)
class Judgement:
    """Whether a deployment's version may answer there, for its purpose; else by which policies."""

    deployment: Deployment
    version: ModelVersion
    allowed: bool
    policy_ids: tuple[str, ...]
    reason: str


def judge_deployments(
    session: Session,
    deployments: Sequence[Deployment],
    *,
    rules: Rules,
    at: datetime,
    risen: Mapping[UUID, Label] = NOTHING,
) -> list[Judgement]:
    """Ask about each deployment for whoever could do most, so that only the lattice decides.

    `risen`: labels of versions and deployments, by id, that are to be taken for the present ones;
    a waiver is of the old label and does nothing for them. A few queries, however many they are.
    """
    served = served_versions(session, deployments)
    subjects = [*map(deployment_subject, deployments), *map(version_subject, served.values())]
    waivers = acting_waivers(session, subjects, at=at)

    def seen(resource: Resource, identifier: UUID) -> Resource:
        if identifier in risen:
            return replace(resource, label=risen[identifier])
        return replace(resource, waived=_waived(session, waivers[identifier]))

    judged = []
    for one in deployments:
        version = served[one.id]
        around = seen(unwaived_deployment(session, one), one.id)
        inside = seen(unwaived_version(session, version), version.id)
        serving = serving_resource(rules.scheme, inside, around)
        place = serving_context(rules, one.environment, one.purpose)
        verdicts = (
            _best(rules, "deployment:serve", serving, place, at),
            _best(rules, "deployment:predict", around, {"purpose": one.purpose}, at),
        )
        judged.append(_judgement(rules, one, version, [v for v in verdicts if not v.allowed]))
    return judged


def _best(
    rules: Rules, action: str, resource: Resource, context: Mapping[str, Any], at: datetime
) -> Verdict:
    """The answer to the most powerful person there could be or, if it is no, service."""
    for kind in get_args(Kind):
        asked = ask(
            rules,
            actor=_anybody(rules, kind),
            action=action,
            resource=resource,
            context=context,
            at=at,
        )
        if asked.verdict.allowed:
            break
    return asked.verdict


def _anybody(rules: Rules, kind: Kind) -> Actor:
    return Actor(
        id="anybody",
        kind=kind,
        name="anybody",
        roles={EVERY_NAMESPACE: frozenset(ROLES) - {READ_ONLY}},
        clearance_level=rules.scheme.levels[-1],
        clearance_compartments=frozenset(rules.scheme.compartments),
    )


def _judgement(
    rules: Rules, deployment: Deployment, version: ModelVersion, denials: Sequence[Verdict]
) -> Judgement:
    policies = sorted({policy for verdict in denials for policy in verdict.policy_ids})
    unnamed = [verdict.reason for verdict in denials if not verdict.policy_ids]
    reasons = [*(rules.engine.explain(policy).reason for policy in policies), *unnamed]
    allowed = not denials
    return Judgement(deployment, version, allowed, tuple(policies), " ".join(reasons))


def _waived(session: Session, waivers: Sequence[Waiver]) -> Waived | None:
    for waiver in waivers:
        if waiver.waived_label_id is not None:
            label = load_label(session, waiver.waived_label_id)
            return Waived(waiver.id, label, waiver.expires_at)
    return None
