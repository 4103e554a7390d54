"""The job file of one training run, as the lifecycle writes it and the job process reads it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from bailiwick.core.errors import Invalid
from bailiwick.training.rungs import AnyRecipe, any_recipe_of


class SpecInvalid(Invalid):
    """A job file that says too little, or something else."""

    code = "spec-invalid"


@dataclass(frozen=True, slots=True)
class FrameFile:
    """A Parquet file and the SHA-256 (hexadecimal) it must have."""

    path: Path
    sha256: str


SEGMENT, KEY = "segment:", "key"  # further columns of a frame: one for each segment, and the key


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """What the gates want measured beside what always is: declared columns, and what is dear.

    `membership` withholds up to a tenth of the texts from training; `reproduce` trains twice.
    """

    golden: FrameFile | None = None
    segments: tuple[str, ...] = ()
    key: bool = False
    membership: bool = False
    reproduce: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        golden = self.golden
        return {
            "golden": {"path": str(golden.path), "sha256": golden.sha256} if golden else None,
            "segments": list(self.segments),
            "key": self.key,
            "membership": self.membership,
            "reproduce": self.reproduce,
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """The inverse of `to_dict`."""
        golden = values["golden"]
        return cls(
            golden=frame_file(golden) if golden else None,
            segments=tuple(map(str, values["segments"])),
            key=bool(values["key"]),
            membership=bool(values["membership"]),
            reproduce=bool(values["reproduce"]),
        )


NOTHING_MORE = Measures()


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSpec:
    """One training run.

    Outputs go to `work_dir`. `base` is the artifact to start from, `compare_with` the one to
    beat on the same `holdout`. `renames`: what the labels of `compare_with` are called in the
    rows, where that changed (null: not at all). `reference_accuracy` (0 to 1): what `compare_with`
    had when the gates judged it. `hard_rows` of the `older` rows are learned from as well: those
    that `compare_with` answers wrongly or unsurely. With `watch_parent` the process ends when its
    standard input does.
    """

    work_dir: Path
    train: FrameFile
    holdout: FrameFile
    recipe: AnyRecipe
    base: Path | None = None
    compare_with: Path | None = None
    seed: int = 0
    threads: int = 1
    watch_parent: bool = False
    renames: Mapping[str, str | None] = field(default_factory=dict)
    reference_accuracy: float | None = None
    older: FrameFile | None = None
    hard_rows: int = 0
    measures: Measures = NOTHING_MORE

    @classmethod
    def read(cls, path: Path) -> Self:
        """The job file at `path`. Raises `SpecInvalid` or `RecipeInvalid`."""
        try:
            values = json.loads(path.read_bytes())
            return cls(
                work_dir=Path(values["work_dir"]),
                train=frame_file(values["train"]),
                holdout=frame_file(values["holdout"]),
                recipe=any_recipe_of(values["recipe"]),
                base=_directory(values.get("base")),
                compare_with=_directory(values.get("compare_with")),
                seed=int(values["seed"]),
                threads=max(1, int(values["threads"])),
                watch_parent=bool(values.get("watch_parent", False)),
                renames=dict(values.get("renames", {})),
                reference_accuracy=values.get("reference_accuracy"),
                older=frame_file(older) if (older := values.get("older")) else None,
                hard_rows=int(values.get("hard_rows", 0)),
                measures=Measures.from_dict(values.get("measures") or NOTHING_MORE.to_dict()),
            )
        except OSError as error:
            raise SpecInvalid(f"The job file {path.name} cannot be read.") from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise SpecInvalid(
                f"The job file {path.name} is not usable ({type(error).__name__}: {error}). "
                "Write it with TrainingSpec.to_dict."
            ) from error

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "work_dir": str(self.work_dir),
            "train": {"path": str(self.train.path), "sha256": self.train.sha256},
            "holdout": {"path": str(self.holdout.path), "sha256": self.holdout.sha256},
            "recipe": self.recipe.to_dict(),
            "base": {"path": str(self.base)} if self.base else None,
            "compare_with": {"path": str(self.compare_with)} if self.compare_with else None,
            "seed": self.seed,
            "threads": self.threads,
            "watch_parent": self.watch_parent,
            "renames": dict(self.renames),
            "reference_accuracy": self.reference_accuracy,
            "older": (
                {"path": str(self.older.path), "sha256": self.older.sha256} if self.older else None
            ),
            "hard_rows": self.hard_rows,
            "measures": self.measures.to_dict(),
        }


def frame_file(values: dict[str, Any]) -> FrameFile:
    """The inverse of a frame file's part of `to_dict`."""
    return FrameFile(Path(values["path"]), str(values["sha256"]))


def _directory(values: dict[str, Any] | None) -> Path | None:
    return None if values is None else Path(values["path"])
