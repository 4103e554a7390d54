"""Old records: whole days of them as files in the blob store, which readers see like the others."""

from bailiwick.monitoring.archive.files import (
    COLUMNS_VERSION,
    GROUP_ROWS,
    Written,
    check_segment,
    subject_texts,
    write_segment,
)
from bailiwick.monitoring.archive.finding import Answered, find_records
from bailiwick.monitoring.archive.reading import (
    Archived,
    archived_files,
    archived_records,
    closed_until,
    in_order,
    labels_of,
    mark_stale,
    segments_between,
    tallied,
)
from bailiwick.monitoring.archive.tables import ArchivedJoinKey, KeepingRules, RecordSegment

__all__ = [
    "COLUMNS_VERSION",
    "GROUP_ROWS",
    "Answered",
    "Archived",
    "ArchivedJoinKey",
    "KeepingRules",
    "RecordSegment",
    "Written",
    "archived_files",
    "archived_records",
    "check_segment",
    "closed_until",
    "find_records",
    "in_order",
    "labels_of",
    "mark_stale",
    "segments_between",
    "subject_texts",
    "tallied",
    "write_segment",
]
