"""The gate on what a version learned from, beside what it is judged on."""

from collections.abc import Iterator, Mapping
from typing import Any

from bailiwick.lifecycle.tiers import Tier


def data_checks(figures: Mapping[str, Any], tier: Tier) -> Iterator[str]:
    """Few rows repeat, and none of what it is judged on was there to learn from.

    `figures`: {train_rows, holdout_rows, duplicate_rows, rows_after, leaked_rows,
    repeated_text_rows, key_declared, keyed_rows, leaked_key_rows}. Labels in the holdout that
    were not learned are the gate `max_unknown_label_ratio`.
    """
    if figures["rows_after"]:
        yield (
            f"{figures['rows_after']:,} training rows are dated after the first row it is "
            "judged on: the future was there to learn from"
        )
    if figures["key_declared"] and not figures["keyed_rows"]:
        yield "a key is declared, and no row that it was judged on has it"
    for count, of, limit, what in (
        ("duplicate_rows", "train_rows", tier.max_duplicate_ratio, _DUPLICATES),
        ("leaked_rows", "holdout_rows", tier.max_leaked_ratio, _LEAKED),
        ("repeated_text_rows", "holdout_rows", tier.max_repeated_text_ratio, _REPEATED),
        ("leaked_key_rows", "holdout_rows", tier.max_leaked_key_ratio, _KEYS),
    ):
        ratio = figures[count] / figures[of]
        if ratio > limit:
            yield f"{ratio:.1%} of the {what}, {limit:.1%} are allowed"


_DUPLICATES = "training rows repeat another one with its time, text and label"
_LEAKED = "rows it is judged on were also learned from, with time, text and label"
_REPEATED = "rows it is judged on have a text that was also learned from"
_KEYS = "rows it is judged on have a key that was also learned from"
