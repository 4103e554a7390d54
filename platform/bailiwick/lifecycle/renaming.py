"""Which labels seem to have been renamed: one goes, another comes at that time, texts alike.

NOT guaranteed: names that look alike are not looked at, only dates and words; a category that
ended while another on the same matter began looks the same as a renamed one. A person decides.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import log, sqrt

import pyarrow as pa

from bailiwick.blobs import BlobStore
from bailiwick.lifecycle.selection import frame_of, without_repeats
from bailiwick.lineage import DatasetVersion

MOST_ROWS = 200_000
_LEAST_ROWS = 10
_EDGE_RATIO = 0.05  # of the time covered: gone before its end, come after its start
_OVERLAP_RATIO = 0.1  # for how long both names may be in use
_LEAST_LIKENESS = 0.5


@dataclass(frozen=True, slots=True)
class LikelyRename:
    """An old name, the new one, how alike their texts are (cosine, 0 to 1), rows and dates."""

    old: str
    new: str
    likeness: float
    old_rows: int
    new_rows: int
    last_old: datetime
    first_new: datetime


def suggested_renames(versions: Iterable[DatasetVersion], blobs: BlobStore) -> list[LikelyRename]:
    """The renames that the rows of versions of one dataset suggest; of all rows the newest."""
    frames = [
        frame_of(blobs.verified_path(one.rows_blob), one.text_columns, one.label_column)
        for one in versions
    ]
    if not frames:
        return []
    frame = pa.concat_tables(without_repeats(frames)).sort_by([("time", "descending")])
    columns = frame.slice(0, MOST_ROWS).to_pydict()
    return likely_renames(columns["time"], columns["text"], columns["label"])


def likely_renames(
    times: Sequence[datetime], texts: Sequence[str], labels: Sequence[str]
) -> list[LikelyRename]:
    """The renames that rows suggest, the likeliest first; each old name once.

    Words count by how few labels use them (tf-idf, cosine); names with fewer than ten rows are
    not looked at.
    """
    if not times:
        return []
    rows = Counter(labels)
    spans = _spans(times, labels)
    start, end = min(times), max(times)
    edge, overlap = (end - start) * _EDGE_RATIO, (end - start) * _OVERLAP_RATIO
    known = [label for label, count in rows.items() if count >= _LEAST_ROWS]
    gone = [label for label in known if spans[label][1] < end - edge]
    come = [label for label in known if spans[label][0] > start + edge]
    vectors = _vectors(texts, labels, {*gone, *come})
    found = []
    for old in gone:
        likeness, new = max(
            (
                (_cosine(vectors[old], vectors[new]), new)
                for new in come
                if new != old and _follows(spans[old][1], spans[new][0], edge, overlap)
            ),
            default=(0.0, ""),
        )
        if likeness >= _LEAST_LIKENESS:
            last, first = spans[old][1], spans[new][0]
            found.append(LikelyRename(old, new, likeness, rows[old], rows[new], last, first))
    return sorted(found, key=lambda one: (-one.likeness, one.old))


def _follows(last: datetime, first: datetime, edge: timedelta, overlap: timedelta) -> bool:
    """Whether a name came about when the other one went."""
    return -overlap <= first - last <= edge + overlap


def _spans(
    times: Sequence[datetime], labels: Sequence[str]
) -> dict[str, tuple[datetime, datetime]]:
    found: dict[str, tuple[datetime, datetime]] = {}
    for moment, label in zip(times, labels, strict=True):
        first, last = found.get(label, (moment, moment))
        found[label] = min(first, moment), max(last, moment)
    return found


def _vectors(
    texts: Sequence[str], labels: Sequence[str], wanted: set[str]
) -> dict[str, dict[str, float]]:
    counts: dict[str, Counter[str]] = {label: Counter() for label in set(labels)}
    for text, label in zip(texts, labels, strict=True):
        counts[label].update(set(text.casefold().split()))
    used = Counter(word for words in counts.values() for word in words)
    return {
        label: {
            word: sqrt(count) * log(1 + len(counts) / used[word])
            for word, count in counts[label].items()
        }
        for label in wanted
    }


def _cosine(one: Mapping[str, float], other: Mapping[str, float]) -> float:
    length = sqrt(sum(x * x for x in one.values()) * sum(x * x for x in other.values()))
    return sum(x * other.get(word, 0.0) for word, x in one.items()) / length if length else 0.0
