"""A monitored deployment whose checks find what a test says, channels, and a receiver of messages.

The receiver is a real HTTP server on a loopback port. It checks signatures with the published
recipe, written a second time here.
"""

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import UUID

from sqlalchemy import select

from bailiwick.access import find_principal
from bailiwick.core.ids import new_id
from bailiwick.lifecycle import Platform
from bailiwick.monitoring import Alert, CheckResult, Monitor, create_monitor, evaluate
from bailiwick.notifications import (
    Channel,
    Delivery,
    Target,
    Terms,
    create_channel,
    send_next,
)
from bailiwick.registry import Deployment, served_version
from factories import Factory

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ADDRESS = "https://hooks.example.com/alerts/let-me-in"


class Watch:
    """A monitored deployment."""

    def __init__(self, make: Factory, deployment: Deployment) -> None:
        self.make = make
        self.deployment = deployment
        self.later = timedelta(0)  # than the clock
        self.version = served_version(make.session, deployment)
        standing = select(Monitor).where(Monitor.deployment_id == deployment.id)
        self.monitor: Monitor = make.session.scalar(standing) or create_monitor(
            make.session,
            deployment,
            max_accuracy_drop=0.05,
            min_rows=1,
            window_days=1,
            alarms_by="checks",
            actor_id=make.engineer.id,
            at=make.at,
        )

    @property
    def at(self) -> datetime:
        """The moment of the next check or move."""
        return self.make.at + self.later

    def check(self, verdict: str, sentence: str = "something moved") -> Alert | None:
        """The alert after a check, now, of the last day."""
        check = CheckResult(
            id=new_id(),
            monitor_id=self.monitor.id,
            job_id=new_id(),
            version_id=self.version.id,
            window_start=self.at - timedelta(days=1),
            window_end=self.at,
            window_digest="0" * 64,
            rows=5,
            labelled_rows=0,
            accuracy=None,
            verdict=verdict,
            sentence=sentence,
            results=[{"column": "prediction", "drifted": True}],
            details={"accuracy": {"dropped": False}},
            report_blob=None,
            at=self.at,
        )
        self.make.session.add(check)
        self.make.session.flush()
        return evaluate(
            self.make.session, self.monitor, check, actor_id=self.make.root.id, at=self.at
        )

    def raised(self, verdict: str = "harm") -> Alert:
        """The alert that a finding raises, or keeps standing."""
        alert = self.check(verdict)
        assert alert is not None
        return alert


def found(platform: Platform) -> UUID:
    """A running deployment that stays; its id."""
    with platform.database.transaction() as session:
        return Factory(session, platform).running().id


@contextmanager
def looking(platform: Platform, deployment_id: UUID, *, keep: bool = False) -> Iterator[Watch]:
    """The deployment, watched in a transaction that leaves nothing behind, unless told to."""
    with platform.database.transaction() as session:
        make = Factory(session, platform)
        for name in ("root", "engineer"):
            make.__dict__[name] = find_principal(session, name)
        yield Watch(make, session.get_one(Deployment, deployment_id))
        if not keep:
            session.rollback()


def channel(
    make: Factory,
    name: str = "pager",
    *,
    address: str = ADDRESS,
    clearance_level: str = "confidential",
    **terms: Any,
) -> Channel:
    """A webhook that may know names of what is confidential, for everything."""
    terms.setdefault("clearance_compartments", ("finance",))
    return create_channel(
        make.session,
        name,
        Target("webhook", address, SECRET),
        Terms(clearance_level=clearance_level, **terms),
        vault=make.platform.vault(),
        rules=make.platform.rules,
        actor=make.actor(make.root),
        at=make.at,
    )


def deliveries(session: Any, **wanted: Any) -> list[Delivery]:
    """Messages in the order in which they were written."""
    return list(session.scalars(select(Delivery).filter_by(**wanted).order_by(Delivery.id)))


def send_all(platform: Platform) -> int:
    """Do what the worker's tick does; how many messages were tried."""
    sent = 0
    while send_next(
        platform.database,
        rules=platform.rules,
        vault=platform.vault,
        public_url="https://bailiwick.example.com/",
        clock=platform.clock,
    ):
        sent += 1
    return sent


@dataclass
class Receiver:
    """What arrived, and the status that is answered."""

    url: str = ""
    status: int = 204
    arrived: list[tuple[Mapping[str, str], bytes]] = field(default_factory=list)

    @property
    def bodies(self) -> list[dict[str, Any]]:
        """The bodies, as JSON."""
        return [json.loads(body) for _, body in self.arrived]

    @property
    def ids(self) -> list[str]:
        """Their ids."""
        return [headers["webhook-id"] for headers, _ in self.arrived]


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver on a loopback port."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["content-length"])
            headers = {name.lower(): value for name, value in self.headers.items()}
            receiver.arrived.append((headers, self.rfile.read(length)))
            self.send_response(receiver.status)
            self.send_header("location", "/elsewhere")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver.url = f"http://127.0.0.1:{server.server_port}/hook"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def is_genuine(headers: Mapping[str, str], body: bytes, *, secret: str, at: datetime) -> bool:
    """What a receiver does, by the words of the standard."""
    key = base64.b64decode(secret[len("whsec_") :])
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    wanted = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    near = abs(int(headers["webhook-timestamp"]) - at.timestamp()) < 300
    return near and f"v1,{wanted}" in headers["webhook-signature"].split(" ")
