"""Jobs, and the retraining policies that start them."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, cast

from bailiwick.client.capability import Capability, given
from bailiwick.client.deployments import Deployments
from bailiwick.client.errors import JobFailed, MisusedClient, WaitTimedOut
from bailiwick.client.references import name_of, path, version_of
from bailiwick.client.shapes import (
    Consideration,
    DatasetVersion,
    Job,
    JobEvent,
    JobLog,
    JobLogLine,
    Page,
    RetrainingPolicy,
)
from bailiwick.client.transport import Transport

SUCCEEDED = "succeeded"
FINISHED = frozenset({SUCCEEDED, "failed", "cancelled"})

Data = str | DatasetVersion | Sequence[str | DatasetVersion]


class Jobs(Capability):
    """What the platform does on its own, and on request."""

    def page(
        self,
        *,
        state: str | None = None,
        kind: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[Job]:
        """One page of jobs."""
        query = {"state": state, "kind": kind, "limit": limit, "cursor": cursor}
        return cast("Page[Job]", self._http.get("/jobs", **query))

    def list(self, *, state: str | None = None, kind: str | None = None) -> Iterator[Job]:
        """All jobs that one may see."""
        return self._http.items("/jobs", state=state, kind=kind)

    def get(self, job_id: str) -> Job:
        """One job with its progress and result."""
        return cast("Job", self._http.get(path("jobs", job_id)))

    def events_page(
        self, job_id: str, *, limit: int | None = None, cursor: str | None = None
    ) -> Page[JobEvent]:
        """One page of what happened to a job."""
        address = path("jobs", job_id, "events")
        return cast("Page[JobEvent]", self._http.get(address, limit=limit, cursor=cursor))

    def events(self, job_id: str) -> Iterator[JobEvent]:
        """All that happened to a job."""
        return self._http.items(path("jobs", job_id, "events"))

    def log(self, job_id: str, *, after: int | None = None, limit: int | None = None) -> JobLog:
        """The last lines of a job's log, or those after number `after`."""
        return cast("JobLog", self._http.get(path("jobs", job_id, "log"), after=after, limit=limit))

    def follow(self, job_id: str, *, poll_seconds: float = 1.0) -> Iterator[JobLogLine]:
        """The lines of a job's log, those that are there and those that come, until it is over."""
        after, looks_left = None, 2  # at a job that is over: its last lines may come after its end
        while looks_left:
            log = self.log(job_id, after=after)
            yield from log["lines"]
            after = log["after"]
            if not log["lines"]:
                looks_left -= log["state"] in FINISHED
                time.sleep(poll_seconds)

    def cancel(self, job_id: str) -> Job:
        """Stop a job; a running one ends at its worker's next heartbeat."""
        return cast("Job", self._http.write("POST", path("jobs", job_id, "cancel")))

    def train(
        self,
        model: str,
        data: Data,
        *,
        purpose: str,
        recipe_name: str | None = None,
        recipe: Mapping[str, Any] | None = None,
        risk_tier: str | None = None,
        seed: int | None = None,
        from_champion: bool | None = None,
        holdout_ratio: float | None = None,
        max_rows: int | None = None,
        window_days: int | None = None,
        sampling: Mapping[str, float] | None = None,
        memory_bytes: int | None = None,
        time_seconds: int | None = None,
    ) -> Job:
        """Queue a training on versions of one dataset; what is left out takes the API's default.

        `data`: `NAMESPACE/NAME@NUMBER`, what `datasets.register` answered, or several of these.
        `sampling`: `replay_ratio`, `half_life_days`, `balance_ratio`, `max_repeats`,
        `hard_ratio`. `memory_bytes`, `time_seconds`: what an attempt may take, less than the
        API allows.
        """
        dataset, numbers = _one_dataset(data)
        body = given(
            model=str(name_of(model)),
            dataset=dataset,
            dataset_versions=numbers,
            purpose=purpose,
            recipe_name=recipe_name,
            recipe=recipe,
            risk_tier=risk_tier,
            seed=seed,
            from_champion=from_champion,
            holdout_ratio=holdout_ratio,
            max_rows=max_rows,
            window_days=window_days,
            sampling=sampling,
            memory_bytes=memory_bytes,
            time_seconds=time_seconds,
        )
        return cast("Job", self._http.write("POST", "/jobs", body))

    def wait(
        self,
        job: Job | str,
        *,
        on_progress: Callable[[Job], None] | None = None,
        timeout_seconds: float | None = None,
        poll_seconds: float = 1.0,
    ) -> Job:
        """The job once it has succeeded; `JobFailed` if it failed or was cancelled.

        `on_progress` is called with the job's state at each look. `WaitTimedOut` after
        `timeout_seconds`; the job itself goes on.
        """
        job_id = job if isinstance(job, str) else job["id"]
        deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        while True:
            now = self.get(job_id)
            if on_progress is not None:
                on_progress(now)
            if now["state"] == SUCCEEDED:
                return now
            if now["state"] in FINISHED:
                raise JobFailed(now)
            if deadline is not None and time.monotonic() >= deadline:
                raise WaitTimedOut(
                    f"job {job_id} is {now['state']} after {timeout_seconds:g} seconds; it goes "
                    "on: wait again, or cancel it"
                )
            time.sleep(poll_seconds)


