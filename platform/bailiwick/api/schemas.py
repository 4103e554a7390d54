"""HTTP shapes that several capabilities share."""

from collections.abc import Iterable
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from sqlalchemy.orm import Session

from bailiwick.access import EVERY_NAMESPACE, RoleBinding
from bailiwick.policy import load_labels

Slug = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9](?:[a-z0-9._-]{0,98}[a-z0-9])?$", max_length=100)
]
Text = Annotated[str, StringConstraints(max_length=2_000)]
RoleObject = Annotated[
    str | None,
    Field(
        max_length=230,
        description="`models/NAME`, `datasets/NAME` or `deployments/NAME`; "
        "left out: the whole namespace.",
    ),
]


class Schema(BaseModel):
    """An answer, read from a row's attributes."""

    model_config = ConfigDict(from_attributes=True)

    @classmethod
    def of_row(cls, row: object, **given: Any) -> Self:
        """From a row's attributes, but for the fields that are given."""
        fields = cls.model_fields.keys() - given.keys()
        return cls(**given, **{field: getattr(row, field) for field in fields})


class Body(BaseModel):
    """A request's body; unknown fields are refused, so that typos are seen."""

    model_config = ConfigDict(extra="forbid")


class LabelOut(Schema):
    """A classification label."""

    level: str
    compartments: list[str]
    residency: list[str]
    purposes: list[str]


class LabelIn(Body):
    """A classification label; the names are those of `GET /classifications`."""

    level: str = "confidential"
    compartments: list[str] = Field(default_factory=list)
    residency: list[str]
    purposes: list[str]


class RoleIn(Body):
    """A role: in every namespace (`*`), in one, or on one object of one."""

    role: Literal["admin", "steward", "engineer", "approver", "auditor", "service"]
    namespace: str = EVERY_NAMESPACE
    object: RoleObject = None


class RoleOut(Schema):
    """A role that is given; `object` is null where it is for the whole namespace."""

    role: str
    namespace: str
    object: str | None

    @classmethod
    def of(cls, binding: RoleBinding) -> Self:
        """From its row."""
        return cls(role=binding.role, namespace=binding.namespace, object=binding.object or None)


def labels_by_id(session: Session, ids: Iterable[str]) -> dict[str, LabelOut]:
    """The labels with these ids, in at most one query."""
    found = load_labels(session, ids)
    return {identifier: LabelOut(**label.to_dict()) for identifier, label in found.items()}
