"""Executors: where the processes of jobs work, and whether a job's data may go there.

A job process is a module and its spec, run in a folder by `children.run_child`, which listens to
it, beats, and ends it. An executor says what is started here in its place: the local one the
process itself, Ray's one that has the work done on a cluster and passes on what is said there.
So leases, limits, logs and cancelling are the same for both.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Protocol

from bailiwick.core.errors import Invalid
from bailiwick.core.settings import Settings
from bailiwick.lifecycle.jobs import Lease, job_resource
from bailiwick.lifecycle.limits import Limits
from bailiwick.lifecycle.platform import Platform
from bailiwick.lifecycle.tables import Job
from bailiwick.policy import load_actor, load_label, require
from bailiwick.registry import find_environment, place_context

Process = tuple[str, dict[str, Any]]  # a module and its spec


class Executor(Protocol):
    """A place where job processes work."""

    def placed(self, module: str, spec: dict[str, Any], limits: Limits) -> Process:
        """What is started on this machine so that `module` is carried out there by its `spec`."""


@dataclass(frozen=True, slots=True)
class Local:
    """The machine of the worker."""

    def placed(self, module: str, spec: dict[str, Any], limits: Limits) -> Process:
        """The process itself; its worker watches the limits."""
        del limits
        return module, spec


@dataclass(frozen=True, slots=True, kw_only=True)
class OnRay:
    """A Ray cluster that stands; trainings are shared by so many processes there."""

    address: str
    processes: int
    threads: int

    def placed(self, module: str, spec: dict[str, Any], limits: Limits) -> Process:
        """A process that sends the job's files there and brings back what was made of them."""
        return "bailiwick.training.ray_executor", {
            "module": module,
            "job": spec,
            "address": self.address,
            "processes": self.processes,
            "threads": self.threads,
            "memory_bytes": limits.memory_bytes,
        }


def executor_of(settings: Settings) -> Executor:
    """The executor that the installation has chosen. `Invalid` if its settings do not suffice."""
    if settings.executor == "local":
        return Local()
    if settings.ray_address is None:
        raise Invalid("BAILIWICK_EXECUTOR=ray needs the cluster's address: BAILIWICK_RAY_ADDRESS")
    if settings.executor_environment is None:
        raise Invalid(
            "BAILIWICK_EXECUTOR=ray needs to know where the cluster is and what it is cleared for: "
            "name an environment in BAILIWICK_EXECUTOR_ENVIRONMENT"
        )
    return OnRay(
        address=settings.ray_address,
        processes=settings.ray_processes,
        threads=settings.threads,
    )


def placed(
    platform: Platform,
    lease: Lease,
    module: str,
    spec: dict[str, Any],
    *,
    label_ids: Iterable[str],
) -> Process:
    """What to start for a job process that gets data of these labels.

    Raises `DeniedByPolicy` where they may not be processed there, before anything leaves.
    """
    executor = executor_of(platform.settings)
    require_place(platform, lease, label_ids=label_ids)
    with platform.database.reading() as session:
        ordered = session.get_one(Job, lease.job_id).limits
    return executor.placed(module, spec, Limits.of(platform.settings, lease.kind, ordered))


def require_here(platform: Platform, lease: Lease) -> None:
    """The same for work that stays beside the worker, of data that the job's label covers."""
    if platform.settings.executor == "local":
        with platform.database.reading() as session:
            label_id = session.get_one(Job, lease.job_id).label_id
        require_place(platform, lease, label_ids=[label_id])


def require_place(platform: Platform, lease: Lease, *, label_ids: Iterable[str]) -> None:
    """The policy must allow data of each of these labels where the executor works.

    That is an environment, whose zone and clearance count; without one it is where the platform
    itself works, which holds the data anyway.
    """
    name = platform.settings.executor_environment
    if name is None:
        return
    at = platform.clock.now()
    with platform.database.transaction() as session:
        rules, environment = platform.in_force(session).rules, find_environment(session, name)
        job, actor = session.get_one(Job, lease.job_id), load_actor(session, lease.acts_as)
        resource = job_resource(session, job)
        for label_id in sorted(set(label_ids)):
            require(
                session,
                rules,
                actor=actor,
                action="job:execute",
                resource=replace(resource, label=load_label(session, label_id)),
                context=place_context(rules, environment),
                at=at,
            )
