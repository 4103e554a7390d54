"""What a model's versions are judged by: a golden set, declared segments, and a key."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from bailiwick.audit.log import record
from bailiwick.core.errors import Invalid
from bailiwick.db.session import hold_labels
from bailiwick.lifecycle.selection import Marks
from bailiwick.lifecycle.tables import EvaluationSettings
from bailiwick.lineage import DatasetVersion, dataset_version_resource
from bailiwick.policy import Actor, Rules, Unseen, load_label, require
from bailiwick.registry import RegisteredModel

MAX_SEGMENTS, MAX_NAME = 8, 200


@dataclass(frozen=True, slots=True)
class JudgedBy:
    """The settings of one model, or that there are none."""

    golden_version_id: UUID | None = None
    segments: tuple[str, ...] = ()
    key_column: str | None = None

    def __post_init__(self) -> None:
        names = [*self.segments, *([self.key_column] if self.key_column is not None else [])]
        if len(set(self.segments)) < len(self.segments) or len(self.segments) > MAX_SEGMENTS:
            raise Invalid(f"name at most {MAX_SEGMENTS} segments, each once")
        if not all(name.strip() and len(name) <= MAX_NAME for name in names):
            raise Invalid(f"a segment or key is the name of a column, of 1 to {MAX_NAME} letters")

    @property
    def marks(self) -> Marks:
        """The columns that rows are judged by."""
        return Marks(self.segments, self.key_column)

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        golden = self.golden_version_id
        return {
            "golden_version_id": str(golden) if golden else None,
            "segments": list(self.segments),
            "key_column": self.key_column,
        }


NOTHING_DECLARED = JudgedBy()


def judged_by(session: Session, model_id: UUID) -> JudgedBy:
    """What the model's versions are judged by now."""
    stored = session.get(EvaluationSettings, model_id)
    if stored is None:
        return NOTHING_DECLARED
    return JudgedBy(stored.golden_version_id, tuple(stored.segments), stored.key_column)


def set_judged_by(
    session: Session,
    model: RegisteredModel,
    terms: JudgedBy,
    *,
    rules: Rules,
    actor: Actor,
    at: datetime,
) -> EvaluationSettings:
    """Say what the model's versions are judged by from now on; audited with old and new.

    Who names a golden set must be allowed to read its rows, and its label must not rank above
    the model's: what evaluations tell of it is read by whoever may read the model.
    """
    hold_labels(session)
    session.refresh(model, with_for_update=True)  # of two at once, the second sees the first
    if terms.golden_version_id is not None:
        _require_golden(session, model, terms.golden_version_id, rules=rules, actor=actor, at=at)
    before = judged_by(session, model.id)
    stored = session.get(EvaluationSettings, model.id)
    if stored is not None and terms == before:
        return stored
    if stored is None:
        stored = EvaluationSettings(model_id=model.id)
        session.add(stored)
    stored.golden_version_id = terms.golden_version_id
    stored.segments, stored.key_column = list(terms.segments), terms.key_column
    stored.set_by, stored.set_at = UUID(actor.id), at
    session.flush()
    record(
        session,
        "model.evaluation-settings-changed",
        subject_type="model",
        subject_id=model.id,
        actor_id=UUID(actor.id),
        at=at,
        details={"old": before.to_dict(), "new": terms.to_dict()},
    )
    return stored


def why_unfit(
    session: Session, model: RegisteredModel, golden: DatasetVersion, rules: Rules
) -> str | None:
    """Why the rows may not be the model's golden set, as labels stand now; None if they may."""
    if rules.scheme.dominates(
        load_label(session, model.label_id), load_label(session, golden.label_id)
    ):
        return None
    return "the golden set's label ranks above the model's: raise the model's, or name other rows"


def _require_golden(
    session: Session,
    model: RegisteredModel,
    golden_id: UUID,
    *,
    rules: Rules,
    actor: Actor,
    at: datetime,
) -> None:
    golden = session.get(DatasetVersion, golden_id)
    if golden is None:
        raise Unseen
    require(
        session,
        rules,
        actor=actor,
        action="dataset:read-rows",
        resource=dataset_version_resource(session, golden),
        context={"now": at},
        at=at,
    )
    if why := why_unfit(session, model, golden, rules):
        raise Invalid(why)
