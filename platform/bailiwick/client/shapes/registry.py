"""Models, versions, and where they run."""

from typing import Any, TypedDict

from bailiwick.client.shapes.approvals import ActingWaiver
from bailiwick.client.shapes.common import Label
from bailiwick.client.shapes.labels import Breach


class Model(TypedDict):
    """A registered model."""

    id: str
    namespace: str
    name: str
    description: str
    label: Label
    aliases: dict[str, int]
    created_at: str


class File(TypedDict):
    """One file of a version's manifest."""

    path: str
    sha256: str
    size_bytes: int


class Rejection(TypedDict):
    """A gate that was not passed, why, and the waiver that excuses it now."""

    gate: str
    reason: str
    waiver_id: str | None


class Standing(TypedDict):
    """A further gate: `passed`, `rejected`, `unknown` (which rejects, too) or `not required`."""

    gate: str
    asks: str
    standing: str
    figures: str


class EvaluationSettings(TypedDict):
    """What a model's versions are judged by; `golden_set` is `NAMESPACE/NAME@NUMBER`."""

    golden_set: str | None
    golden_version_id: str | None
    segments: list[str]
    key_column: str | None
    set_by: str | None
    set_at: str | None


class Evaluation(TypedDict):
    """What the gates saw and said. `reasons` are those of the rejections."""

    passed: bool
    reasons: list[str]
    rejections: list[Rejection]
    risk_tier: str
    champion_version_id: str | None
    evidence: dict[str, Any]
    standings: list[Standing]
    created_at: str


class Version(TypedDict):
    """An immutable model version."""

    id: str
    model: str
    number: int
    run_id: str
    base_version_id: str | None
    manifest: list[File]
    manifest_digest: str
    recipe: dict[str, Any]
    seed: int
    metrics: dict[str, Any]
    parameters: int
    text_columns: list[str]
    labels: list[str]
    label: Label
    trained_by: str
    created_at: str
    evaluation: Evaluation | None
    waivers: list[ActingWaiver]


class Alias(TypedDict):
    """A pointer to a version."""

    alias: str
    version: int
    version_id: str
    moved_at: str
    rollouts: list[str]


class Move(TypedDict):
    """One move of a pointer."""

    alias: str
    old_version_id: str | None
    new_version_id: str
    actor_id: str
    reason: str
    at: str


class Environment(TypedDict):
    """A place to run models in."""

    id: str
    name: str
    zone: str
    clearance_level: str
    clearance_compartments: list[str]
    keeps_text: bool
    created_at: str


class Challenger(TypedDict):
    """The version that is being rolled out beside the champion."""

    rollout_id: str
    state: str
    share: float
    version: int
    version_id: str
    manifest_digest: str


class Rollout(TypedDict):
    """Which version answers, by which rule, and which one is being rolled out beside it."""

    follows: str
    version: int
    version_id: str
    manifest_digest: str
    challenger: Challenger | None


class Deployment(TypedDict):
    """A model in an environment."""

    id: str
    namespace: str
    name: str
    model: str
    environment: str
    purpose: str
    keeps_text: bool
    state: str
    label: Label
    waivers: list[ActingWaiver]
    breach: Breach | None
    rollout: Rollout
    created_at: str


class Prediction(TypedDict):
    """An answer; feedback refers to it by `record_id`."""

    record_id: str
    label: str
    confidence: float
    version: int


class Predictions(TypedDict):
    """Answers in the order of the rows, and the version that gave them."""

    version: int
    version_id: str
    predictions: list[Prediction]


class Accepted(TypedDict):
    """Rows that were new, and rows that were known already and count once."""

    new: int
    known: int


class Accuracy(TypedDict):
    """Accuracy of a stretch of time on the labels known now."""

    start: str
    end: str
    rows: int
    labelled_rows: int
    correct: int
    accuracy: float | None
