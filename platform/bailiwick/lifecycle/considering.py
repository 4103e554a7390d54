"""Retraining policies are considered: what sets them off, what holds them back, what came of it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from bailiwick.core.ids import new_id
from bailiwick.core.sentences import headline
from bailiwick.lifecycle import upstream
from bailiwick.lifecycle.asking import ask, decided
from bailiwick.lifecycle.hour_budget import hours_used, is_spent
from bailiwick.lifecycle.jobs import JobState
from bailiwick.lifecycle.label_budget import learned_this_month
from bailiwick.lifecycle.retrain import enqueue_retraining, unfinished
from bailiwick.lifecycle.retraining_policies import is_approved
from bailiwick.lifecycle.strategies import Decision
from bailiwick.lifecycle.tables import Consideration, Job, RetrainingPolicy
from bailiwick.lifecycle.trials import order_trial
from bailiwick.lifecycle.triggers import (
    Accuracy,
    Cause,
    Facts,
    Hold,
    Loud,
    Standing,
    Trigger,
    cause_of,
    holds,
)
from bailiwick.lineage import DatasetVersion
from bailiwick.lineage.taxonomies import renames_of
from bailiwick.monitoring import Alert, AlertState, CheckResult, Feedback, Monitor
from bailiwick.monitoring.estimating import ESTIMATED
from bailiwick.notifications.recurrence import Weekly
from bailiwick.policy import LabelMove
from bailiwick.registry import STOPPED, Deployment, ModelVersion, served_version
from bailiwick.registry.rollouts import is_rolling_out

LABELS = frozenset({"new-labels", "new-class"})
REMEMBERED_JOBS = 200  # whose causes are not acted on again
MOST_WORDS = 1_000
COUNTED = frozenset({"new-labels", "new-class", "erasure", "new-inputs", "strategy"})


def start_due(session: Session, *, counting: bool = True, at: datetime) -> int:
    """Start a job for every policy that is set off and not held back; how many.

    A deployment never has two retraining jobs at a time, and each cause starts one job at most.
    Not `counting`: without the policies that count labels or walk lineage, which is dear.
    """
    query = (
        select(RetrainingPolicy, Deployment)
        .join(Deployment, Deployment.id == RetrainingPolicy.deployment_id)
        .where(RetrainingPolicy.enabled, Deployment.state != STOPPED)
        .order_by(RetrainingPolicy.id)
        .with_for_update(of=RetrainingPolicy, skip_locked=True)
    )
    found = session.execute(query).all()
    alerts = _alerts(session, [deployment.id for _, deployment in found])
    return sum(
        _consider(session, policy, deployment, alerts.get(deployment.id, ()), at=at)
        for policy, deployment in found
        if counting or not (policy.budget_labels or _kinds(policy) & COUNTED)
    )


def _consider(
    session: Session,
    policy: RetrainingPolicy,
    deployment: Deployment,
    alerts: Sequence[Alert],
    *,
    at: datetime,
) -> bool:
    """Whether a job was started."""
    if not policy.triggers and not any(alert.kind in policy.on_alert for alert in alerts):
        return False
    jobs = _newest_jobs(session, policy)
    done = {key for job in jobs for key in job.payload.get("causes", ())}
    done |= {_key_in(policy, job) for job in jobs}
    facts = _facts(session, policy, deployment, alerts, jobs, at=at)
    found = [cause_of(Trigger(**one), facts) for one in policy.triggers]
    causes = [_answered(alert) for alert in alerts if alert.kind in policy.on_alert]
    causes = [one for one in (*causes, *found) if one is not None and one.key not in done]
    decisions = _told(facts)
    if not causes:
        if decisions:
            _note(session, policy, (), (), None, decisions, at=at)
        return False
    held = holds(
        facts,
        _standing(session, policy, deployment, jobs, at=at),
        only_if=[Trigger(**one) for one in policy.only_if],
        budget_hours=policy.budget_hours,
        budget_labels=policy.budget_labels,
        blackouts=[Weekly.from_dict(one) for one in policy.blackouts],
    )
    job = None
    if not held:
        job = enqueue_retraining(
            session,
            policy,
            reason="; ".join(one.sentence for one in causes)[:MOST_WORDS],
            causes=[one.key for one in causes],
            alerts=[one.alert for one in causes if one.alert is not None],
            dedupe_key=_dedupe_key(policy, causes[0].key),
            actor_id=policy.acts_as,
            at=at,
        )
    _note(session, policy, causes, held, job, decisions, at=at)
    return job is not None


def _answered(alert: Alert) -> Cause:
    """One job an incident or check result: each later check of an alert that stays is another."""
    sentence = f"{alert.kind} alert: {headline(alert.sentence).removesuffix('.')}"
    return Cause("alert", _key_of(alert), sentence, str(alert.id))


def _key_of(alert: Alert) -> str:
    return str(alert.check_id or alert.incident_id or alert.label_incident_id or alert.id)


def _dedupe_key(policy: RetrainingPolicy, key: str) -> str:
    return f"retrain:{policy.id}:{key}"


def _key_in(policy: RetrainingPolicy, job: Job) -> str:
    return (job.dedupe_key or "").removeprefix(_dedupe_key(policy, ""))


def _note(
    session: Session,
    policy: RetrainingPolicy,
    causes: Sequence[Cause],
    held: Sequence[Hold],
    job: Job | None,
    decisions: Sequence[Mapping[str, Any]],
    *,
    at: datetime,
) -> None:
    """Write down what came of it, unless that is what was written down last.

    Last by this clock: one that was set back would else compare with what it has yet to see.
    """
    row = Consideration(
        id=new_id(),
        policy_id=policy.id,
        at=at,
        causes=[asdict(one) for one in causes],
        holds=[asdict(one) for one in held],
        decisions=list(map(dict, decisions)),
        job_id=job.id if job is not None else None,
    )
    last = session.scalar(
        select(Consideration)
        .where(Consideration.policy_id == policy.id, Consideration.at <= at)
        .order_by(Consideration.at.desc(), Consideration.id.desc())
        .limit(1)
    )
    if job is None and last is not None and _says_nothing_new(row, last):
        return
    session.add(row)
    session.flush()


def _says_nothing_new(row: Consideration, last: Consideration) -> bool:
    """Without a cause, the same decisions; else the same causes, held back by the same."""
    if not row.causes:
        return row.decisions == last.decisions
    return last.job_id is None and _gist(last) == _gist(row)


def _gist(row: Consideration) -> tuple[list[str], list[str]]:
    return [one["key"] for one in row.causes], [one["why"] for one in row.holds]


def _told(facts: Facts) -> list[dict[str, Any]]:
    """What the strategies said, and why, as it is written down."""
    return [
        {
            "strategy": value,
            "period": one.keys[0],
            "retrain": one.retrain,
            "reason": one.reason,
        }
        for value, one in facts.decisions.items()
    ]


def _decisions(
    session: Session,
    policy: RetrainingPolicy,
    deployment: Deployment,
    champion: ModelVersion,
    jobs: Sequence[Job],
    *,
    at: datetime,
) -> dict[str, Decision]:
    """What each strategy of an approved policy says; one that wants a trial gets it ordered."""
    asked_for = [Trigger(**one) for one in (*policy.triggers, *policy.only_if)]
    rules = {str(one.value): rule for one in asked_for if (rule := one.rule) is not None}
    if not rules or not is_approved(session, policy):
        return {}
    ended = [job.created_at for job in jobs if job.state == JobState.SUCCEEDED]
    spent, found = is_spent(session, policy, at=at), {}
    for value, rule in rules.items():
        asked = ask(session, policy, deployment, champion, rule, retrained=ended, at=at)
        if asked is None:
            continue
        found[value] = decided(rule, asked, spent=spent)
        wanted = rule.strategy.tries and asked.wants_trial and asked.can_be_tried and not spent
        if wanted and asked.newest:
            order_trial(
                session,
                policy,
                deployment,
                champion,
                rule.unit,
                asked.newest,
                age=asked.known.behind,
                at=at,
            )
    return found


def _newest_jobs(session: Session, policy: RetrainingPolicy) -> Sequence[Job]:
    query = select(Job).where(Job.subject_id == policy.id)
    return session.scalars(query.order_by(Job.id.desc()).limit(REMEMBERED_JOBS)).all()


def _standing(
    session: Session,
    policy: RetrainingPolicy,
    deployment: Deployment,
    jobs: Sequence[Job],
    *,
    at: datetime,
) -> Standing:
    ended = max((job.finished_at for job in jobs if job.finished_at is not None), default=None)
    rests = None if ended is None else ended + timedelta(days=policy.cooldown_days)
    began = (job.started_at for job in jobs if job.state == JobState.SUCCEEDED and job.started_at)
    return Standing(
        approved=is_approved(session, policy),
        under_way=unfinished(session, policy),
        rests_until=rests if rests is not None and rests > at else None,
        hours_used=0.0 if policy.budget_hours is None else hours_used(session, policy, at=at),
        labels_used=_labels_used(session, policy, max(began, default=None), at=at),
        rolling_out=is_rolling_out(session, deployment.model_id),
    )


def _labels_used(
    session: Session, policy: RetrainingPolicy, until: datetime | None, *, at: datetime
) -> int:
    """Of the month's labels those that trainings learned from, who leave out what is beyond."""
    if policy.budget_labels is None:
        return 0
    read = learned_this_month(session, policy.deployment_id, until, at=at)
    return min(read, policy.budget_labels)


