"""Which jobs and backtests a list shows: of the namespaces and objects that the caller may see."""

from sqlalchemy import ColumnElement, or_

from bailiwick.lifecycle.job_places import dataset_of_job, deployment_of_job, model_of_job
from bailiwick.lifecycle.tables import Job
from bailiwick.web.callers import Caller


def visible_jobs(caller: Caller) -> ColumnElement[bool]:
    """The WHERE clause of a query about jobs."""
    return _visible(caller, "Job", "job:read")


def visible_backtests(caller: Caller) -> ColumnElement[bool]:
    """The WHERE clause of a query about backtests joined with their jobs."""
    return _visible(caller, "Backtest", "backtest:read")


def _visible(caller: Caller, kind: str, action: str) -> ColumnElement[bool]:
    about = (
        ("models", model_of_job()),
        ("deployments", deployment_of_job()),
        ("datasets", dataset_of_job()),
    )
    return or_(
        *(
            caller.visible(kind, Job.namespace, Job.label_id, action=action, objects=objects)
            for objects in about
        )
    )
