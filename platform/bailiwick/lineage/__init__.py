"""Data and how it flows: datasets, their versions, the runs between them, the graph they form."""

from bailiwick.lineage.datasets import (
    Content,
    add_dataset_version,
    create_dataset,
    dataset_resource,
    dataset_version_resource,
    find_dataset,
    find_dataset_version,
)
from bailiwick.lineage.graph import Step, walk
from bailiwick.lineage.runs import Node, record_run
from bailiwick.lineage.tables import Dataset, DatasetVersion, LineageEdge, Run

__all__ = [
    "Content",
    "Dataset",
    "DatasetVersion",
    "LineageEdge",
    "Node",
    "Run",
    "Step",
    "add_dataset_version",
    "create_dataset",
    "dataset_resource",
    "dataset_version_resource",
    "find_dataset",
    "find_dataset_version",
    "record_run",
    "walk",
]
