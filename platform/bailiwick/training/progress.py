"""What a training process says while it works: one JSON object a line on standard output."""

import json
import sys
from collections.abc import Callable
from typing import Literal

Stage = Literal["tokenizer", "encode", "pretrain", "train", "evaluate"]
# Called with stage, step, steps, and the measures known by then (loss, accuracy).
Progress = Callable[[Stage, int, int, dict[str, float]], None]


def print_progress(stage: Stage, step: int, steps: int, measures: dict[str, float]) -> None:
    """Print one line of progress."""
    print_line({"stage": stage, "step": step, "steps": steps, **measures})


def print_line(value: dict[str, object]) -> None:
    """Print one JSON object and flush, so that whoever reads the pipe sees it now."""
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()
