"""Model versions: immutable, each with the run it came from and the label it inherited."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, func, select
from sqlalchemy.orm import Session

from bailiwick.audit.log import record
from bailiwick.core.canonical import digest_of
from bailiwick.core.errors import Invalid
from bailiwick.policy import (
    Resource,
    Scheme,
    Subject,
    Unseen,
    Waivable,
    load_label,
    raise_to,
    waived_label,
)
from bailiwick.registry.registered_models import model_place
from bailiwick.registry.tables import ModelVersion, RegisteredModel

WAIVABLE_VERSIONS = Waivable("model-version", ModelVersion.id, ModelVersion.manifest_digest)


@dataclass(frozen=True, slots=True)
class Artifact:
    """A trained model's files (their bytes are in the blob store) and facts."""

    files: tuple[dict[str, Any], ...]  # {path, sha256, size_bytes}
    parameters: int
    labels: tuple[str, ...]
    text_columns: tuple[str, ...]
    recipe: dict[str, Any]
    seed: int
    metrics: dict[str, Any]


def register_version(
    session: Session,
    model: RegisteredModel,
    artifact: Artifact,
    *,
    version_id: UUID,
    run_id: UUID,
    base_version_id: UUID | None,
    label_id: str,
    scheme: Scheme,
    trained_by: UUID,
    at: datetime,
) -> ModelVersion:
    """Register the next version; the model's own label rises to the version's."""
    manifest = sorted(artifact.files, key=lambda file: str(file["path"]))
    if not manifest:
        raise Invalid("a model version needs at least one file")
    if not all(_stays_inside(str(file["path"])) for file in manifest):
        raise Invalid("the paths of a version's files must be relative and lead nowhere else")
    session.refresh(model, with_for_update=True)  # versions are numbered one after the other
    newest = session.scalar(
        select(func.max(ModelVersion.number)).where(ModelVersion.model_id == model.id)
    )
    model.label_id = raise_to(
        session,
        scheme,
        current=model.label_id,
        at_least=label_id,
        name=f"{model.namespace}/{model.name}",
    )
    version = ModelVersion(
        id=version_id,
        model_id=model.id,
        number=(newest or 0) + 1,
        run_id=run_id,
        base_version_id=base_version_id,
        manifest=manifest,
        manifest_digest=digest_of(manifest),
        recipe=artifact.recipe,
        seed=artifact.seed,
        metrics=artifact.metrics,
        parameters=artifact.parameters,
        text_columns=list(artifact.text_columns),
        labels=list(artifact.labels),
        label_id=label_id,
        trained_by=trained_by,
        created_at=at,
    )
    session.add(version)
    session.flush()
    session.refresh(version, ["model"])
    record(
        session,
        "model-version.registered",
        subject_type="model-version",
        subject_id=version.id,
        actor_id=trained_by,
        at=at,
        details={
            "model": f"{model.namespace}/{model.name}",
            "number": version.number,
            "manifest_digest": version.manifest_digest,
            "run": str(run_id),
            "label": load_label(session, label_id).to_dict(),
        },
    )
    return version


def _stays_inside(path: str) -> bool:
    parts = PurePosixPath(path).parts
    return bool(parts) and parts[0] != "/" and ".." not in parts


def find_version(session: Session, model: RegisteredModel, number: int) -> ModelVersion:
    """That version of the model, or `Unseen`."""
    version = session.scalar(_NUMBERED, {"model_id": model.id, "number": number})
    if version is None:
        raise Unseen
    return version


def versions_by_id(session: Session, ids: Sequence[UUID]) -> dict[UUID, ModelVersion]:
    """The versions with these ids, in one query."""
    found = session.scalars(select(ModelVersion).where(ModelVersion.id.in_(set(ids))))
    return {version.id: version for version in found}


def version_subject(version: ModelVersion) -> Subject:
    """What people approve or waive about: this version's exact bytes."""
    return Subject(
        type="model-version",
        id=version.id,
        digest=version.manifest_digest,
        namespace=version.model.namespace,
        label_id=version.label_id,
        trained_by=version.trained_by,
    )


def version_resource(session: Session, version: ModelVersion) -> Resource:
    """The version as the policy sees it."""
    waived = waived_label(session, version_subject(version))
    return replace(unwaived_version(session, version), waived=waived)


def unwaived_version(session: Session, version: ModelVersion) -> Resource:
    """The version as the policy would see it if nothing about it were waived."""
    return Resource(
        type="ModelVersion",
        id=str(version.id),
        namespace=version.model.namespace,
        label=load_label(session, version.label_id),
        attributes={"trained_by": str(version.trained_by)},
        belongs_to=(model_place(version.model),),
    )


# Composed once, as it is needed all the time: composing costs more than running it.
_NUMBERED = select(ModelVersion).where(
    ModelVersion.model_id == bindparam("model_id"), ModelVersion.number == bindparam("number")
)
