"""The WHERE clauses of lists: only what the policy would let the caller read."""

from sqlalchemy import ColumnElement, and_, or_

from bailiwick.lifecycle.tables import Job
from bailiwick.lineage import Dataset, DatasetVersion
from bailiwick.policy import ApprovalRequest, Decision, Resource
from bailiwick.registry import Deployment, ModelVersion, RegisteredModel
from bailiwick.web import Caller

Where = ColumnElement[bool]


def visible_models(caller: Caller) -> Where:
    """For registered models."""
    return caller.visible(
        "Model", RegisteredModel.namespace, RegisteredModel.label_id, action="model:read"
    )


def visible_versions(caller: Caller) -> Where:
    """For model versions joined with their model."""
    return caller.visible(
        "ModelVersion", RegisteredModel.namespace, ModelVersion.label_id, action="version:read"
    )


def visible_datasets(caller: Caller) -> Where:
    """For datasets."""
    return caller.visible("Dataset", Dataset.namespace, Dataset.label_id, action="dataset:read")


def visible_dataset_versions(caller: Caller) -> Where:
    """For dataset versions joined with their dataset."""
    return caller.visible(
        "DatasetVersion", Dataset.namespace, DatasetVersion.label_id, action="dataset:read"
    )


def visible_deployments(caller: Caller) -> Where:
    """For deployments."""
    return caller.visible(
        "Deployment", Deployment.namespace, Deployment.label_id, action="deployment:read"
    )


def visible_alerts(caller: Caller) -> Where:
    """For alerts joined with their deployment, whose label they carry."""
    return caller.visible("Alert", Deployment.namespace, Deployment.label_id, action="alert:read")


def visible_jobs(caller: Caller) -> Where:
    """For jobs."""
    return caller.visible("Job", Job.namespace, Job.label_id, action="job:read")


def visible_approvals(caller: Caller) -> Where:
    """For approval requests."""
    return caller.visible(
        "Approval", ApprovalRequest.namespace, ApprovalRequest.label_id, action="approval:read"
    )


def visible_decisions(caller: Caller) -> Where:
    """For decisions; those about the installation itself carry no label and no namespace."""
    labelled = caller.visible(
        "Decision",
        Decision.namespace,
        Decision.label_id,
        action="decision:read",
    )
    if not caller.may(Resource("Decision", "any", None, None), "decision:read"):
        return labelled
    return or_(labelled, and_(Decision.label_id.is_(None), Decision.namespace.is_(None)))
