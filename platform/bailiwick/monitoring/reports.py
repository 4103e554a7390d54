"""The job process that measures drift with Evidently and draws its report.

    python -m bailiwick.monitoring.reports SPEC.json

The only importer of Evidently (3 CPU seconds to load). SPEC.json holds a `ReportSpec`; the
process writes `outcome.json`, and `report.html` if asked, into its `work_dir`.

Requests need not say all that is tested: of each column the rows that have a value are compared,
and one that either side lacks altogether is left out. That fields go missing is watched elsewhere.

Scores come from Evidently's test functions directly: its Report computes each one three times
and draws a figure per column, for the same digits. Only the HTML, on a sample, goes that way.
"""

import json
import sys
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from hashlib import file_digest
from html import escape
from pathlib import Path
from typing import Any, Literal

import numpy as np

with warnings.catch_warnings():
    # Evidently 0.7 still imports APIs that its own dependencies have deprecated.
    warnings.simplefilter("ignore", DeprecationWarning)
    warnings.simplefilter("ignore", FutureWarning)
    import evidently
    from evidently.legacy.calculations.stattests import (
        jensenshannon_stat_test,
        wasserstein_stat_test,
    )
    from evidently.legacy.core import ColumnType
    from evidently.metrics import ValueDrift
import pandas as pd

from bailiwick.core.errors import Invalid, NotFound, Unavailable
from bailiwick.monitoring.job_process import carry_out, write_outcome
from bailiwick.monitoring.statistics import StatisticResult, StatisticSpec, top_movers

_TESTS = {"wasserstein": wasserstein_stat_test, "jensenshannon": jensenshannon_stat_test}
_TYPES = {"numeric": ColumnType.Numerical, "categorical": ColumnType.Categorical}
# The page carries its scripts and data; a browser that obeys this never fetches anything.
_OFFLINE = (
    '<meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="default-src '
    "'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; "
    'img-src data: blob:; font-src data:">'
)


@dataclass(frozen=True, slots=True)
class Rows:
    """A Parquet file of descriptors and the SHA-256 that its bytes must have."""

    path: Path
    sha256: str


@dataclass(frozen=True, slots=True)
class ReportSpec:
    """What one check compares, and whether it leaves an HTML report."""

    work_dir: Path
    reference: Rows
    current: Rows
    statistics: tuple[StatisticSpec, ...]
    report: Literal["always", "on-drift", "never"]
    title: str
    sample_rows: int = 5_000
    seed: int = 0
    watch_parent: bool = False

    @classmethod
    def read(cls, path: Path) -> "ReportSpec":
        """The spec in a JSON file; `Invalid` if it is not one."""
        try:
            given: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            sides = {
                side: Rows(Path(given[side]["path"]), given[side]["sha256"])
                for side in ("reference", "current")
            }
            statistics = tuple(StatisticSpec(**statistic) for statistic in given["statistics"])
            work_dir = Path(given["work_dir"])
            spec = cls(**given | sides | {"statistics": statistics, "work_dir": work_dir})
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise Invalid(
                f"The report job cannot use its spec ({type(error).__name__}): write it as the "
                "monitor does."
            ) from error
        if not statistics or spec.report not in {"always", "on-drift", "never"}:
            raise Invalid("Name at least one statistic, and report as always, on-drift or never.")
        return spec


def run(spec: ReportSpec) -> dict[str, Any]:
    """Carry out one check; the outcome is also written to `outcome.json`, whole or not at all."""
    reference, current = (load(rows, spec.statistics) for rows in (spec.reference, spec.current))
    there = [one for one in spec.statistics if _known(one, reference) and _known(one, current)]
    if not there:
        raise Invalid("Requests and evaluation have no column in common that could be compared.")
    results = [measure(statistic, reference, current) for statistic in there]
    drifted = any(result.drifted for result in results)
    wanted = spec.report == "always" or (spec.report == "on-drift" and drifted)
    if wanted:
        draw(spec, there, reference, current)
    outcome = {
        "results": [asdict(result) for result in results],
        "evidently": evidently.__version__,
        "report": "report.html" if wanted else None,
        "reference_means": {r.column: r.reference_mean for r in results if r.kind == "numeric"},
        "current_means": {r.column: r.current_mean for r in results if r.kind == "numeric"},
        "top_movers": {r.column: asdict(r)["movers"] for r in results if r.kind == "categorical"},
    }
    write_outcome(spec.work_dir, outcome)
    return outcome


