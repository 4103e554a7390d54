"""Whether a job's data may go where its processes work, asked before they do."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from sqlalchemy.orm import Session

from bailiwick.core.errors import Invalid, NotFound
from bailiwick.lifecycle.executors import Process
from bailiwick.lifecycle.jobs import Lease, job_resource
from bailiwick.lifecycle.limits import Limits
from bailiwick.lifecycle.platform import Platform
from bailiwick.lifecycle.tables import Job
from bailiwick.policy import load_actor, load_label, require
from bailiwick.registry import Environment, find_environment, place_context


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
    require_place(platform, lease, label_ids=label_ids)
    with platform.database.reading() as session:
        ordered = session.get_one(Job, lease.job_id).limits
    return platform.executor.placed(module, spec, Limits.of(platform.settings, lease.kind, ordered))


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
        rules, environment = platform.in_force(session).rules, _environment(session, name)
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


def _environment(session: Session, name: str) -> Environment:
    try:
        return find_environment(session, name)
    except NotFound as error:
        raise Invalid(
            f"BAILIWICK_EXECUTOR_ENVIRONMENT names {name!r}, and there is no such environment; an "
            "administrator makes it with `bailiwick deploy environment create`"
        ) from error
