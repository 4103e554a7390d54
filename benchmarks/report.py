"""Printing and keeping what a benchmark measured."""

import json
import os
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
_LIBRARIES = (
    "bailiwick",
    "numpy",
    "datasketches",
    "pyarrow",
    "sqlalchemy",
    "fastapi",
    "scikit-learn",
    "torch",
    "transformers",
    "phonenumbers",
    "python-stdnum",
    "presidio-analyzer",
)


def publish(name: str, rows: Sequence[Mapping[str, Any]], summary: Mapping[str, Any]) -> None:
    """Print `rows` as a table and `summary` under it; write both to results/NAME.json.

    The file also holds the date, the machine and the versions that produced the figures.
    """
    _print_table(rows)
    for key, value in summary.items():
        print(f"{key}: {_text(value)}")
    RESULTS.mkdir(exist_ok=True)
    result = {
        "name": name,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "versions": versions(),
        "summary": summary,
        "rows": rows,
    }
    (RESULTS / f"{name}.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


def machine() -> dict[str, Any]:
    """What the figures were measured on; nothing that names the host."""
    return {
        "system": platform.system(),
        "architecture": platform.machine(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "load_average_1_minute": round(os.getloadavg()[0], 2),
    }


def versions() -> dict[str, str]:
    """Python's and the libraries' versions, as far as they are installed."""
    found = {"python": platform.python_version()}
    for library in _LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            continue
    return found


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _print_table(rows: Sequence[Mapping[str, Any]]) -> None:
    if not rows:
        return
    heads = list(rows[0])
    cells = [[_text(row[head]) for head in heads] for row in rows]
    widths = [max(map(len, column)) for column in zip(heads, *cells, strict=True)]
    for line in (heads, ["-" * width for width in widths], *cells):
        print("  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)))


def _text(value: object) -> str:
    return f"{value:,.3f}" if isinstance(value, float) else str(value)