def load(rows: Rows, statistics: tuple[StatisticSpec, ...]) -> pd.DataFrame:
    """The columns under test, from bytes that are what the caller meant."""
    if not rows.path.is_file():
        raise NotFound(f"There are no rows at {rows.path.name}: write them first.")
    with rows.path.open("rb") as file:
        if file_digest(file, "sha256").hexdigest() != rows.sha256:
            raise Unavailable(f"{rows.path.name} is not what was stored: its SHA-256 differs.")
    columns = [statistic.column for statistic in statistics]
    try:
        frame = pd.read_parquet(rows.path, columns=columns)
    except (ValueError, OSError, KeyError) as error:
        raise Invalid(f"{rows.path.name} lacks one of {columns} or is no Parquet.") from error
    for statistic in statistics:
        _check_column(statistic, frame[statistic.column], rows.path.name)
    return frame


def _known(statistic: StatisticSpec, rows: pd.DataFrame) -> bool:
    return bool(rows[statistic.column].notna().any())


def _check_column(statistic: StatisticSpec, values: "pd.Series[Any]", name: str) -> None:
    known = values.dropna()
    if (
        statistic.kind == "numeric"
        and not known.empty
        and not (pd.api.types.is_numeric_dtype(known) and np.isfinite(known).all())
    ):
        raise Invalid(f"Column {statistic.column} of {name} must hold finite numbers.")


def measure(spec: StatisticSpec, reference: pd.DataFrame, current: pd.DataFrame) -> StatisticResult:
    """One statistic, by the Evidently function of its name (defined in `monitoring.statistics`)."""
    before, now = reference[spec.column].dropna(), current[spec.column].dropna()
    test = _TESTS[spec.test](before, now, _TYPES[spec.kind], spec.threshold)
    numeric = spec.kind == "numeric"
    return StatisticResult(
        column=spec.column,
        kind=spec.kind,
        test=spec.test,
        statistic=float(test.drift_score),
        direction=spec.direction,
        threshold=spec.threshold,
        reference_rows=len(before),
        current_rows=len(now),
        drifted=bool(test.drift_score >= spec.threshold),
        library=f"evidently {evidently.__version__}",
        harmful=spec.harmful,
        reference_mean=float(before.mean()) if numeric else None,
        current_mean=float(now.mean()) if numeric else None,
        movers=() if numeric else top_movers(before.tolist(), now.tolist()),
    )


def draw(
    spec: ReportSpec,
    statistics: Sequence[StatisticSpec],
    reference: pd.DataFrame,
    current: pd.DataFrame,
) -> None:
    """Evidently's HTML of the same tests on a seeded sample of rows, as `report.html`."""
    definition = evidently.DataDefinition(
        numerical_columns=[s.column for s in statistics if s.kind == "numeric"],
        categorical_columns=[s.column for s in statistics if s.kind == "categorical"],
    )
    samples = (
        evidently.Dataset.from_pandas(
            frame.sample(min(len(frame), spec.sample_rows), random_state=spec.seed),
            data_definition=definition,
        )
        for frame in (current, reference)
    )
    metrics = [
        ValueDrift(column=s.column, method=s.test, threshold=s.threshold) for s in statistics
    ]
    page: str = evidently.Report(metrics).run(*samples).get_html_str(as_iframe=False)
    title = f"<title>{escape(spec.title)}</title>"
    page = page.replace("<head>", f"<head>{_OFFLINE}{title}", 1)
    (spec.work_dir / "report.html").write_text(page, encoding="utf-8")


def main(arguments: list[str]) -> int:
    """Exit status of the process; see the module."""
    return carry_out(arguments, ReportSpec.read, run)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