def _alerts(session: Session, deployment_ids: Sequence[UUID]) -> dict[UUID, list[Alert]]:
    """Those that stand, by deployment, in one query."""
    found: dict[UUID, list[Alert]] = {}
    query = select(Alert).where(
        Alert.deployment_id.in_(deployment_ids), Alert.state != AlertState.RESOLVED
    )
    for alert in session.scalars(query.order_by(Alert.id)):
        found.setdefault(alert.deployment_id, []).append(alert)
    return found


def _facts(
    session: Session,
    policy: RetrainingPolicy,
    deployment: Deployment,
    alerts: Sequence[Alert],
    jobs: Sequence[Job],
    *,
    at: datetime,
) -> Facts:
    """What the policy's triggers and conditions look at, and nothing else."""
    kinds = _kinds(policy)
    champion = served_version(session, deployment)
    succeeded = (job.created_at for job in jobs if job.state == JobState.SUCCEEDED)
    since = max(succeeded, default=champion.created_at)
    started = max((job.created_at for job in jobs), default=policy.created_at)
    return Facts(
        at=at,
        since=since,
        calendar_since=max(started, policy.created_at),
        champion=str(champion.id),
        trained_at=champion.created_at,
        classes=_classes(session, policy, champion),
        alerts=[Loud(_key_of(one), one.kind, one.severity, one.sentence) for one in alerts],
        accuracy=_accuracy(session, deployment, champion) if "accuracy-below" in kinds else (),
        new_labels=_new_labels(session, policy, since) if kinds & LABELS else {},
        new_data=_new_data(session, policy, since) if "new-data" in kinds else (),
        raised=_raised(session, champion) if "label-raised" in kinds else None,
        erasures=upstream.erasures_after(session, champion) if "erasure" in kinds else (),
        new_base=upstream.newer_base(session, champion) if "new-base" in kinds else None,
        new_inputs=upstream.newer_inputs(session, champion, since) if "new-inputs" in kinds else (),
        rules=upstream.rules_after(session, champion) if "new-rules" in kinds else None,
        decisions=_decisions(session, policy, deployment, champion, jobs, at=at)
        if "strategy" in kinds
        else {},
    )


