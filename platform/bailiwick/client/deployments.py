"""Environments, deployments and their traffic."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Literal, cast
from uuid import UUID, uuid4

from bailiwick.client.capability import Capability, given
from bailiwick.client.errors import BailiwickAPIError, MisusedClient
from bailiwick.client.recorder import Recorder, as_line, as_record
from bailiwick.client.references import name_of, path
from bailiwick.client.shapes import (
    Accepted,
    Accuracy,
    Deployment,
    Environment,
    Intake,
    Page,
    Predictions,
    Records,
    RejectedRecord,
    Taken,
    TextErasure,
)
from bailiwick.client.transport import Transport

NDJSON = "application/x-ndjson"
LOGGED_TOGETHER = 2_000


class Environments(Capability):
    """Where models run."""

    def page(self, *, limit: int | None = None, cursor: str | None = None) -> Page[Environment]:
        """One page of environments."""
        return cast(
            "Page[Environment]", self._http.get("/environments", limit=limit, cursor=cursor)
        )

    def list(self) -> Iterator[Environment]:
        """All environments."""
        return self._http.items("/environments")

    def get(self, name: str) -> Environment:
        """One environment."""
        return cast("Environment", self._http.get(path("environments", name)))

    def create(
        self,
        name: str,
        *,
        zone: str,
        clearance_level: str,
        clearance_compartments: Sequence[str] = (),
        keeps_text: bool = False,
    ) -> Environment:
        """Define an environment: its zone, and the highest label that it is cleared for."""
        body = {
            "name": name,
            "zone": zone,
            "clearance_level": clearance_level,
            "clearance_compartments": list(clearance_compartments),
            "keeps_text": keeps_text,
        }
        return cast("Environment", self._http.write("POST", "/environments", body))


class Deployments(Capability):
    """Models in environments. A deployment is given by `NAMESPACE/NAME` or by its id."""

    def __init__(self, transport: Transport) -> None:
        super().__init__(transport)
        self._ids: dict[str, str] = {}  # a name belongs to one deployment for good

    def page(self, *, limit: int | None = None, cursor: str | None = None) -> Page[Deployment]:
        """One page of deployments."""
        return cast("Page[Deployment]", self._http.get("/deployments", limit=limit, cursor=cursor))

    def list(self) -> Iterator[Deployment]:
        """All deployments that one may see."""
        return self._http.items("/deployments")

    def id_of(self, deployment: str) -> str:
        """The id of a deployment; an id is its own."""
        if _is_id(deployment):
            return deployment
        wanted = name_of(deployment)
        if deployment not in self._ids:
            found = (one for one in self.list() if (one["namespace"], one["name"]) == wanted)
            one = next(found, None)
            if one is None:
                detail = f"there is no deployment {deployment}, or you may not see it"
                raise BailiwickAPIError(404, "not-found", detail)
            self._ids[deployment] = one["id"]
        return self._ids[deployment]

    def name_of(self, deployment_id: str) -> str:
        """The name of a deployment, `NAMESPACE/NAME`."""
        one = self.get(deployment_id)
        return f"{one['namespace']}/{one['name']}"

    def get(self, deployment: str) -> Deployment:
        """One deployment."""
        return cast("Deployment", self._http.get(self._at(deployment)))

    def create(
        self,
        deployment: str,
        *,
        model: str,
        environment: str,
        purpose: str,
        keeps_text: bool = False,
        pinned_version: int | None = None,
    ) -> Deployment:
        """Run a model in an environment: its champion, or one version that stays."""
        namespace, name = name_of(deployment)
        body = given(
            namespace=namespace,
            name=name,
            model=str(name_of(model)),
            environment=environment,
            purpose=purpose,
            keeps_text=keeps_text,
            pinned_version=pinned_version,
        )
        return cast("Deployment", self._http.write("POST", "/deployments", body))

    def set_state(self, deployment: str, state: Literal["active", "stopped"]) -> Deployment:
        """Stop a deployment, or let it answer again."""
        answer = self._http.write("PATCH", self._at(deployment), {"state": state})
        return cast("Deployment", answer)

    def predict(
        self,
        deployment: str,
        rows: Iterable[Mapping[str, str]],
        *,
        record_ids: Sequence[str] | None = None,
        times: Sequence[datetime] | None = None,
        keys: Sequence[str] | None = None,
    ) -> Predictions:
        """Classify rows (text column: value), at most 2,000 in a call.

        `record_ids` are yours, for feedback later; without them each row gets one, so that a
        repeated request counts once. `times` say when the rows happened; without them: now.
        `keys` say whom rows are about: while a version is rolled out, one side answers all of one.
        """
        features = list(rows)
        ids = record_ids or [str(uuid4()) for _ in features]
        columns = [one for one in (ids, times, keys) if one is not None]
        if any(len(one) != len(features) for one in columns):
            raise MisusedClient(
                "give one record id, one time and one key for each row, or none at all"
            )
        instances = [
            given(
                features=dict(row),
                record_id=ids[place],
                at=times and _moment(times[place]),
                key=keys and keys[place],
            )
            for place, row in enumerate(features)
        ]
        address = f"{self._at(deployment)}/predict"
        return cast("Predictions", self._http.write("POST", address, {"instances": instances}))

    def log(
        self,
        deployment: str,
        records: Iterable[Mapping[str, Any]],
        *,
        version_id: str | None = None,
    ) -> Taken:
        """Log requests that were answered elsewhere, and wait until they are acknowledged.

        Records without `record_id` or `at` get one now. For logging that never waits for the
        network see `recorder`.
        """
        told: Taken = {"new": 0, "known": 0, "rejected": [], "rejected_total": 0}
        lines = [as_line(as_record(record)) for record in records]
        for start in range(0, len(lines), LOGGED_TOGETHER):
            content = b"".join(lines[start : start + LOGGED_TOGETHER])
            answer = self.log_batch(deployment, content, version_id=version_id)
            for fault in answer["rejected"]:
                fault["place"] += start
            told["new"] += answer["new"]
            told["known"] += answer["known"]
            told["rejected"] += answer["rejected"]
            told["rejected_total"] += answer["rejected_total"]
        return told

    def log_batch(
        self,
        deployment: str,
        content: bytes,
        kind: str = NDJSON,
        *,
        version_id: str | None = None,
    ) -> Taken:
        """Log records that are NDJSON already, or an Arrow IPC stream."""
        address = f"{self._at(deployment)}/inferences"
        answer = self._http.send_patiently(address, content, kind, version_id=version_id)
        return cast("Taken", answer)

    def recorder(
        self,
        deployment: str,
        *,
        spool: Path | None = None,
        on_full: Literal["block", "raise"] = "block",
        **settings: Any,
    ) -> Recorder:
        """Log in the background: see `Recorder`, which has the other settings."""
        send = partial(self._http.send, f"{self._at(deployment)}/inferences", kind=NDJSON)
        return Recorder(send, spool=spool, on_full=on_full, **settings)

    def rejected_records(
        self, deployment: str, *, limit: int | None = None, cursor: str | None = None
    ) -> Page[RejectedRecord]:
        """One page of the records that could not be used, newest first."""
        address = f"{self._at(deployment)}/rejected-records"
        return cast("Page[RejectedRecord]", self._http.get(address, limit=limit, cursor=cursor))

    def intake(self, deployment: str) -> Intake:
        """What the deployment accepts."""
        return cast("Intake", self._http.get(f"{self._at(deployment)}/intake"))

    def set_intake(self, deployment: str, **changes: Any) -> Intake:
        """Change some of what it accepts; the names are those of `intake`."""
        body = {**self.intake(deployment), **changes}
        return cast("Intake", self._http.write("PUT", f"{self._at(deployment)}/intake", body))

    def erase_texts(self, deployment: str, subject: str, *, reason: str) -> TextErasure:
        """Destroy the texts about a subject for good; what their records measure stays."""
        body = {"subject": subject, "reason": reason}
        address = f"{self._at(deployment)}/text-erasures"
        return cast("TextErasure", self._http.write("POST", address, body))

    def text_erasures(
        self, deployment: str, *, limit: int | None = None, cursor: str | None = None
    ) -> Page[TextErasure]:
        """One page of the evidence of what was destroyed, newest first."""
        address = f"{self._at(deployment)}/text-erasures"
        return cast("Page[TextErasure]", self._http.get(address, limit=limit, cursor=cursor))

    def records(self, deployment: str) -> Records:
        """What is kept of its records, where and since when."""
        return cast("Records", self._http.get(f"{self._at(deployment)}/records"))

    def set_keeping(self, deployment: str, **changes: int | None) -> Records:
        """Change how long: `hot_days`, `retention_days`, `summary_days`; None is for ever."""
        now = cast("dict[str, int | None]", self.records(deployment))
        rules = {name: now[name] for name in ("hot_days", "retention_days", "summary_days")}
        address = f"{self._at(deployment)}/records"
        return cast("Records", self._http.write("PUT", address, {**rules, **changes}))

    def feedback(
        self,
        deployment: str,
        labels: Mapping[str, str | None],
        *,
        by: Literal["record_id", "join_key"] = "record_id",
    ) -> Accepted:
        """Send the labels that turned out to be right; None withdraws what was said before.

        The keys are record ids, or join keys, which speak of all records that carry them.
        """
        items = [{by: about, "label": label} for about, label in labels.items()]
        address = f"{self._at(deployment)}/feedback"
        return cast("Accepted", self._http.write("POST", address, {"feedback": items}))

    def accuracy(self, deployment: str, start: datetime, end: datetime) -> Accuracy:
        """How often the deployment was right between two moments."""
        address = f"{self._at(deployment)}/accuracy"
        query: dict[str, Any] = {"start": _moment(start), "end": _moment(end)}
        return cast("Accuracy", self._http.get(address, **query))

    def _at(self, deployment: str) -> str:
        return path("deployments", self.id_of(deployment))


def _is_id(text: str) -> bool:
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False


def _moment(time: datetime) -> str:
    if time.tzinfo is None:
        raise MisusedClient("a time needs its zone, as in datetime.now(UTC)")
    return time.isoformat()
