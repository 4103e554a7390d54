"""Alerts: raised by a check or a policy, kept up to date, closed by people or by recovery.

At most one alert of a deployment, source and cause is unresolved (a unique index): a worsening is
the same alert, and so is a cause that comes back soon (`alert_life`).
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from bailiwick.core.ids import new_id
from bailiwick.monitoring.alert_life import (
    REOPEN_WITHIN,
    AlertState,
    begin,
    keep_up,
    quieten,
    reopen,
)
from bailiwick.monitoring.findings import ACCURACY_SINCE, drifted_columns, moved_since
from bailiwick.monitoring.tables import MONITOR, POLICY, Alert, CheckResult, Monitor
from bailiwick.notifications import (
    OUT_OF_POLICY,
    Hold,
    Hushable,
    Severity,
    hold_on,
    severity_of,
    standing_silences,
)
from bailiwick.policy import Resource
from bailiwick.registry import Breach, Deployment, deployment_resource

QUIET, DRIFT, HARM, INSUFFICIENT = "none", "drift", "harm", "insufficient"
SKEW = "skew"
HISTORY = 100  # windows that are looked back at to say since when


@dataclass(frozen=True, slots=True)
class Signal:
    """Something is there that somebody should know: what raises an alert, or keeps one standing.

    `cause` groups: signals of one cause are one alert, whatever their kind. Exactly one of check,
    incident and label incident (with their monitor) and breach is given; none of them by rollouts.
    """

    deployment_id: UUID
    source: str
    cause: str
    kind: str
    severity: Severity
    sentence: str
    since: datetime
    owner_id: UUID
    monitor_id: UUID | None = None
    check_id: UUID | None = None
    incident_id: UUID | None = None
    label_incident_id: UUID | None = None
    breach_id: UUID | None = None
    rollout_id: UUID | None = None


def signal(session: Session, sent: Signal, *, actor_id: UUID, at: datetime) -> Alert:
    """The alert of a signal: the one that stands, one that is open again, or a new one.

    An alert that stands keeps its `since`.
    """
    standing = unresolved(session, sent.deployment_id, sent.source, sent.cause)
    return _tell(session, sent, standing, actor_id=actor_id, at=at)


def _tell(
    session: Session, sent: Signal, standing: Alert | None, *, actor_id: UUID, at: datetime
) -> Alert:
    if standing is not None:
        _renew(standing, sent)
        return keep_up(session, standing, sent.severity, actor_id=actor_id, at=at)
    returning = _resolved_lately(session, sent, at)
    if returning is not None:
        _renew(returning, sent)
        returning.since, returning.severity = sent.since, sent.severity
        return reopen(session, returning, actor_id=actor_id, at=at)
    new = Alert(
        id=new_id(),
        deployment_id=sent.deployment_id,
        source=sent.source,
        cause=sent.cause,
        monitor_id=sent.monitor_id,
        owner_id=sent.owner_id,
        severity=sent.severity,
        since=sent.since,
        opened_at=at,
    )
    _renew(new, sent)
    return begin(session, new, actor_id=actor_id, at=at)


def unresolved(
    session: Session, deployment_id: UUID, source: str = MONITOR, cause: str | None = None
) -> Alert | None:
    """The deployment's alert of that source and cause (default: the source's own) that stands."""
    return session.scalar(
        select(Alert).where(
            Alert.deployment_id == deployment_id,
            Alert.source == source,
            Alert.cause == (cause or source),
            Alert.state != AlertState.RESOLVED,
        )
    )


def standing_alerts(session: Session, deployment_id: UUID, source: str = MONITOR) -> list[Alert]:
    """All alerts of a deployment and source that nobody and nothing has resolved yet."""
    return list(
        session.scalars(
            select(Alert)
            .where(
                Alert.deployment_id == deployment_id,
                Alert.source == source,
                Alert.state != AlertState.RESOLVED,
            )
            .order_by(Alert.id)
        )
    )


def evaluate(
    session: Session,
    monitor: Monitor,
    check: CheckResult,
    *,
    first_look: bool = False,
    labels_judged: bool = False,
    actor_id: UUID,
    at: datetime,
) -> Alert | None:
    """What a new check means for the deployment's alert: raise, update, resolve or leave it.

    Where windows alarm, a check that compares distributions with fixed thresholds is a second
    opinion: recorded, and no alert. Lost accuracy is one all the same, unless `labels_judged`: the
    test on labels alarms then, which keeps to the false alarms that were asked for. So is skew:
    what the `first_look` at a version's requests found unlike the rows it was evaluated on.
    """
    if first_look and check.verdict == DRIFT:
        return signal(session, _skew(session, monitor, check), actor_id=actor_id, at=at)
    alert = unresolved(session, monitor.deployment_id)
    if monitor.alarms_by == "windows" and _is_second_opinion(check, labels_judged):
        return alert
    if check.verdict == INSUFFICIENT or (alert is None and check.verdict == QUIET):
        return alert
    if alert is not None and check.verdict == QUIET:
        return quieten(session, alert, found=check.sentence, actor_id=actor_id, at=at)
    found = Signal(
        deployment_id=monitor.deployment_id,
        source=MONITOR,
        cause=MONITOR,
        kind=check.verdict,
        severity=severity_of(check.verdict),
        sentence=check.sentence,
        since=alert.since if alert else _since(session, monitor, check),
        owner_id=session.get_one(Deployment, monitor.deployment_id).created_by,
        monitor_id=monitor.id,
        check_id=check.id,
    )
    return _tell(session, found, alert, actor_id=actor_id, at=at)


def _skew(session: Session, monitor: Monitor, check: CheckResult) -> Signal:
    return Signal(
        deployment_id=monitor.deployment_id,
        source=MONITOR,
        cause=SKEW,
        kind=SKEW,
        severity=severity_of(SKEW),
        sentence=(
            "The first requests are unlike the rows that the version was evaluated on "
            f"(training/serving skew): {check.sentence}"
        )[:2000],
        since=check.window_start,
        owner_id=session.get_one(Deployment, monitor.deployment_id).created_by,
        monitor_id=monitor.id,
        check_id=check.id,
    )


def _is_second_opinion(check: CheckResult, labels_judged: bool) -> bool:  # noqa: FBT001 - private
    harmful = any(result["drifted"] and result["harmful"] for result in check.results)
    return check.verdict == DRIFT or (labels_judged and check.verdict == HARM and not harmful)


def policy_alerts(session: Session, deployment_ids: Collection[UUID]) -> dict[UUID, Alert]:
    """The unresolved alerts of source `policy`, by deployment, in one query."""
    found = session.scalars(
        select(Alert).where(
            Alert.deployment_id.in_(deployment_ids),
            Alert.source == POLICY,
            Alert.state != AlertState.RESOLVED,
        )
    )
    return {alert.deployment_id: alert for alert in found}


def tell_owner(
    session: Session,
    breach: Breach,
    sentence: str,
    *,
    alert: Alert | None,
    actor_id: UUID,
    at: datetime,
) -> Alert:
    """Raise the alert that a deployment is out of policy, or bring `alert`, which stands, up to it.

    It is for the breach's owner and stays until the breach is resolved. The breach must have been
    written (flushed) before.
    """
    told = Signal(
        deployment_id=breach.deployment_id,
        source=POLICY,
        cause=POLICY,
        kind=OUT_OF_POLICY,
        severity=severity_of(
            OUT_OF_POLICY, stops=breach.stop_at is not None or breach.stopped_at is not None
        ),
        sentence=sentence,
        since=breach.found_at,
        owner_id=breach.owner_id,
        breach_id=breach.id,
    )
    return _tell(session, told, alert, actor_id=actor_id, at=at)


def _since(session: Session, monitor: Monitor, check: CheckResult) -> datetime:
    """The start of the window in which what has moved now began to move, for this version.

    What a check finds is beside its version's own reference: windows that another version
    answered say nothing of that. Where accuracy fell within the window, the likeliest moment.
    """
    newest_first = session.scalars(
        select(CheckResult)
        .where(
            CheckResult.monitor_id == monitor.id,
            CheckResult.version_id == check.version_id,
            CheckResult.window_end <= check.window_end,
            CheckResult.verdict != INSUFFICIENT,
        )
        .order_by(CheckResult.window_end.desc(), CheckResult.id.desc())
        .limit(HISTORY)
    )
    history = [
        (past.window_start, drifted_columns(past.results, past.details)) for past in newest_first
    ]
    since = moved_since(history[::-1])
    fell = check.details.get(ACCURACY_SINCE)
    if fell is None or since != check.window_start:
        return since
    return datetime.fromisoformat(fell)


def alert_resource(session: Session, alert: Alert) -> Resource:
    """The alert as the policy sees it: labelled like its deployment."""
    watched = deployment_resource(session, session.get_one(Deployment, alert.deployment_id))
    return Resource(
        type="Alert",
        id=str(alert.id),
        namespace=watched.namespace,
        label=watched.label,
        belongs_to=watched.belongs_to,
    )


def silenced(session: Session, alerts: Sequence[Alert], *, at: datetime) -> dict[UUID, Hold]:
    """The silences that act on those alerts that stand, by alert, in two queries."""
    if not alerts:
        return {}
    silences = standing_silences(session, at=at)
    ids = {alert.deployment_id for alert in alerts}
    places = select(Deployment.id, Deployment.namespace).where(Deployment.id.in_(ids))
    namespaces = {row.id: row.namespace for row in session.execute(places)}
    found = {}
    for alert in alerts:
        place = namespaces[alert.deployment_id]
        about = Hushable(alert.deployment_id, place, alert.source, alert.cause)
        hold = hold_on(silences, about, at=at)
        if hold is not None and alert.state != AlertState.RESOLVED:
            found[alert.id] = hold
    return found


def _renew(alert: Alert, sent: Signal) -> None:
    """The newest of what is known of it."""
    alert.kind, alert.sentence = sent.kind, sent.sentence
    alert.check_id, alert.breach_id = sent.check_id, sent.breach_id
    alert.rollout_id = sent.rollout_id
    alert.incident_id, alert.label_incident_id = sent.incident_id, sent.label_incident_id
    alert.owner_id = sent.owner_id


def _resolved_lately(session: Session, sent: Signal, at: datetime) -> Alert | None:
    """The alert of the same cause that was resolved last, if that is not too long ago."""
    return session.scalar(
        select(Alert)
        .where(
            Alert.deployment_id == sent.deployment_id,
            Alert.source == sent.source,
            Alert.cause == sent.cause,
            Alert.state == AlertState.RESOLVED,
            Alert.resolved_at >= at - REOPEN_WITHIN,
        )
        .order_by(Alert.resolved_at.desc(), Alert.id.desc())
        .limit(1)
    )
