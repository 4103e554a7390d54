"""Executors: where the processes of jobs work.

A job process is a module and its spec, run in a folder by `children.run_child`, which listens to
it, beats, and ends it. An executor says what is started here in its place: the local one the
process itself, Ray's one that has the work done on a cluster and passes on what is said there.
So leases, limits, logs and cancelling are the same for both.
"""

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Protocol

from bailiwick.core.errors import Invalid
from bailiwick.core.settings import Settings
from bailiwick.lifecycle.limits import Limits

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
        """A process that sends the job's files there and brings back what was made of them.

        Raises `Invalid` where this machine cannot speak to a cluster.
        """
        if not ray_is_installed():
            raise Invalid(
                "BAILIWICK_EXECUTOR=ray needs Ray beside the worker: pip install 'bailiwick[ray]'"
            )
        return "bailiwick.training.ray_executor", {
            "module": module,
            "job": spec,
            "address": self.address,
            "processes": self.processes,
            "threads": self.threads,
            "memory_bytes": limits.memory_bytes,
        }


def ray_is_installed() -> bool:
    """Whether it is, without loading it."""
    return find_spec("ray") is not None


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
