"""The job processes that a process of a test starts: real ones, or stand-ins that cost little."""

import base64
import json
import pickle
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any

from bailiwick.lifecycle import checks, traffic_comparisons, training_jobs
from bailiwick.lifecycle.children import run_child
from support.crashes.faults import ARMED, Striker
from support.crashes.quick_jobs import READY, WAITS
from support.lifecycle_children import comparison_outcome, report_outcome, training_outcome

RunChild = Callable[..., dict[str, Any]]
STARTERS = (training_jobs, checks, traffic_comparisons)  # modules that start job processes


class Children(StrEnum):
    """What job processes are like; all are started and listened to by the product's own code."""

    REAL = "as they are"
    STRUCK = "real ones, which the faults strike"
    QUICK = "stand-ins, which leave at once what real ones would"
    ENDLESS = "stand-ins, which work until they are ended"


def use_children(children: Children, strikers: Sequence[Striker]) -> None:
    """From now on the job processes of this process are like that."""
    stands: dict[Children, RunChild] = {
        Children.REAL: run_child,
        Children.STRUCK: partial(_run_struck, strikers),
        Children.QUICK: partial(_run_quick, waits=False),
        Children.ENDLESS: partial(_run_quick, waits=True),
    }
    for module in STARTERS:
        module.run_child = stands[children]  # type: ignore[attr-defined]


def _run_struck(
    strikers: Sequence[Striker], _: str, spec: Mapping[str, Any], folder: Path, **more: Any
) -> dict[str, Any]:
    armed = base64.b64encode(pickle.dumps(list(strikers))).decode()
    return run_child("support.crashes.struck_training", {**spec, ARMED: armed}, folder, **more)


def _run_quick(
    module: str, spec: Mapping[str, Any], folder: Path, *, waits: bool, **more: Any
) -> dict[str, Any]:
    """A process that is told beforehand what to leave."""
    ready = folder / READY
    ready.mkdir()
    if module == "bailiwick.training.run":
        outcome = training_outcome(ready)
    elif module == "bailiwick.monitoring.comparing":
        outcome = comparison_outcome()
    else:
        (ready / "report.html").write_text("<html></html>")
        outcome = report_outcome(rows=100, drifted=True) | {"report": "report.html"}
    (ready / "outcome.json").write_text(json.dumps(outcome))
    return run_child("support.crashes.quick_jobs", {**spec, WAITS: waits}, folder, **more)
