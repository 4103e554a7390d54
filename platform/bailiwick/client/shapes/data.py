"""Datasets, and what was made from them."""

from typing import Any, TypedDict

from bailiwick.client.shapes.common import Label


class Dataset(TypedDict):
    """A dataset."""

    id: str
    namespace: str
    name: str
    description: str
    owner_id: str
    label: Label
    created_at: str


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
    """A dataset version or model version; `name` is None where the caller may not see it."""

    type: str
    id: str
    name: str | None


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
