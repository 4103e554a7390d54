"""A real API on a loopback port, over a migrated database with people and a running model."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from bailiwick.access import find_principal, issue_token
from bailiwick.cli.application import listen, serving_in_background
from bailiwick.client import Bailiwick
from bailiwick.core.ids import new_id
from bailiwick.lifecycle import Platform
from bailiwick.lifecycle.jobs import Lease, claim, heartbeat, succeed
from bailiwick.monitoring import CheckResult, create_monitor, evaluate
from bailiwick.monitoring.descriptors import Descriptors
from bailiwick.registry import Deployment, served_version
from bailiwick.serving import Classification
from factories import Factory
from support.applications import api_of

LABEL = {
    "level": "confidential",
    "compartments": ["finance"],
    "residency": ["eu"],
    "purposes": ["accounting"],
}
PEOPLE = {"ada": "admin", "engineer": "engineer", "approver": "approver", "visitor": ""}
PROGRESS = {"stage": "train", "step": 34, "steps": 120, "loss": 1.2}
SENTENCE = "The mix of predicted categories changed: 'Fuel' rose from 20.0% to 31.5%."


class FakeModels:
    """The model server, at the outer edge: always sure, always of the same opinion."""

    def classify(
        self, version_id: str, texts: Sequence[str], *, timeout_seconds: float | None = None
    ) -> list[Classification]:
        """`Fuel` for every text."""
        UUID(version_id)
        del timeout_seconds
        return [Classification("Fuel", 0.875, Descriptors(len(text), 2, 0.0)) for text in texts]

    def keep(self, version_ids: Sequence[str]) -> None:
        """Everything is in memory."""

    def close(self) -> None:
        """Nothing to close."""


@dataclass
class Worker:
    """A worker in two steps: takes the job that waits, then ends it."""

    platform: Platform
    result: dict[str, Any]
    lease: Lease | None = None

    def step(self) -> None:
        """One step."""
        at = self.platform.clock.now()
        with self.platform.database.transaction() as session:
            if self.lease is None:
                self.lease = claim(session, owner="test", lease_seconds=60, at=at)
                assert self.lease is not None
                heartbeat(session, self.lease, lease_seconds=60, at=at, progress=PROGRESS)
            else:
                succeed(session, self.lease, self.result, at=at)


@dataclass
class Installation:
    """Where it is, and who may call."""

    platform: Platform
    url: str
    tokens: dict[str, str] = field(default_factory=dict)

    def client(self, who: str = "engineer") -> Bailiwick:
        """A client that acts as somebody."""
        return Bailiwick(self.url, self.tokens[who])

    def open_alert(self) -> str:
        """Let a monitor of `finance/cards` find something; the alert's id."""
        at = self.platform.clock.now()
        with self.platform.database.transaction() as session:
            deployment = session.query(Deployment).filter_by(name="cards").one()
            engineer = find_principal(session, "engineer")
            monitor = create_monitor(
                session,
                deployment,
                max_accuracy_drop=0.05,
                min_rows=1_000,
                window_days=30,
                alarms_by="checks",
                actor_id=engineer.id,
                at=at,
            )
            check = CheckResult(
                id=new_id(),
                monitor_id=monitor.id,
                job_id=new_id(),
                version_id=served_version(session, deployment).id,
                window_start=at - timedelta(days=30),
                window_end=at,
                window_digest="f" * 64,
                rows=1_200,
                labelled_rows=600,
                accuracy=0.71,
                verdict="drift",
                sentence=SENTENCE,
                results=[{"column": "prediction", "drifted": True}],
                details={"accuracy": {"dropped": False}},
                report_blob=None,
                at=at,
            )
            session.add(check)
            session.flush()
            alert = evaluate(session, monitor, check, actor_id=engineer.id, at=at)
            assert alert is not None
            return str(alert.id)


@contextmanager
def running_installation(platform: Platform) -> Iterator[Installation]:
    """People, a trained champion deployed as `finance/cards`, and the API that shows them."""
    with platform.database.transaction() as session:
        make = Factory(session, platform)
        model = make.model()
        make.champion(make.model_version(model, make.dataset_version(make.dataset())))
        make.deployment(model, make.environment(keeps_text=True), keeps_text=True)
        make.principal("retrainer", "service", kind="service")
        for name, role in PEOPLE.items():
            if name not in ("engineer", "approver"):
                make.principal(name, *([role] if role else []))
        session.flush()
        tokens = {
            name: issue_token(
                session, find_principal(session, name), name, actor_id=make.root.id, at=make.at
            )[1]
            for name in PEOPLE
        }
    listener = listen("127.0.0.1", 0)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    app = api_of(platform, FakeModels())
    with serving_in_background(app, listener):
        yield Installation(platform, url, tokens)
