"""Registered models: the names under which versions are kept."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from bailiwick.access import checked_name
from bailiwick.audit.log import record
from bailiwick.core.errors import Conflict
from bailiwick.core.ids import new_id
from bailiwick.policy import Label, Resource, Unseen, intern_label, load_label
from bailiwick.registry.tables import RegisteredModel


def create_model(
    session: Session,
    namespace: str,
    name: str,
    *,
    label: Label,
    description: str,
    actor_id: UUID,
    at: datetime,
) -> RegisteredModel:
    """A new model without versions; its label can only rise."""
    checked_name(namespace, "namespace")
    checked_name(name, "model name")
    taken = select(RegisteredModel.id).where(
        RegisteredModel.namespace == namespace, RegisteredModel.name == name
    )
    if session.scalar(taken):
        raise Conflict(f"there is a model {namespace}/{name} already; train a version of it")
    model = RegisteredModel(
        id=new_id(),
        namespace=namespace,
        name=name,
        description=description,
        label_id=intern_label(session, label),
        created_by=actor_id,
        created_at=at,
    )
    session.add(model)
    session.flush()
    record(
        session,
        "model.created",
        subject_type="model",
        subject_id=model.id,
        actor_id=actor_id,
        at=at,
        details={"name": f"{namespace}/{name}", "label": label.to_dict()},
    )
    return model


def describe_model(
    session: Session, model: RegisteredModel, description: str, *, actor_id: UUID, at: datetime
) -> RegisteredModel:
    """Change the description; saying the same again changes nothing."""
    if description != model.description:
        record(
            session,
            "model.described",
            subject_type="model",
            subject_id=model.id,
            actor_id=actor_id,
            at=at,
            details={"old": model.description, "new": description},
        )
        model.description = description
        session.flush()
    return model


def find_model(session: Session, namespace: str, name: str) -> RegisteredModel:
    """The model of that name, or `Unseen`."""
    model = session.scalar(_NAMED, {"namespace": namespace, "name": name})
    if model is None:
        raise Unseen
    return model


def model_resource(session: Session, model: RegisteredModel) -> Resource:
    """The model as the policy sees it."""
    return Resource(
        type="Model",
        id=str(model.id),
        namespace=model.namespace,
        label=load_label(session, model.label_id),
        belongs_to=(model_place(model),),
    )


def model_place(model: RegisteredModel) -> str:
    """The model as a place where roles can be held."""
    return f"{model.namespace}/models/{model.name}"


# Composed once, as it is needed all the time: composing costs more than running it.
_NAMED = select(RegisteredModel).where(
    RegisteredModel.namespace == bindparam("namespace"), RegisteredModel.name == bindparam("name")
)
