"""Which object a job is about: roles held on a model or a deployment reach its jobs."""

from sqlalchemy import ScalarSelect, or_, select
from sqlalchemy.orm import Session

from bailiwick.lifecycle.tables import Job, RetrainingPolicy
from bailiwick.lineage import Dataset, DatasetVersion
from bailiwick.monitoring import Monitor
from bailiwick.registry import Deployment, RegisteredModel


def model_of_job() -> ScalarSelect[str]:
    """The name of the model that a job trains, as a column of a query about jobs; else null."""
    query = select(RegisteredModel.name).where(RegisteredModel.id == Job.subject_id)
    return query.correlate(Job).scalar_subquery()


def deployment_of_job() -> ScalarSelect[str]:
    """The name of the deployment that a job checks, compares, keeps fit or replays, likewise."""
    checked = select(Monitor.deployment_id).where(Monitor.id == Job.subject_id)
    kept_fit = select(RetrainingPolicy.deployment_id).where(RetrainingPolicy.id == Job.subject_id)
    query = select(Deployment.name).where(
        or_(
            Deployment.id.in_(checked.correlate(Job)),
            Deployment.id.in_(kept_fit.correlate(Job)),
            Deployment.id == Job.subject_id,
        )
    )
    return query.correlate(Job).scalar_subquery()


def dataset_of_job() -> ScalarSelect[str]:
    """The name of the dataset a version of which a job replays, likewise."""
    query = select(Dataset.name).join(DatasetVersion, DatasetVersion.dataset_id == Dataset.id)
    return query.where(DatasetVersion.id == Job.subject_id).correlate(Job).scalar_subquery()


def job_places(session: Session, job: Job) -> tuple[str, ...]:
    """The object that a job is about, as a place where roles can be held."""
    columns = (model_of_job(), deployment_of_job(), dataset_of_job())
    model, deployment, dataset = session.execute(
        select(*columns).select_from(Job).where(Job.id == job.id)
    ).one()
    named = (("models", model), ("deployments", deployment), ("datasets", dataset))
    return tuple(f"{job.namespace}/{kind}/{name}" for kind, name in named if name is not None)
