"""The training job: `python -m bailiwick.training.run SPEC.json`.

A process of its own that needs no database and no network. It prints progress as JSON lines,
writes `artifact/`, `reference.parquet` and, last, `outcome.json` into its work folder. Exit
code 0: done. 2: the input cannot be used, or the disk is full. 1: a fault of ours. 3: the parent
is gone. With 1 and 2 the last line on standard output is `{"error": {"code", "message"}}`.
"""

import errno
import os
import sys
import threading
import time
import traceback
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bailiwick.core.disks import is_full
from bailiwick.core.errors import BailiwickError, Invalid
from bailiwick.serving.artifact import Artifact, read_artifact
from bailiwick.serving.classification import Classification
from bailiwick.serving.engine import Engine
from bailiwick.training.choosing import Bar, Chosen, chosen_among, right_of
from bailiwick.training.classifier import train_classifier
from bailiwick.training.data import Frame, TooFewRows, newest_tenth, read_frame
from bailiwick.training.evaluation import (
    Evaluation,
    evaluate,
    label_counts,
    majority_accuracy,
    paired,
)
from bailiwick.training.export import manifest, write_artifact, write_outcome, write_reference
from bailiwick.training.hard import with_hard
from bailiwick.training.head_classifier import train_head
from bailiwick.training.imprint import train_imprint
from bailiwick.training.measures import Bench, Pair, Withheld, measured, withhold
from bailiwick.training.network import parameter_count
from bailiwick.training.parallel import joined_by_environment
from bailiwick.training.progress import Progress, print_line, print_progress
from bailiwick.training.recipes import (
    HeadRecipe,
    ImprintRecipe,
    Recipe,
    SmallClassifierRecipe,
)
from bailiwick.training.rungs import CheapFirst
from bailiwick.training.spec import TrainingSpec
from bailiwick.training.threads import keep_freed_memory, use_threads
from bailiwick.training.trained import Trained

_INPUT_FAULT, _OUR_FAULT, _ORPHANED = 2, 1, 3


def main(arguments: list[str]) -> int:
    """Run the job file named by the one argument; returns the exit code."""
    try:
        spec = _spec(arguments)
        if spec.watch_parent:
            threading.Thread(target=_end_with_parent, name="parent-watch", daemon=True).start()
        use_threads(spec.threads)
        keep_freed_memory()
        with joined_by_environment() as together:
            if together.leads:
                run(spec, print_progress)
            else:
                follow(spec)
    except BailiwickError as error:
        return _failed(_INPUT_FAULT, error.code, error.message)
    except Exception as error:  # noqa: BLE001 - the parent must hear of anything
        if is_full(error) or (isinstance(error, OSError) and error.errno == errno.EFBIG):
            return _failed(
                _INPUT_FAULT,
                "disk-full",
                "There is no room left to write the model: free some disk space.",
            )
        # Frames without the error's own message: that may quote a text.
        sys.stderr.writelines(traceback.format_tb(error.__traceback__))
        kind = type(error).__name__
        sys.stderr.write(f"{kind}\n")
        return _failed(_OUR_FAULT, "internal", f"Training failed ({kind}). Its log shows where.")
    return 0


def run(spec: TrainingSpec, progress: Progress) -> dict[str, Any]:
    """Train, write, judge; returns the outcome, which is also written. Raises `Invalid` kinds."""
    started = time.perf_counter()
    holdout = read_frame(spec.holdout)
    if not len(holdout):
        raise TooFewRows("There are no held-out rows to judge by. Widen their time range.")
    ground = _ground(spec)
    train, champion = ground.train, ground.champion
    chosen = _chosen(spec, ground, progress)
    trained = chosen.trained
    directory = spec.work_dir / "artifact"
    write_artifact(trained, chosen.recipe, seed=spec.seed, directory=directory)
    progress("evaluate", 0, 1, {})
    # Judged by the code that will serve it, from the files that were written.
    candidate, files = Engine.load(directory), manifest(directory)
    answers, evaluation = _judge(candidate, holdout)
    theirs, their_evaluation = _judge(champion, holdout) if champion else ([], None)
    write_reference(spec.work_dir / "reference.parquet", holdout, answers)
    labels = [answer.label for answer in answers]
    bench = Bench(
        pair=Pair(candidate, champion),
        train=train,
        holdout=holdout,
        wanted=spec.measures,
        withheld=ground.withheld,
        manifest=files,
        champion_bytes=_bytes_of(spec.compare_with),
        train_again=lambda: _made_again(spec, chosen.recipe, ground),
        seed=spec.seed,
    )
    outcome = {
        "recipe": chosen.recipe.to_dict(),
        "recipes_tried": chosen.tried(),
        "parameters": parameter_count(trained.network),
        "files": files,
        "labels": list(trained.labels),
        "metrics": {
            **trained.metrics,
            "per_label": {
                label: asdict(counts)
                for label, counts in label_counts(labels, holdout.labels).items()
            },
        },
        "holdout": evaluation.to_dict(),
        "champion": their_evaluation.to_dict() if their_evaluation else None,
        "paired": (
            asdict(paired(labels, [answer.label for answer in theirs], holdout.labels))
            if champion
            else None
        ),
        "majority_accuracy": majority_accuracy(train.labels, holdout.labels),
        "seconds": round(time.perf_counter() - started, 3),
        "training_rows": len(train),
        "hard_rows": ground.hard_rows,
        "training_rows_per_second": round(trained.rows_per_second, 1),
        "losses": [round(loss, 6) for loss in trained.losses],
        "measured": measured(bench),
    }
    write_outcome(spec.work_dir / "outcome.json", outcome)
    progress("evaluate", 1, 1, {"accuracy": round(evaluation.accuracy, 4)})
    return outcome


