"""What a training job must measure for the gates, and what becomes of what it measured."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from bailiwick.blobs import BlobStore, file_digest
from bailiwick.lifecycle.evaluation_settings import JudgedBy, judged_by, why_unfit
from bailiwick.lifecycle.selection import frame_of, renamed, write_frame
from bailiwick.lifecycle.tiers import Tier
from bailiwick.lifecycle.training_plans import TrainingPlan
from bailiwick.lineage import DatasetVersion, dataset_version_resource
from bailiwick.lineage.taxonomies import NO_RENAMES, Renames
from bailiwick.policy import (
    Actor,
    DeniedByPolicy,
    HiddenByPolicy,
    Rules,
    load_label,
    permit,
)
from bailiwick.registry import RegisteredModel
from bailiwick.training.spec import FrameFile, Measures

Figures = Mapping[str, Any]
# A model of any other level must show that it does not give its rows away.
OPEN_LEVELS = frozenset({"public", "internal"})
COMPOSED = ("text",)  # the text column of rows whose text was composed already


@dataclass(frozen=True, slots=True)
class ToMeasure:
    """The settings, the golden rows that may be read, and why some gates get no figures."""

    judged: JudgedBy
    golden: DatasetVersion | None
    unknown: Mapping[str, str]
    not_required: Mapping[str, str]
    renames: Renames = NO_RENAMES

    def spec(self, blobs: BlobStore, folder: Path) -> dict[str, Any]:
        """Write the golden rows; the job file's part about measures."""
        golden = None
        if self.golden is not None:
            rows, path = self.golden, folder / "golden.parquet"
            stored = blobs.verified_path(rows.rows_blob)
            frame = frame_of(stored, rows.text_columns, rows.label_column)
            write_frame(renamed(frame, self.renames), path)
            golden = FrameFile(path, file_digest(path))
        return Measures(
            golden=golden,
            segments=self.judged.segments,
            key=self.judged.key_column is not None,
            membership="membership" not in self.not_required,
            reproduce="reproducibility" not in self.not_required,
        ).to_dict()


def to_measure(
    session: Session,
    plan: TrainingPlan,
    *,
    tier: Tier,
    rules: Rules,
    actor: Actor,
    at: datetime,
) -> ToMeasure:
    """What the settings, the label and the tier ask for now; what may not be read is unknown."""
    judged = judged_by(session, plan.order.model_id)
    not_required, unknown = {}, {}
    golden = None
    if judged.golden_version_id is None:
        not_required["golden_set"] = "no golden set is named for this model"
    else:
        golden = session.get_one(DatasetVersion, judged.golden_version_id, populate_existing=True)
        if why := _why_unusable(session, plan, golden, rules=rules, actor=actor, at=at):
            unknown["golden_set"], golden = why, None
    level = load_label(session, plan.label_id).level
    if level in OPEN_LEVELS:
        not_required["membership"] = f"it learned from {level} data only"
    if not tier.reproduce:
        not_required["reproducibility"] = f"the risk tier {tier.name} does not ask for it"
    return ToMeasure(judged, golden, unknown, not_required, plan.renames)


def figures_of(
    measured: Mapping[str, Figures], asked: JudgedBy, now: ToMeasure
) -> dict[str, Figures]:
    """What was measured, by gate, as the gates of `now` read it.

    `asked`: the settings by which it was measured. What they say otherwise now was not measured.
    """
    figures = dict(measured)
    if asked != now.judged:
        changed = {"unknown": "what the model is judged by was changed meanwhile: train it again"}
        figures |= dict.fromkeys(("golden_set", "slices", "data_checks"), changed)
    figures |= {gate: {"unknown": why} for gate, why in now.unknown.items()}
    return figures | {gate: {"not_required": why} for gate, why in now.not_required.items()}


def _why_unusable(
    session: Session,
    plan: TrainingPlan,
    golden: DatasetVersion,
    *,
    rules: Rules,
    actor: Actor,
    at: datetime,
) -> str | None:
    try:
        permit(
            rules,
            actor=actor,
            action="dataset:read-rows",
            resource=dataset_version_resource(session, golden),
            context={"now": at},
            at=at,
        )
    except (DeniedByPolicy, HiddenByPolicy):
        return "who it is trained as may not read the golden set's rows (dataset:read-rows)"
    if tuple(golden.text_columns) not in (plan.text_columns, COMPOSED):
        return (
            f"the golden set's text is {', '.join(golden.text_columns)}, the version reads "
            f"{', '.join(plan.text_columns)}"
        )
    model = session.get_one(RegisteredModel, plan.order.model_id)
    return why_unfit(session, model, golden, rules)
