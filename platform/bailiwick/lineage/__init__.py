"""Data and how it flows: datasets, their versions, the runs between them, the graph they form."""

from bailiwick.lineage.datasets import (
    WAIVABLE_DATASET_VERSIONS,
    WAIVABLE_DATASETS,
    Content,
    add_dataset_version,
    create_dataset,
    dataset_resource,
    dataset_subject,
    dataset_version_resource,
    dataset_version_subject,
    find_dataset,
    find_dataset_version,
    update_dataset,
    with_copies,
)
from bailiwick.lineage.graph import Step, walk
from bailiwick.lineage.marks import (
    Mark,
    decide_mark,
    find_mark,
    marks_by_dataset,
    marks_on,
    propose_marks,
    set_mark,
)
from bailiwick.lineage.runs import Node, record_run
from bailiwick.lineage.tables import ColumnMark, Dataset, DatasetVersion, LineageEdge, Run

__all__ = [
    "WAIVABLE_DATASETS",
    "WAIVABLE_DATASET_VERSIONS",
    "ColumnMark",
    "Content",
    "Dataset",
    "DatasetVersion",
    "LineageEdge",
    "Mark",
    "Node",
    "Run",
    "Step",
    "add_dataset_version",
    "create_dataset",
    "dataset_resource",
    "dataset_subject",
    "dataset_version_resource",
    "dataset_version_subject",
    "decide_mark",
    "find_dataset",
    "find_dataset_version",
    "find_mark",
    "marks_by_dataset",
    "marks_on",
    "propose_marks",
    "record_run",
    "set_mark",
    "update_dataset",
    "walk",
    "with_copies",
]