def follow(spec: TrainingSpec) -> None:
    """Train along with the process that leads the team, which judges and writes."""
    ground = _ground(spec)
    chosen = _chosen(spec, ground, lambda *_: None)
    if spec.measures.reproduce:
        _trained(ground, chosen.recipe, spec.seed, lambda *_: None)


@dataclass(frozen=True, slots=True)
class _Ground:
    """What is learned from: rows, of which some may be withheld, and models that there are."""

    train: Frame
    base: Artifact | None
    champion: Engine | None
    withheld: Withheld | None
    hard_rows: int


def _ground(spec: TrainingSpec) -> _Ground:
    base = read_artifact(spec.base) if spec.base else None
    champion = Engine.load(spec.compare_with).renamed(spec.renames) if spec.compare_with else None
    train, hard_rows = with_hard(read_frame(spec.train), spec, champion)
    withheld = withhold(train, seed=spec.seed) if spec.measures.membership else None
    return _Ground(withheld.learned if withheld else train, base, champion, withheld, hard_rows)


def _chosen(spec: TrainingSpec, ground: _Ground, progress: Progress) -> Chosen:
    """What the recipe makes, or the one of several that is enough or best."""

    def by(recipe: Recipe) -> Trained:
        return _trained(ground, recipe, spec.seed, progress)

    if not isinstance(spec.recipe, CheapFirst):
        return Chosen(spec.recipe, by(spec.recipe), ())
    bar = Bar()
    if (champion := ground.champion) is not None:
        _, newest = newest_tenth(ground.train)
        best = champion.probabilities(newest.texts).argmax(axis=1)
        answers = [champion.labels[place] for place in best]
        bar = Bar(spec.reference_accuracy, right_of(answers, newest.labels))
    return chosen_among(spec.recipe, by, bar)


def _trained(ground: _Ground, recipe: Recipe, seed: int, progress: Progress) -> Trained:
    train, base = ground.train, ground.base
    match recipe:
        case HeadRecipe():
            return train_head(train, recipe, base=base, seed=seed, progress=progress)
        case ImprintRecipe():
            return train_imprint(train, recipe, base=base, progress=progress)
        case SmallClassifierRecipe():
            return train_classifier(train, recipe, base=base, seed=seed, progress=progress)


def _made_again(spec: TrainingSpec, recipe: Recipe, ground: _Ground) -> list[dict[str, Any]]:
    """The manifest of a second training with the same seed; its files are not kept."""
    with TemporaryDirectory(dir=spec.work_dir) as folder:
        directory = Path(folder)
        again = _trained(ground, recipe, spec.seed, lambda *_: None)
        write_artifact(again, recipe, seed=spec.seed, directory=directory)
        return manifest(directory)


def _bytes_of(directory: Path | None) -> int | None:
    if directory is None:
        return None
    return sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())


def _spec(arguments: list[str]) -> TrainingSpec:
    if len(arguments) != 1:
        raise Invalid("Give one job file: python -m bailiwick.training.run SPEC.json")
    return TrainingSpec.read(Path(arguments[0]))


def _judge(engine: Engine, holdout: Frame) -> tuple[list[Classification], Evaluation]:
    probabilities = engine.probabilities(holdout.texts)
    answers = engine.answers(holdout.texts, probabilities)
    return answers, evaluate(probabilities, engine.labels, holdout.labels)


def _end_with_parent() -> None:
    """End this process, at once, when standard input does: its writer is gone."""
    while os.read(sys.stdin.fileno(), 4096):
        pass
    os._exit(_ORPHANED)


def _failed(exit_code: int, code: str, message: str) -> int:
    print_line({"error": {"code": code, "message": message}})
    return exit_code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
