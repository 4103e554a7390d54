"""The registry of record: models, their immutable versions, and where they are deployed.

`aliases` is missing from this door on purpose: only `lifecycle` moves pointers.
"""

from bailiwick.registry.artifacts import materialise
from bailiwick.registry.deployments import (
    ACTIVE,
    STOPPED,
    create_deployment,
    create_environment,
    deployment_resource,
    find_environment,
    followers,
    raise_deployment_label,
    require_servable,
    served_version,
    served_versions,
    serving_context,
    set_deployment_state,
)
from bailiwick.registry.pointers import pointed_at, previously_pointed_at
from bailiwick.registry.registered_models import (
    create_model,
    describe_model,
    find_model,
    model_resource,
)
from bailiwick.registry.tables import (
    CHALLENGER,
    CHAMPION,
    PROTECTED_ALIASES,
    Alias,
    AliasMove,
    Deployment,
    Environment,
    ModelVersion,
    RegisteredModel,
)
from bailiwick.registry.versions import (
    Artifact,
    find_version,
    register_version,
    version_resource,
    versions_by_id,
)

__all__ = [
    "ACTIVE",
    "CHALLENGER",
    "CHAMPION",
    "PROTECTED_ALIASES",
    "STOPPED",
    "Alias",
    "AliasMove",
    "Artifact",
    "Deployment",
    "Environment",
    "ModelVersion",
    "RegisteredModel",
    "create_deployment",
    "create_environment",
    "create_model",
    "deployment_resource",
    "describe_model",
    "find_environment",
    "find_model",
    "find_version",
    "followers",
    "materialise",
    "model_resource",
    "pointed_at",
    "previously_pointed_at",
    "raise_deployment_label",
    "register_version",
    "require_servable",
    "served_version",
    "served_versions",
    "serving_context",
    "set_deployment_state",
    "version_resource",
    "versions_by_id",
]
