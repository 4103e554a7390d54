"""What rows to learn from and rows to be judged on have in common, by whole columns."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from bailiwick.training.data import Frame
from bailiwick.training.spec import KEY


def normalised(texts: Sequence[str]) -> pa.Array:
    """Texts without what people write differently: NFKC, small letters, single spaces."""
    plain = pc.utf8_lower(pc.utf8_normalize(pa.array(texts, pa.large_string()), form="NFKC"))
    return pc.utf8_trim_whitespace(pc.replace_substring_regex(plain, r"\s+", " "))


def overlaps(train: Frame, holdout: Frame, *, keyed: bool) -> dict[str, Any]:
    """Counts of rows that repeat, and that are in both frames; by their keys if `keyed`.

    Memory is a few times that of the two frames. Equal rows have the same time, text
    (normalised) and label; a key that is missing is like no other.
    """
    texts, judged = normalised(train.texts), normalised(holdout.texts)
    learned_rows, judged_rows = _rows(train, texts), _rows(holdout, judged)
    learned = pc.unique(learned_rows)
    found = {
        "train_rows": len(train),
        "holdout_rows": len(holdout),
        "duplicate_rows": len(train) - len(learned),
        "rows_after": int((train.times > holdout.times.min()).sum()),
        "leaked_rows": _in_common(judged_rows, learned),
        "repeated_text_rows": _in_common(judged, pc.unique(texts)),
        "key_declared": keyed,
        "keyed_rows": 0,
        "leaked_key_rows": 0,
    }
    if keyed:
        known = pa.array(train.marks.get(KEY, [None] * len(train)), pa.large_string())
        asked = pa.array(holdout.marks.get(KEY, [None] * len(holdout)), pa.large_string())
        asked = asked.drop_null()
        shared = _in_common(asked, pc.unique(known.drop_null()))
        found |= {"keyed_rows": len(asked), "leaked_key_rows": shared}
    return found


def _in_common(values: pa.Array, known: pa.Array) -> int:
    return int(pc.sum(pc.is_in(values, value_set=known)).as_py() or 0)


def _rows(frame: Frame, texts: pa.Array) -> pa.Array:
    """One comparable value a row: its time, text and label, joined by what no text holds."""
    times = pc.cast(pa.array(frame.times.astype("int64")), pa.large_string())
    labels = pa.array(frame.labels, pa.large_string())
    return pc.binary_join_element_wise(times, texts, labels, pa.scalar("\x00", pa.large_string()))
