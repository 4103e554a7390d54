"""Which jobs a list shows: those of the namespaces and of the objects that the caller may see."""

from sqlalchemy import ColumnElement, or_

from bailiwick.lifecycle.job_places import deployment_of_job, model_of_job
from bailiwick.lifecycle.tables import Job
from bailiwick.web.callers import Caller


def visible_jobs(caller: Caller) -> ColumnElement[bool]:
    """The WHERE clause of a query about jobs."""
    about = (("models", model_of_job()), ("deployments", deployment_of_job()))
    return or_(
        *(
            caller.visible("Job", Job.namespace, Job.label_id, action="job:read", objects=objects)
            for objects in about
        )
    )
