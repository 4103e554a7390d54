"""What came of each cell, as the page `docs/crash-matrix.md`: one table a process, in order.

Each test leaves a file in the folder that the environment names; this file, run with that folder
and a page, writes the page once all have run on both databases.
"""

import json
import os
import sys
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path

from support.crashes.cells import CELLS

FOLDER = os.environ.get("CRASH_REPORT", "")  # no BAILIWICK_ name: tests take those away
DATABASES = ("SQLite", "PostgreSQL")
BESIDE = "; "  # between faults of one step that end alike
HEAD = (
    "# The crash matrix\n\n"
    "Written by `make crashes`, which strikes real processes at each of these steps, lets the "
    "installation finish, and looks whether the end is right: [decision 21]"
    "(decisions/0021-crash-matrix.md) says what that means. The last columns say what became of "
    "the process, and in which attempt its work was done, if not in the first.\n"
)


def note(name: str, database: str, came: str) -> None:
    """Keep what came of a cell; nothing if nobody asked for a report."""
    if FOLDER:
        folder = Path(FOLDER) / database
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.json").write_text(json.dumps(came))


def page(rows: Iterable[tuple[str, str, str, str, str]]) -> str:
    """The page: (process, step, fault, what came of it on SQLite, on PostgreSQL) a row."""
    found = list(rows)
    parts = [HEAD, f"{len(found)} faults, each on both databases.\n"]
    for process, cells in groupby(found, key=lambda row: row[0]):
        table = ["| step | faults | SQLite | PostgreSQL |", "| --- | --- | --- | --- |"]
        for (step, *ends), alike in groupby(cells, key=lambda cell: (cell[1], *cell[3:])):
            faults = BESIDE.join(cell[2] for cell in alike)
            table.append(f"| {' | '.join([step, faults, *ends])} |")
        parts.append(f"## {process}\n" + "\n".join(table) + "\n")
    return "\n".join(parts)


def listed(text: str) -> list[tuple[str, ...]]:
    """The rows of a page, a fault each."""
    rows, process = [], ""
    for line in text.splitlines():
        if line.startswith("## "):
            process = line.removeprefix("## ")
        elif line.startswith("| ") and not line.startswith(("| step", "| ---")):
            step, faults, *ends = line.strip("| ").split(" | ")
            rows += [(process, step, fault, *ends) for fault in faults.split(BESIDE)]
    return rows


def main(folder: Path, target: Path) -> None:
    """Write the page; a cell without a file has not run, or has failed."""
    target.write_text(
        page(
            (
                cell.process,
                cell.step,
                str(cell.fault.kind),
                *(
                    json.loads((folder / one / f"{cell.name}.json").read_text())
                    for one in DATABASES
                ),
            )
            for cell in CELLS
        )
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
