"""HTTP shapes that several capabilities share."""

from collections.abc import Iterable
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from sqlalchemy import select
from sqlalchemy.orm import Session

from bailiwick.policy import StoredLabel

Slug = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9](?:[a-z0-9._-]{0,98}[a-z0-9])?$", max_length=100)
]
Text = Annotated[str, StringConstraints(max_length=2_000)]


class Schema(BaseModel):
    """An answer, read from a row's attributes."""

    model_config = ConfigDict(from_attributes=True)


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


def labels_by_id(session: Session, ids: Iterable[str]) -> dict[str, LabelOut]:
    """The labels with these ids, in one query."""
    found = session.scalars(select(StoredLabel).where(StoredLabel.id.in_(set(ids))))
    return {stored.id: LabelOut.model_validate(stored) for stored in found}
