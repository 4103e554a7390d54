"""Scanning a version's rows for personal data: a bounded, seeded sample; counts, never values."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from bailiwick.blobs.store import CorruptBlob
from bailiwick.core.errors import Invalid
from bailiwick.lineage.recognisers import IMPERSONAL, Span, find
from bailiwick.lineage.recognisers.columns import Shape, free_text, identifier
from bailiwick.lineage.recognisers.presidio import second_opinion
from bailiwick.lineage.tallies import FREE_TEXT, IDENTIFIER, PERSONAL_DATA, Scan, Tally

SAMPLED_ROWS = 2_000
SEED = 0
BATCH_ROWS = 8_192
# What bounds the time of a scan beside the number of rows.
MAX_VALUE_CHARACTERS = 20_000
MAX_COLUMN_CHARACTERS = 2_000_000
LEAST_SCORE = 0.25

Finder = Callable[[str, str], Iterable[Span]]


# (score, share): so many values must be found with so sure a score before a mark is proposed.
# A check digit is right by chance in one number of ten, so weak finds must be the rule.
EVIDENCE = ((0.85, 0.0), (0.5, 0.01), (LEAST_SCORE, 0.5))
MAX_NAME_CHARACTERS = 200  # of a column; one with a longer name cannot carry a mark


def scan(rows: Path, *, sampled_rows: int = SAMPLED_ROWS, with_presidio: bool = False) -> Scan:
    """Look for personal data, free text and identifiers in the text columns of a Parquet file.

    The same file gives the same sample: one row from each of `sampled_rows` equal stretches.
    Batches stream, so memory does not grow with the file. Of a value the first 20,000
    characters are read, of a column two million. `with_presidio` asks Presidio, too; raises
    `Invalid` where it is not installed, and `CorruptBlob` for a file that is no Parquet.
    """
    finders = _finders(with_presidio=with_presidio)
    try:
        with pq.ParquetFile(rows) as file:
            total = file.metadata.num_rows
            picked = sample_of(total, sampled_rows)
            columns = _columns(file, picked)
    except (pa.ArrowException, OSError):
        # Without its cause, whose message may quote what it could not read.
        raise CorruptBlob(
            "the stored rows cannot be read as Parquet, so nothing was scanned: restore the file "
            "from a backup"
        ) from None
    tallies, sampled = [], {}
    for name, values in columns.items():
        kept = [value for value in values if value]
        sampled[name] = len(kept)
        tallies += [*_personal(name, kept, finders), *_shapes(name, kept)]
    return Scan(total, len(picked), sampled, tuple(tallies))


def sample_of(rows: int, wanted: int) -> NDArray[np.int64]:
    """Row numbers in rising order: all of a small file, else a random one of each stretch.

    >>> sample_of(3, 5).tolist()
    [0, 1, 2]
    >>> drawn = sample_of(1_000, 4)
    >>> [int(row) // 250 for row in drawn]
    [0, 1, 2, 3]
    """
    if rows <= wanted:
        return np.arange(rows, dtype=np.int64)
    edges = np.linspace(0, rows, wanted + 1).astype(np.int64)
    return np.random.default_rng(SEED).integers(edges[:-1], edges[1:])


def _finders(*, with_presidio: bool) -> tuple[Finder, ...]:
    def own(text: str, column: str) -> Iterable[Span]:
        return find(text, column, least=LEAST_SCORE)

    if not with_presidio:
        return (own,)
    presidio = second_opinion()
    if presidio is None:
        raise Invalid(
            "Presidio is not installed beside the API: pip install 'bailiwick[scan]' there, or "
            "scan without it"
        )
    return own, lambda text, _: presidio.find(text)


def _columns(file: pq.ParquetFile, picked: NDArray[np.int64]) -> dict[str, list[str]]:
    """The picked rows of each text column."""
    names = [field.name for field in file.schema_arrow if _is_markable(field)]
    columns: dict[str, list[str]] = {name: [] for name in names}
    if not names:
        return columns
    left = dict.fromkeys(names, MAX_COLUMN_CHARACTERS)
    for name, values in _taken(file, names, picked):
        for value in values:
            if left[name] > 0:
                read = (value or "")[: min(MAX_VALUE_CHARACTERS, left[name])]
                left[name] -= len(read)
                columns[name].append(read)
    return columns


def _taken(
    file: pq.ParquetFile, names: list[str], picked: NDArray[np.int64]
) -> Iterator[tuple[str, list[str | None]]]:
    first = 0
    for batch in file.iter_batches(batch_size=BATCH_ROWS, columns=names):
        start, end = np.searchsorted(picked, (first, first + batch.num_rows))
        if start < end:
            inside = pa.array(picked[start:end] - first)
            for name, column in zip(batch.schema.names, batch.columns, strict=True):
                taken = pc.take(column, inside).cast(pa.string())
                yield name, pc.utf8_trim_whitespace(taken).to_pylist()
        first += batch.num_rows


def _is_markable(field: pa.Field) -> bool:
    return _is_text(field.type) and len(field.name) <= MAX_NAME_CHARACTERS


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        return _is_text(kind.value_type)
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _personal(column: str, values: list[str], finders: tuple[Finder, ...]) -> Iterator[Tally]:
    hint = column.replace("_", " ").replace("-", " ")
    found: defaultdict[str, list[Span]] = defaultdict(list)
    for value in values:
        best: dict[str, Span] = {}
        for span in (span for finder in finders for span in finder(value, hint)):
            if span.entity not in IMPERSONAL:
                best[span.entity] = max(best.get(span.entity, span), span, key=_score)
        for entity, span in best.items():
            found[str(entity)].append(span)
    for entity in sorted(found):
        yield _tally(column, entity, found[entity], len(values))


def _tally(column: str, entity: str, spans: list[Span], sampled: int) -> Tally:
    """The surest finds that are evidence by themselves; all of them where none are."""
    counted, is_evident = spans, False
    for score, share in EVIDENCE:
        sure = [span for span in spans if span.score >= score]
        if sure and len(sure) >= share * sampled:
            counted, is_evident = sure, True
            break
    ((recogniser, _),) = Counter(span.recogniser for span in counted).most_common(1)
    score = round(sum(span.score for span in counted) / len(counted), 3)
    return Tally(
        column, PERSONAL_DATA, entity, recogniser, score, sampled, len(counted), is_evident
    )


def _score(span: Span) -> float:
    return span.score


def _shapes(column: str, values: list[str]) -> Iterator[Tally]:
    for mark, name, judge in _JUDGES:
        shape = judge(values)
        if shape is not None:
            score = round(shape.score, 3)
            yield Tally(column, mark, shape.entity, name, score, len(values), shape.matched)


_JUDGES: tuple[tuple[str, str, Callable[[list[str]], Shape | None]], ...] = (
    (FREE_TEXT, "free-text", free_text),
    (IDENTIFIER, "identifier", identifier),
)
