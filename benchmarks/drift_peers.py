"""The peers: their environments, made on demand, and what their processes answer.

Each runs in a process of its own, in a virtual environment of its own under `.peers/` (git ignores
it) unless it lives beside us; `peers/answering.py` is the other end of the wire.
"""

import json
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from drift_bar import ALARMS, DELAY, Row
from scipy.stats import beta

FOLDER = Path(__file__).parents[1] / ".peers"
SCRIPTS = Path(__file__).parent / "peers"
HOURS_A_YEAR = 8_760
INSTALL_SECONDS, ANSWER_SECONDS = 1_200, 4 * 3_600
_MARK = ".installed"
_PASSED_ON = ("PATH", "HOME", "TMPDIR", "LANG", "PYTHONPATH")
_PASSED_ON_PREFIXES = ("PIP_", "SSL_", "HTTP", "http", "NO_PROXY", "no_proxy")


class Absent(Exception):
    """A peer that could not be installed or did not answer; the text is the reason."""


@dataclass(frozen=True, slots=True)
class Peer:
    """`requirements`: what its own environment holds; none where it lives in ours.

    `dear`: a check takes a second, so it is asked less. `steady`: it learns from what it sees, so
    its windows must follow one another; the others judge each window for itself.
    """

    name: str
    script: str
    requirements: tuple[str, ...] = ()
    dear: bool = False
    steady: bool = False


PEERS = (
    Peer("Evidently", "evidently_preset", dear=True),
    Peer(
        "NannyML",
        "nannyml_univariate",
        (
            "nannyml==0.13.1",
            "statsmodels==0.15.0",
            "numpy==2.4.6",
            "pandas==3.1.1",
            "scipy==1.17.1",
            "scikit-learn==1.9.1",
        ),
    ),
    Peer(
        "alibi-detect",
        "alibi_tabular",
        (
            "alibi-detect==0.13.0",
            "numpy==1.26.4",
            "pandas==2.3.3",
            "scipy==1.17.1",
            "numba==0.59.1",
            "transformers==4.57.6",
        ),
    ),
    Peer("river ADWIN", "river_adwin", ("river==0.26.1", "numpy==2.4.6"), steady=True),
)


@dataclass(frozen=True, slots=True)
class Answers:
    """`library`: name and version. `lines`: what followed, one for each judged window."""

    library: str
    lines: tuple[Mapping[str, Any], ...]


def python_of(peer: Peer, folder: Path = FOLDER) -> Path:
    """The interpreter that has the peer, installed first if need be; raises `Absent`.

    An environment is made anew when its list of requirements has changed.
    """
    if not peer.requirements:
        return Path(sys.executable)
    home = folder / peer.script
    python, mark = home / "bin" / "python", home / _MARK
    wanted = "\n".join(peer.requirements)
    if python.exists() and mark.exists() and mark.read_text(encoding="utf-8") == wanted:
        return python
    print(f"installing {peer.name} into {home.name}", file=sys.stderr, flush=True)
    shutil.rmtree(home, ignore_errors=True)
    venv.create(home, with_pip=True)
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    run([*pip, *peer.requirements], INSTALL_SECONDS, "not installed")
    mark.write_text(wanted, encoding="utf-8")
    return python


def ask(peer: Peer, jobs: Sequence[Mapping[str, Any]], folder: Path = FOLDER) -> Answers:
    """What the peer answers to these jobs; raises `Absent` if it does not."""
    python = python_of(peer, folder)
    command = [python, SCRIPTS / f"{peer.script}.py", json.dumps(list(jobs))]
    return parsed(run(command))


def parsed(output: str) -> Answers:
    """The answers in a peer's output; raises `Absent` if it is not what it should be.

    Libraries print what they like; an answer is a line that is a JSON object.
    """
    lines = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    if not lines or "library" not in lines[0]:
        raise Absent("failed: it answered nothing")
    if "done" not in lines[-1]:
        raise Absent("failed: it stopped in the middle")
    head = lines[0]
    return Answers(f"{head['library']} {head['version']}", tuple(lines[1:-1]))