class RetrainingPolicies(Capability):
    """When and how deployed models are retrained. One acts only once somebody approved it."""

    def __init__(self, transport: Transport, deployments: Deployments) -> None:
        super().__init__(transport)
        self._deployments = deployments

    def page(
        self, *, limit: int | None = None, cursor: str | None = None
    ) -> Page[RetrainingPolicy]:
        """One page of retraining policies."""
        query = {"limit": limit, "cursor": cursor}
        return cast("Page[RetrainingPolicy]", self._http.get("/retraining-policies", **query))

    def list(self) -> Iterator[RetrainingPolicy]:
        """All retraining policies that one may see."""
        return self._http.items("/retraining-policies")

    def get(self, policy_id: str) -> RetrainingPolicy:
        """One retraining policy."""
        return cast("RetrainingPolicy", self._http.get(path("retraining-policies", policy_id)))

    def create(
        self, deployment: str, *, dataset: str, acts_as: str, **settings: Any
    ) -> RetrainingPolicy:
        """Define how a deployment's model is kept fit, and as which service principal.

        Settings: `on_alert`, `cooldown_days`, `window_days`, `max_rows`, `holdout_ratio`,
        `sampling`, `recipe_name`, `recipe`, `risk_tier`, `triggers` and `only_if`
        ([{kind, value}]), `budget_hours`, `budget_labels`, `blackouts`, `priority`; what is
        left out takes the API's default.
        """
        body = given(
            deployment_id=self._deployments.id_of(deployment),
            dataset=str(name_of(dataset)),
            acts_as=acts_as,
            **settings,
        )
        answer = self._http.write("POST", "/retraining-policies", body)
        return cast("RetrainingPolicy", answer)

    def update(self, policy_id: str, **changes: Any) -> RetrainingPolicy:
        """Change settings; any change but of `enabled` voids the approval."""
        address = path("retraining-policies", policy_id)
        return cast("RetrainingPolicy", self._http.write("PATCH", address, changes))

    def considerations(self, policy_id: str) -> Iterator[Consideration]:
        """What set a policy off and what came of it, newest first."""
        return self._http.items(path("retraining-policies", policy_id, "considerations"))

    def retrain(self, policy_id: str, *, reason: str, **overrides: Any) -> Job:
        """Retrain now; the result goes through the same gates.

        Overrides: `window_days`, `max_rows`, `recipe_name`, `recipe`.
        """
        address = path("retraining-policies", policy_id, "jobs")
        return cast("Job", self._http.write("POST", address, given(reason=reason, **overrides)))


def _one_dataset(data: Data) -> tuple[str, list[int]]:
    """The dataset, and the numbers of its versions."""
    several: Sequence[str | DatasetVersion]
    several = [data] if isinstance(data, str | dict) else cast("Sequence[str]", data)
    versions = [
        version_of(one if isinstance(one, str) else f"{one['dataset']}@{one['number']}")
        for one in several
    ]
    names = {str(version.name) for version in versions}
    if len(names) != 1:
        raise MisusedClient("train on versions of one dataset: NAMESPACE/NAME@1 NAMESPACE/NAME@2")
    return names.pop(), [version.number for version in versions]
