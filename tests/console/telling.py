"""An installation with a past: traffic, drift, alerts, retraining, a rejection."""

import random
from dataclasses import asdict
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select

from bailiwick.access import issue_token
from bailiwick.core.clock import ReplayClock
from bailiwick.core.ids import new_id
from bailiwick.lifecycle import JobKind, TrainingOrder
from bailiwick.lifecycle.considering import start_due
from bailiwick.lifecycle.gates import Paired
from bailiwick.lifecycle.jobs import Lease, claim, enqueue, fail, heartbeat
from bailiwick.lifecycle.promotion import ask_for_approval
from bailiwick.lifecycle.retraining_policies import (
    ask_for_policy_approval,
    create_retraining_policy,
    selection_of,
)
from bailiwick.lifecycle.schedules import set_schedule
from bailiwick.lifecycle.selection import Selection
from bailiwick.lifecycle.tables import RetrainingPolicy
from bailiwick.lifecycle.training_jobs import finish_training
from bailiwick.lifecycle.training_plans import plan_training
from bailiwick.lineage import Content, Dataset, DatasetVersion, Node, add_dataset_version
from bailiwick.monitoring import (
    Alert,
    CheckResult,
    Inference,
    Monitor,
    Outcome,
    create_monitor,
    evaluate,
    log_feedback,
    log_inferences,
)
from bailiwick.monitoring.statistics import DEFAULT_STATISTICS
from bailiwick.policy import decide_approval, load_actor
from bailiwick.registry import Deployment, create_deployment, served_version
from bailiwick.training import SmallClassifierRecipe
from console.story import HOSTILE, HOSTILE_DIGEST, REPORT, SECRET, START, Story
from factories import NAMESPACE, PURPOSE, Factory

# The last check finds harm, so the story ends with an open alert.
MONTHS, ROWS_PER_MONTH = 23, 60
BASELINE = 0.78
BETTER, WORSE = Paired(610, 130, 60, 200), Paired(560, 60, 130, 250)