def verdicts(lines: Iterable[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """For each verdict the judged windows: `file`, `window`, and whether it is an `alarm`."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for line in lines:
        for verdict, alarm in (line["alarms"] or {}).items():
            found.setdefault(verdict, []).append({**line, "alarm": alarm})
    return found


def yearly(alarms: int, checks: int) -> tuple[float, float, float]:
    """Alarms a year of hourly checks, and the 95 % interval (Clopper and Pearson's, exact).

    It takes windows as independent, so it is too narrow where they are not.
    """
    if not 0 <= alarms <= checks or not checks:
        raise ValueError(f"{alarms} alarms in {checks} checks are no share.")
    low = beta.ppf(0.025, alarms, checks - alarms + 1) if alarms else 0.0
    high = beta.ppf(0.975, alarms + 1, checks - alarms) if alarms < checks else 1.0
    return (
        HOURS_A_YEAR * alarms / checks,
        HOURS_A_YEAR * float(low),
        HOURS_A_YEAR * float(high),
    )


def false_alarms(
    peer: Peer, world: str, rows: int, lines: Sequence[Mapping[str, Any]]
) -> list[Row]:
    """Alarms of each verdict in quiet windows, as so many a year."""
    found = []
    for verdict, judged in verdicts(lines).items():
        alarms = sum(line["alarm"] for line in judged)
        value, low, high = yearly(alarms, len(judged))
        streams = len({line["file"] for line in judged})
        found.append(
            Row(
                ALARMS,
                f"{peer.name}, {verdict}",
                world,
                rows,
                "windows in a row" if peer.steady else "windows drawn from a year",
                f"{len(judged)} checks, {streams} streams",
                value,
                f"{alarms} of {len(judged)} checks; 95 %: {low:,.0f} to {high:,.0f} a year",
            )
        )
    return found


def delays(
    peer: Peer, world: str, rows: int, what: str, lines: Sequence[Mapping[str, Any]], *, note: str
) -> list[Row]:
    """Median windows from the onset to each verdict's first alarm; infinite if there was none."""
    found = []
    for verdict, judged in verdicts(lines).items():
        first: dict[int, float] = {line["file"]: np.inf for line in judged}
        for line in judged:
            if line["alarm"]:
                first[line["file"]] = min(first[line["file"]], line["window"] + 1)
        late = sorted(first.values())
        never = sum(not np.isfinite(windows) for windows in late)
        found.append(
            Row(
                DELAY,
                f"{peer.name}, {verdict}",
                world,
                rows,
                what,
                f"{len(late)} streams",
                float(np.median(late)),
                f"{note}; {never} of {len(late)} never",
            )
        )
    return found


def beside(delay: Row, quiet: Row | None) -> Row:
    """A delay means little without how often the same verdict alarms while nothing is wrong."""
    if quiet is None:
        return delay
    share = quiet.value / HOURS_A_YEAR
    return replace(delay, note=f"{delay.note}; alarms in {share:.0%} of quiet windows")


def run(
    command: Sequence[Path | str], seconds: float = ANSWER_SECONDS, failed: str = "failed"
) -> str:
    """What the command prints, on one thread; raises `Absent` with the end of its complaint."""
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds,
            env=_environment(),
        )
    except subprocess.TimeoutExpired:
        raise Absent(f"{failed}: no answer in {seconds:,.0f} s") from None
    if done.returncode:
        said = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        reason = said[-1] if said else f"exit status {done.returncode}"
        raise Absent(f"{failed}: {reason[:200]}")
    return done.stdout


def _environment() -> dict[str, str]:
    """One thread, quiet libraries, and of our environment what finds packages."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in _PASSED_ON or name.startswith(_PASSED_ON_PREFIXES)
    }
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return {**kept, **threads, "PYTHONWARNINGS": "ignore", "DO_NOT_TRACK": "1"}