def _kinds(policy: RetrainingPolicy) -> set[str]:
    return {one["kind"] for one in (*policy.triggers, *policy.only_if)}


def _accuracy(
    session: Session, deployment: Deployment, champion: ModelVersion
) -> Sequence[Accuracy]:
    """By labels and by the estimate, where the newest check of the champion trusts them."""
    check = session.scalar(
        select(CheckResult)
        .join(Monitor, Monitor.id == CheckResult.monitor_id)
        .where(Monitor.deployment_id == deployment.id, CheckResult.version_id == champion.id)
        .order_by(CheckResult.window_end.desc(), CheckResult.id.desc())
        .limit(1)
    )
    if check is None:
        return ()
    found, measured = [], check.details["accuracy"]
    if measured["upper"] is not None:
        found.append(Accuracy(str(check.id), measured["accuracy"], measured["upper"], "labels"))
    estimated = check.details.get(ESTIMATED)
    if estimated is not None and estimated["trusted"]:
        upper = estimated["upper"]
        found.append(Accuracy(str(check.id), estimated["accuracy"], upper, "estimate"))
    return found


def _new_labels(session: Session, policy: RetrainingPolicy, since: datetime) -> dict[str, int]:
    """Records that were labelled since, by what their labels are called now."""
    rows = session.execute(
        select(Feedback.label, func.count(Feedback.record_id.distinct()))
        .where(
            Feedback.deployment_id == policy.deployment_id,
            Feedback.received_at > since,
            Feedback.label.is_not(None),
        )
        .group_by(Feedback.label)
    )
    renames, found = renames_of(session, policy.dataset_id), Counter[str]()
    for label, count in rows:
        if label is not None and (named := renames.name_of(label)) is not None:
            found[named] += count
    return dict(found)


def _classes(session: Session, policy: RetrainingPolicy, champion: ModelVersion) -> frozenset[str]:
    """What the champion answers with, and what that is called now: a rename is no new class."""
    renames = renames_of(session, policy.dataset_id)
    now = (renames.name_of(label) for label in champion.labels)
    return frozenset([*champion.labels, *(name for name in now if name is not None)])


def _new_data(session: Session, policy: RetrainingPolicy, since: datetime) -> list[str]:
    rows = session.scalars(
        select(DatasetVersion.id)
        .where(
            DatasetVersion.dataset_id == policy.dataset_id,
            DatasetVersion.source_blob.is_not(None),
            DatasetVersion.created_at > since,
        )
        .order_by(DatasetVersion.number)
    )
    return list(map(str, rows))


def _raised(session: Session, champion: ModelVersion) -> str | None:
    newest = (
        select(LabelMove.id)
        .where(LabelMove.node_id == champion.id, LabelMove.at > champion.created_at)
        .order_by(LabelMove.id.desc())
    )
    found = session.scalar(newest.limit(1))
    return str(found) if found is not None else None
