"""What several pages look up, each for all rows of a page in one query."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from markupsafe import Markup
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from bailiwick.console.charts import sparkline
from bailiwick.console.visibility import visible_alerts
from bailiwick.monitoring import Alert, AlertState, CheckResult, Monitor
from bailiwick.policy import Label, Scheme, StoredLabel, as_label
from bailiwick.registry import CHAMPION, Alias, Deployment, ModelVersion, versions_by_id
from bailiwick.web import Caller

SPARKLINE_CHECKS = 24


def labels_of(session: Session, ids: Iterable[str | None]) -> dict[str, Label]:
    """Labels by id."""
    found = session.scalars(select(StoredLabel).where(StoredLabel.id.in_(set(ids) - {None})))
    return {stored.id: as_label(stored) for stored in found}


SEALED = [("nothing left", "its inputs have none in common, so nothing may be done with it")]


def explained(scheme: Scheme, label: Label) -> list[tuple[str, list[tuple[str, str]]]]:
    """A label in words: what each part demands, with the meaning of each name."""
    level = f"{scheme.level_number(label.level) + 1} of {len(scheme.levels)} levels, 1 is public"
    return [
        ("Level", [(label.level, level)]),
        ("Need to know", _named(label.compartments, scheme.compartments)),
        ("May be processed in", [(name, "") for name in sorted(label.residency)] or SEALED),
        ("May be used for", _named(label.purposes, scheme.purposes) or SEALED),
    ]


def _named(names: Iterable[str], meanings: Mapping[str, str]) -> list[tuple[str, str]]:
    return [(name, meanings.get(name, "")) for name in sorted(names)]


@dataclass(frozen=True, slots=True)
class DeploymentRow:
    """A deployment as lists show it."""

    deployment: Deployment
    label: Label
    version: ModelVersion | None
    alert: Alert | None
    accuracies: Sequence[float] = field(default_factory=list)  # of its newest checks, oldest first

    @property
    def path(self) -> str:
        """Its page."""
        return f"/console/deployments/{self.deployment.id}"

    @property
    def sparkline(self) -> Markup:
        """The accuracies as a small line."""
        first, last = self.accuracies[0], self.accuracies[-1]
        return sparkline(self.accuracies, title=f"Accuracy at checks, {first:.1%} to {last:.1%}")


def deployment_rows(caller: Caller, deployments: Sequence[Deployment]) -> list[DeploymentRow]:
    """Everything that a list shows of these deployments, in five queries."""
    session = caller.session
    labels = labels_of(session, [deployment.label_id for deployment in deployments])
    served = served_versions(session, deployments)
    ids = [deployment.id for deployment in deployments]
    alerts = session.scalars(
        select(Alert)
        .join(Deployment, Deployment.id == Alert.deployment_id)
        .where(
            Alert.deployment_id.in_(ids),
            Alert.state != AlertState.RESOLVED,
            visible_alerts(caller),
        )
    )
    unresolved = {alert.deployment_id: alert for alert in alerts}
    accuracies = _accuracies(session, ids)
    return [
        DeploymentRow(
            deployment,
            labels[deployment.label_id],
            served.get(deployment.id),
            unresolved.get(deployment.id),
            accuracies.get(deployment.id, []),
        )
        for deployment in deployments
    ]


def served_versions(
    session: Session, deployments: Sequence[Deployment]
) -> dict[UUID, ModelVersion]:
    """Which version each deployment answers with: the pinned one or its model's champion."""
    models = {deployment.model_id for deployment in deployments}
    pointers = select(Alias.model_id, Alias.version_id).where(
        Alias.alias == CHAMPION, Alias.model_id.in_(models)
    )
    champions = dict(session.execute(pointers).all())
    serving = {
        deployment.id: deployment.pinned_version_id or champions.get(deployment.model_id)
        for deployment in deployments
    }
    versions = versions_by_id(session, [found for found in serving.values() if found])
    return {
        deployment_id: versions[version_id]
        for deployment_id, version_id in serving.items()
        if version_id in versions
    }


def _accuracies(session: Session, deployment_ids: Sequence[UUID]) -> dict[UUID, list[float]]:
    newest = (
        func.row_number()
        .over(partition_by=CheckResult.monitor_id, order_by=CheckResult.window_end.desc())
        .label("newest")
    )
    checks = (
        select(Monitor.deployment_id, CheckResult.accuracy, CheckResult.window_end, newest)
        .join(Monitor, Monitor.id == CheckResult.monitor_id)
        .where(Monitor.deployment_id.in_(deployment_ids), CheckResult.accuracy.is_not(None))
        .subquery()
    )
    found: dict[UUID, list[float]] = {}
    rows = session.execute(
        select(checks.c.deployment_id, checks.c.accuracy)
        .where(checks.c.newest <= SPARKLINE_CHECKS)
        .order_by(checks.c.window_end)
    )
    for deployment_id, accuracy in rows:
        found.setdefault(deployment_id, []).append(accuracy)
    return found


def scalars_of(values: dict[str, Any]) -> dict[str, Any]:
    """The entries of a JSON object that one line can show."""
    return {name: value for name, value in values.items() if not isinstance(value, dict | list)}
