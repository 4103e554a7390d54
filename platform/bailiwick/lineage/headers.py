"""Judging the first line of a table: it is a header, and the wanted columns are in it.

Pure. Names are quoted in errors only when the line looks like a header: the first line of a
file without one is somebody's data.
"""

import difflib
import re
from collections import Counter
from collections.abc import Iterable, Sequence

from bailiwick.core.errors import Invalid

_MAX_NAME_CHARACTERS = 80
_MAX_LISTED = 40
_LINES_SEARCHED = 50
_ENOUGH_NAMES = 2
_VALUE = re.compile(r"[-+£$€]?[\d.,/: -]*\d[\d.,/: -]*")


def columns_of(
    fields: Sequence[str],
    wanted: Sequence[str],
    following: Iterable[tuple[int, Sequence[str]]],
) -> tuple[str, ...]:
    """The column names in `fields`, stripped; a blank one becomes `column_7` (its position).

    `following` are the next lines (number, fields): searched for the true header when this is
    none. Raises `Invalid` for a line that is no header, doubled names and missing columns.
    """
    names = tuple(name.strip() or f"column_{place}" for place, name in enumerate(fields, 1))
    if any("\0" in name for name in names):
        raise Invalid("The file holds NUL bytes where column names should be: it is not text.")
    missing = [name for name in wanted if name not in names]
    if missing and not _looks_like_header(fields):
        raise Invalid(_not_a_header(fields, wanted, following))
    doubled = [name for name, count in Counter(names).items() if count > 1]
    if doubled:
        raise Invalid(
            f"The header names {_listed(doubled)} more than once, so it cannot be told which "
            "column is meant: rename or remove the extra columns.",
            doubled=doubled,
        )
    if missing:
        raise Invalid(
            f"The file has no column {_listed(missing)}. It has {_listed(names)}."
            f"{_suggestion(missing, names)}",
            missing=missing,
            found=list(names[:_MAX_LISTED]),
        )
    return names


def _looks_like_header(fields: Sequence[str]) -> bool:
    return len(fields) > 1 and not any(
        len(name) > _MAX_NAME_CHARACTERS or "\n" in name or _VALUE.fullmatch(name.strip())
        for name in fields
    )


def _not_a_header(
    fields: Sequence[str],
    wanted: Sequence[str],
    following: Iterable[tuple[int, Sequence[str]]],
) -> str:
    longest = max(len(name) for name in fields)
    sentence = (
        f"Line 1 is not a header: it holds {len(fields)} field(s), the longest of {longest:,} "
        f"characters, where the column names {_listed(wanted)} are expected."
    )
    for separator, name in ((";", "semicolons"), ("\t", "tabs"), ("|", "bars")):
        if len(fields) == 1 and fields[0].count(separator) >= len(wanted) - 1:
            return f"{sentence} It seems to be separated by {name}: export it with commas."
    for line, values in following:
        if line > _LINES_SEARCHED:
            break
        found = {value.strip() for value in values}.intersection(wanted)
        if len(found) >= _ENOUGH_NAMES:
            return f"{sentence} Line {line} holds {_listed(sorted(found))}: remove what is above."
    return f"{sentence} Put the column names in the first line."


def _suggestion(missing: Sequence[str], names: Sequence[str]) -> str:
    by_folded = {name.casefold(): name for name in names}
    pairs = []
    for name in missing:
        close = difflib.get_close_matches(name.casefold(), by_folded, n=1, cutoff=0.5)
        pairs += [f"'{by_folded[close[0]]}' for '{name}'"] if close else []
    return f" Did you mean {', '.join(pairs)}?" if pairs else ""


def _listed(names: Iterable[str]) -> str:
    listed = [f"'{name}'" for name in names]
    rest = len(listed) - _MAX_LISTED
    return ", ".join(listed[:_MAX_LISTED]) + (f" and {rest} more" if rest > 0 else "")