class Teller:
    """Lets two years pass by the use cases that make them in life; only training is spared."""

    def __init__(self, make: Factory, clock: ReplayClock) -> None:
        self.make, self.clock = make, clock
        self.session, self.platform = make.session, make.platform
        self.chance = random.Random(7)  # noqa: S311 - a story, no secret
        self.trained_in = 0
        self.rejections = 0

    def tell(self) -> Story:
        make = self.make
        data = make.dataset()
        self._rejected_rows(data)
        first = make.dataset_version(data, rows=400)
        model = make.model()
        make.champion(make.model_version(model, first, accuracy=0.78))
        ledger = make.environment(keeps_text=True)
        governed = make.deployment(model, ledger, keeps_text=True)
        frozen = self._frozen(governed)
        self.service = make.principal("retrainer", "service", kind="service")
        self.monitor = self._watch(governed)
        self.policy = self._policy(governed, first)
        for month in range(MONTHS):
            self.clock.advance_to(START + timedelta(days=30 * (month + 1)))
            self._month(month, governed, frozen)
        running = self._running_job(governed)
        pending = make.model_version(make.model("router"), first, accuracy=0.7)
        approval = ask_for_approval(
            self.session,
            pending,
            rules=self.platform.rules,
            tiers=self.platform.tiers,
            actor=make.actor(make.engineer),
            at=make.at,
        )
        admin = make.principal("ada", "admin", "approver")
        _, token = issue_token(self.session, admin, "console", actor_id=admin.id, at=make.at)
        check = self.session.get_one(Alert, self.alerted).check_id
        return Story(
            self.platform, token, governed.id, frozen.id, self.alerted, check, running, approval.id
        )

    def _rejected_rows(self, data: Dataset) -> None:
        """A version of which some rows were set aside."""
        content = Content(
            content_digest=HOSTILE_DIGEST,
            rows_blob=self.platform.blobs.put_bytes(b"rows"),
            columns=[{"name": HOSTILE, "type": "string", "nulls": 0}],
            text_columns=("merchant", "cost_centre"),
            label_column="category",
            date_column="date",
            rows=9_988,
            first_time=START - timedelta(days=700),
            last_time=START - timedelta(days=400),
            rejected_rows=12,
            rejected_reasons={"date not understood": 9, "label empty": 3},
        )
        add_dataset_version(
            self.session,
            data,
            content,
            scheme=self.platform.rules.scheme,
            kind="ingest",
            inputs=[],
            started_at=self.make.at,
            actor_id=self.make.engineer.id,
            at=self.make.at,
        )

    def _frozen(self, governed: Deployment) -> Deployment:
        """The first version in a deployment of its own, for comparison."""
        make = self.make
        return create_deployment(
            self.session,
            governed.model,
            governed.environment,
            namespace=NAMESPACE,
            name="cards-frozen",
            purpose=PURPOSE,
            keeps_text=False,
            pinned=served_version(self.session, governed),
            rules=self.platform.rules,
            actor=make.actor(make.engineer),
            at=make.at,
        )

    def _watch(self, governed: Deployment) -> Monitor:
        make = self.make
        monitor = create_monitor(
            self.session,
            governed,
            max_accuracy_drop=0.05,
            min_rows=1_000,
            window_days=30,
            alarms_by="checks",
            actor_id=make.engineer.id,
            at=make.at,
        )
        set_schedule(
            self.session,
            JobKind.CHECK,
            monitor.id,
            namespace=NAMESPACE,
            label_id=governed.label_id,
            cron="0 6 * * 1",
            acts_as=self.service.id,
            actor_id=make.engineer.id,
            at=make.at,
        )
        return monitor

    def _policy(self, governed: Deployment, data: DatasetVersion) -> RetrainingPolicy:
        make = self.make
        engineer = make.actor(make.engineer)
        policy = create_retraining_policy(
            self.session,
            governed,
            dataset=data.dataset,
            acts_as=self.service,
            on_alert=["drift", "harm"],
            cooldown_days=60,
            selection=Selection(holdout_ratio=0.15, max_rows=12_000, window_days=365),
            recipe=SmallClassifierRecipe(),
            risk_tier="standard",
            actor=engineer,
            at=make.at,
        )
        request = ask_for_policy_approval(self.session, policy, actor=engineer, at=make.at)
        decide_approval(
            self.session,
            request,
            rules=self.platform.rules,
            approve=True,
            comment="Looked at the data window and the gates.",
            actor=make.actor(make.approver),
            at=make.at,
        )
        return policy

    def _month(self, month: int, governed: Deployment, frozen: Deployment) -> None:
        """Traffic, late labels, a check, and what follows from it."""
        age = month - self.trained_in
        self._traffic(governed, 0.79 - 0.018 * age)
        self._traffic(frozen, max(0.79 - 0.014 * month, 0.45))
        drift = 0.05 + 0.025 * age + self.chance.uniform(0, 0.02)
        check = self._check(governed, drift, 0.79 - 0.018 * age)
        alert = evaluate(
            self.session, self.monitor, check, actor_id=self.service.id, at=self.make.at
        )
        if alert is not None:
            self.alerted = alert.id
        last = month == MONTHS - 1
        if not last and start_due(self.session, at=self.make.at):
            self._retrain(governed, month)

    def _traffic(self, deployment: Deployment, accuracy: float) -> None:
        now = self.clock.now()
        version = served_version(self.session, deployment)
        asked, labels = [], []
        for number in range(ROWS_PER_MONTH):
            name = f"{now:%Y%m%d}-{number}"
            asked.append(
                Inference(
                    record_id=name,
                    at=now - timedelta(days=30 * (1 - number / ROWS_PER_MONTH)),
                    prediction="Fuel",
                    confidence=0.8,
                    characters=20,
                    words=3,
                    unseen_words_ratio=0.1,
                    text=SECRET if deployment.keeps_text else None,
                )
            )
            right = self.chance.random() < accuracy
            labels.append(Outcome(name, "Fuel" if right else "Travel"))
        vault = self.make.platform.texts
        log_inferences(self.session, deployment.id, version.id, asked, vault=vault, at=now)
        log_feedback(self.session, deployment.id, labels, actor_id=self.make.engineer.id, at=now)

    def _check(self, governed: Deployment, drift: float, accuracy: float) -> CheckResult:
        now = self.clock.now()
        dropped = accuracy < BASELINE - self.monitor.max_accuracy_drop
        results = [
            _statistic(place, asdict(spec), drift * (1 - 0.12 * place))
            for place, spec in enumerate(DEFAULT_STATISTICS)
        ]
        moved = any(result["drifted"] for result in results)
        sentence = "None of 5 statistics reached its threshold over 1,200 rows."
        if moved:
            sentence = (
                "The mix of predicted categories changed: 'Fuel' rose from 20.0% to 31.5% "
                f"(Jensen-Shannon distance {drift:.2f}, threshold 0.15)."
            )
        if dropped:
            sentence = f"Accuracy fell from {BASELINE:.1%} to {accuracy:.1%}. {sentence}"
        check = CheckResult(
            id=new_id(),
            monitor_id=self.monitor.id,
            job_id=new_id(),
            version_id=served_version(self.session, governed).id,
            window_start=now - timedelta(days=30),
            window_end=now,
            window_digest=HOSTILE_DIGEST,
            rows=1_200,
            labelled_rows=ROWS_PER_MONTH,
            accuracy=accuracy,
            verdict="harm" if dropped else "drift" if moved else "none",
            sentence=sentence,
            results=results,
            details={"accuracy": {"dropped": dropped, "accuracy": accuracy}},
            report_blob=self.platform.blobs.put_bytes(REPORT) if moved else None,
            at=now,
        )
        self.session.add(check)
        self.session.flush()
        return check

    def _retrain(self, governed: Deployment, month: int) -> None:
        """The first answer is rejected, the others are promoted."""
        lease = self._claim()
        data = self._prepared(governed, lease)
        order = TrainingOrder(
            model_id=governed.model_id,
            dataset_version_ids=(data.id,),
            recipe=SmallClassifierRecipe(),
            selection=selection_of(self.policy),
            purpose=PURPOSE,
            risk_tier="standard",
            seed=17,
            from_champion=True,
            retraining_policy_id=self.policy.id,
        )
        rejected = self.rejections == 0
        self.rejections += 1
        plan = plan_training(
            self.session,
            order,
            rules=self.platform.rules,
            actor=load_actor(self.session, lease.acts_as),
            at=self.make.at,
        )
        outcome = self.make._outcome(0.70 if rejected else 0.79, str(lease.job_id), compared=True)
        outcome["paired"] = asdict(WORSE if rejected else BETTER)
        finish_training(
            self.session,
            self.platform,
            lease,
            plan,
            outcome,
            reference_blob=data.rows_blob,
            started_at=self.make.at,
            at=self.make.at,
        )
        if not rejected:
            self.trained_in = month

    def _prepared(self, governed: Deployment, lease: Lease) -> DatasetVersion:
        """What has been learned since, as a dataset version."""
        version = served_version(self.session, governed)
        source = self.session.scalars(
            select(DatasetVersion).where(DatasetVersion.number == 2)
        ).one()
        now = self.clock.now()
        content = Content(
            content_digest=f"{now:%Y%m%d}".ljust(64, "0"),
            rows_blob=source.rows_blob,
            columns=source.columns,
            text_columns=tuple(source.text_columns),
            label_column=source.label_column,
            date_column=source.date_column,
            rows=4_000,
            first_time=now - timedelta(days=365),
            last_time=now,
        )
        return add_dataset_version(
            self.session,
            source.dataset,
            content,
            scheme=self.platform.rules.scheme,
            kind="prepare",
            inputs=[
                (Node("model-version", version.id), "cards", governed.label_id),
                (Node("dataset-version", source.id), "purchases", source.label_id),
            ],
            started_at=now,
            actor_id=lease.acts_as,
            at=now,
            job_id=lease.job_id,
        )

    def _claim(self) -> Lease:
        lease = claim(self.session, owner="story", lease_seconds=60, at=self.make.at)
        assert lease is not None
        return lease

    def _failed_job(self, governed: Deployment) -> None:
        enqueue(self.session, JobKind.CHECK, **self._work(governed, self.monitor.id))
        fail(
            self.session,
            self._claim(),
            f"the worker met {HOSTILE}",
            retry=False,
            at=self.make.at,
        )

    def _running_job(self, governed: Deployment) -> UUID:
        self._failed_job(governed)
        job = enqueue(self.session, JobKind.CHECK, **self._work(governed, self.monitor.id))
        heartbeat(
            self.session,
            self._claim(),
            lease_seconds=60,
            at=self.make.at,
            progress={"stage": "train", "step": 34, "steps": 120, "loss": 1.2},
        )
        return job.id

    def _work(self, governed: Deployment, subject_id: UUID) -> dict[str, Any]:
        return {
            "namespace": NAMESPACE,
            "label_id": governed.label_id,
            "subject_id": subject_id,
            "acts_as": self.service.id,
            "payload": {"due_at": self.make.at.isoformat()},
            "actor_id": self.service.id,
            "at": self.make.at,
        }


def _statistic(place: int, spec: dict[str, Any], value: float) -> dict[str, Any]:
    numeric = spec["kind"] == "numeric"
    return {
        **spec,
        "statistic": value,
        "reference_rows": 1_000,
        "current_rows": 1_200,
        "drifted": value >= spec["threshold"],
        "library": "made for a test",
        "reference_mean": 20.0 + place if numeric else None,
        "current_mean": 24.5 + place if numeric else None,
        "movers": []
        if numeric
        else [{"category": "Fuel", "reference_share": 0.2, "current_share": 0.315}],
    }
