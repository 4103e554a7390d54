"""The WHERE clauses of lists: only what the policy would let the caller read."""

from sqlalchemy import ColumnElement

from bailiwick import web
from bailiwick.lineage import (
    WAIVABLE_DATASET_VERSIONS,
    WAIVABLE_DATASETS,
    Dataset,
    DatasetVersion,
)
from bailiwick.policy import ApprovalRequest, Waiver
from bailiwick.registry import (
    WAIVABLE_DEPLOYMENTS,
    WAIVABLE_VERSIONS,
    Deployment,
    ModelVersion,
    RegisteredModel,
)
from bailiwick.web import Caller

Where = ColumnElement[bool]
MODELS = ("models", RegisteredModel.name)
DATASETS = ("datasets", Dataset.name)
DEPLOYMENTS = ("deployments", Deployment.name)


def visible_models(caller: Caller) -> Where:
    """For registered models."""
    return caller.visible(
        "Model",
        RegisteredModel.namespace,
        RegisteredModel.label_id,
        action="model:read",
        objects=MODELS,
    )


def visible_versions(caller: Caller) -> Where:
    """For model versions joined with their model."""
    return caller.visible(
        "ModelVersion",
        RegisteredModel.namespace,
        ModelVersion.label_id,
        action="version:read",
        objects=MODELS,
        waivable=WAIVABLE_VERSIONS,
    )


def visible_datasets(caller: Caller) -> Where:
    """For datasets."""
    return caller.visible(
        "Dataset",
        Dataset.namespace,
        Dataset.label_id,
        action="dataset:read",
        objects=DATASETS,
        waivable=WAIVABLE_DATASETS,
    )


def visible_dataset_versions(caller: Caller) -> Where:
    """For dataset versions joined with their dataset."""
    return caller.visible(
        "DatasetVersion",
        Dataset.namespace,
        DatasetVersion.label_id,
        action="dataset:read",
        objects=DATASETS,
        waivable=WAIVABLE_DATASET_VERSIONS,
    )


def visible_deployments(caller: Caller) -> Where:
    """For deployments."""
    return caller.visible(
        "Deployment",
        Deployment.namespace,
        Deployment.label_id,
        action="deployment:read",
        objects=DEPLOYMENTS,
        waivable=WAIVABLE_DEPLOYMENTS,
    )


def visible_alerts(caller: Caller) -> Where:
    """For alerts joined with their deployment, whose label they carry."""
    return web.visible_alerts(caller)


def visible_jobs(caller: Caller) -> Where:
    """For jobs."""
    return web.visible_jobs(caller)


def visible_approvals(caller: Caller) -> Where:
    """For approval requests."""
    return caller.visible(
        "Approval", ApprovalRequest.namespace, ApprovalRequest.label_id, action="approval:read"
    )


def visible_decisions(caller: Caller) -> Where:
    """For decisions."""
    return web.visible_decisions(caller)


def visible_waivers(caller: Caller) -> Where:
    """For waivers."""
    return caller.visible("Waiver", Waiver.namespace, Waiver.label_id, action="waiver:read")
