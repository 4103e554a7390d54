"""Datasets, and what was made from them."""

from typing import Any, TypedDict

from bailiwick.client.shapes.approvals import ActingWaiver
from bailiwick.client.shapes.common import Label


class Dataset(TypedDict):
    """A dataset."""

    id: str
    namespace: str
    name: str
    description: str
    owner_id: str
    label: Label
    waivers: list[ActingWaiver]
    retention_days: int | None
    created_at: str


class MarkOnColumn(TypedDict):
    """A mark as a dataset version shows it: accepted, or proposed and still to be decided."""

    column: str
    mark: str
    entity: str
    state: str


class ColumnMark(TypedDict):
    """What a column holds (personal-data, free-text, identifier), who says so, what was counted."""

    id: str
    column: str
    mark: str
    source: str
    entity: str
    recogniser: str | None
    score: float | None
    sampled: int | None
    matched: int | None
    state: str
    proposed_by: str
    proposed_at: str
    decided_by: str | None
    decided_at: str | None


class Scan(TypedDict):
    """What a scan looked at (`sampled`: values a column), and the proposals that it leaves."""

    dataset: str
    number: int
    rows: int
    sampled_rows: int
    sampled: dict[str, int]
    proposals: list[ColumnMark]


class Taxonomy(TypedDict):
    """What old names of labels mean (null: given up); `number` 0 where none was ever renamed."""

    number: int
    renames: dict[str, str | None]
    reason: str | None
    made_by: str | None
    made_at: str | None


class BatchQuarantine(TypedDict):
    """Batches that nothing may learn from: a version each, or a span; `number` 0: none ever was.

    `derived`: versions made from those, with why; `learned_by`: models that learned from any.
    """

    number: int
    batches: list[dict[str, Any]]
    derived: list[dict[str, str]]
    learned_by: list[str]
    reason: str | None
    made_by: str | None
    made_at: str | None


class LikelyRename(TypedDict):
    """A label that went as another one came, and how alike their texts are (0 to 1)."""

    old: str
    new: str
    likeness: float
    old_rows: int
    new_rows: int
    last_old: str
    first_new: str


class DatasetVersion(TypedDict):
    """Immutable rows; `dataset` reads NAMESPACE/NAME."""

    id: str
    dataset: str
    number: int
    content_digest: str
    source_digest: str | None
    columns: list[dict[str, Any]]
    text_columns: list[str]
    label_column: str
    date_column: str
    rows: int
    rejected_rows: int
    rejected_reasons: dict[str, int]
    first_time: str
    last_time: str
    label: Label
    waivers: list[ActingWaiver]
    marks: list[MarkOnColumn]
    created_by: str
    created_at: str


class Rejected(TypedDict):
    """A row that was kept aside: where it stands and why."""

    line: int
    reason: str


class Registered(DatasetVersion):
    """A version just registered, with the first rows that were kept aside."""

    rejected: list[Rejected]


class Run(TypedDict):
    """A finished execution with everything that it read and wrote."""

    id: str
    kind: str
    namespace: str
    label: Label
    job_id: str | None
    actor_id: str
    parameters: dict[str, Any]
    metrics: dict[str, Any]
    inputs: list[str]
    outputs: list[str]
    started_at: str
    finished_at: str


class LineageNode(TypedDict):
    """A dataset version or model version; `name` is None where the caller may not see it.

    `marks`: what stewards have said that columns of the dataset version hold.
    """

    type: str
    id: str
    name: str | None
    marks: list[str]


class LineageStep(TypedDict):
    """One hop: the run read `source` and wrote `target`."""

    source: LineageNode
    run_id: str
    target: LineageNode
    depth: int


class Lineage(TypedDict):
    """Every hop from `start`, nearest first."""

    start: LineageNode
    direction: str
    steps: list[LineageStep]


class Impact(TypedDict):
    """What learned from a dataset version, and where it runs."""

    dataset: str
    model_versions: list[LineageNode]
    deployments: list[str]
