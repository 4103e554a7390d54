"""Job processes at their outer edge: what they would leave behind, without the minutes."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from bailiwick.core.canonical import sha256_hex
from bailiwick.lifecycle.gates import Paired
from bailiwick.training import RECIPES
from support.evaluation_rows import evaluation_rows
from support.measured import measured

Row = dict[str, Any]


@dataclass
class FakeTraining:
    """Stands in for `run_child` of a training job; of 1,000 rows it gains and loses so many."""

    gained: int = 120
    lost: int = 20
    meanwhile: list[Callable[[], None]] = field(default_factory=list)  # one per attempt
    train: list[Row] = field(default_factory=list)  # what the newest attempt was given
    holdout: list[Row] = field(default_factory=list)
    specs: list[dict[str, Any]] = field(default_factory=list)

    def __call__(
        self,
        module: str,
        spec: dict[str, Any],
        folder: Path,
        *,
        threads: int,
        beat: Callable[[dict[str, Any] | None], None],
        beat_seconds: float,
    ) -> dict[str, Any]:
        """What the process would do and answer."""
        assert module == "bailiwick.training.run"
        assert threads >= 1
        assert beat_seconds > 0
        self.specs.append(spec)
        self.train, self.holdout = (
            pq.read_table(spec[name]["path"]).to_pylist() for name in ("train", "holdout")
        )
        beat({"stage": "train", "step": 1, "steps": 2})
        if self.meanwhile:
            self.meanwhile.pop(0)()
        return training_outcome(folder, gained=self.gained, lost=self.lost)


@dataclass
class FakeReports:
    """Stands in for `run_child` of a check; says whether the mix of predictions drifted."""

    drifted: bool = False
    harmful: bool = True
    current: list[Row] = field(default_factory=list)  # what the newest check was given
    runs: int = 0

    def __call__(
        self,
        module: str,
        spec: dict[str, Any],
        folder: Path,
        *,
        threads: int,
        beat: Callable[[dict[str, Any] | None], None],
        beat_seconds: float,
    ) -> dict[str, Any]:
        """What the process would answer, report included."""
        assert module == "bailiwick.monitoring.reports"
        assert (threads, beat_seconds > 0) == (1, True)
        beat(None)
        self.runs += 1
        self.current = pq.read_table(spec["current"]["path"]).to_pylist()
        (folder / "report.html").write_text("<html></html>")
        outcome = report_outcome(rows=len(self.current), drifted=self.drifted, harmful=self.harmful)
        return outcome | {"report": "report.html" if self.drifted else None}


def training_outcome(folder: Path, *, gained: int = 120, lost: int = 20) -> dict[str, Any]:
    """What a training process leaves in its folder, and its outcome: of 1,000 rows compared."""
    artifact = folder / "artifact"
    artifact.mkdir()
    (artifact / "model.safetensors").write_bytes(str(folder).encode())
    (folder / "reference.parquet").write_bytes(evaluation_rows())
    file = {"path": "model.safetensors", "sha256": "", "size_bytes": 0}
    content = (artifact / "model.safetensors").read_bytes()
    file |= {"sha256": sha256_hex(content), "size_bytes": len(content)}
    holdout = {"rows": 1_000, "accuracy": 0.72, "macro_f1": 0.7, "unknown_label_rows": 0}
    paired = Paired(
        both=600, only_candidate=gained, only_champion=lost, neither=400 - gained - lost
    )
    return {
        "recipe": RECIPES["small-classifier-refresh"].to_dict(),
        "recipes_tried": [],
        "files": [file],
        "parameters": 1_000_000,
        "labels": ["Fuel", "Travel"],
        "metrics": {},
        "holdout": holdout,
        "champion": holdout | {"accuracy": 0.62},
        "paired": asdict(paired),
        "majority_accuracy": 0.2,
        "seconds": 1.5,
        "training_rows": 800,
        "losses": [1.0, 0.5],
        "measured": measured(),
    }


def report_outcome(*, rows: int, drifted: bool, harmful: bool = True) -> dict[str, Any]:
    """What the process that measures drift answers."""
    mover = {"category": "Fuel", "reference_share": 0.2, "current_share": 0.9}
    result = {
        "column": "prediction",
        "kind": "categorical",
        "test": "jensenshannon",
        "statistic": 0.6 if drifted else 0.01,
        "direction": "greater",
        "threshold": 0.2,
        "reference_rows": 100,
        "current_rows": rows,
        "drifted": drifted,
        "library": "evidently 0.7.23",
        "harmful": harmful,
        "reference_mean": None,
        "current_mean": None,
        "movers": [mover],
    }
    return {"results": [result], "evidently": "0.7.23"}


def comparison_outcome() -> dict[str, Any]:
    """What the process that compares two spans answers, of spans that are alike."""
    return {
        "area": 0.5,
        "lower": 0.4,
        "upper": 0.6,
        "features": [],
        "texts": None,
        "rows": {"before": 240, "after": 240},
        "hours": {"before": 24, "after": 24},
        "library": "scikit-learn",
    }
