"""What monitoring's job processes have in common: a spec comes in, an outcome or an error goes out.

Each is `python -m MODULE SPEC.json`: it writes `outcome.json` into the spec's `work_dir`, whole or
not at all, or exits with 2 and `{"error": {"code", "message"}}` as the last line of its output.
"""

import json
import os
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

from bailiwick.core.errors import BailiwickError, Invalid, Unavailable

_EXIT_ERROR = 2
_STDIN = 0


class Spec(Protocol):
    """What every spec says."""

    @property
    def watch_parent(self) -> bool:
        """Whether the process ends with whoever started it, which keeps its input open."""


Given = TypeVar("Given", bound=Spec)


def carry_out(
    arguments: Sequence[str], read: Callable[[Path], Given], run: Callable[[Given], object]
) -> int:
    """The exit status of a process that reads its spec and runs."""
    try:
        if len(arguments) != 1:
            raise Invalid("Give the path of one SPEC.json.")
        spec = read(Path(arguments[0]))
        if spec.watch_parent:
            threading.Thread(target=_end_with_parent, daemon=True).start()
        run(spec)
    except BailiwickError as error:
        return _failed(error.code, error.message)
    except OSError as error:
        return _failed(Unavailable.code, f"The outcome could not be stored: {error.strerror}.")
    return 0


def write_outcome(work_dir: Path, outcome: dict[str, Any]) -> None:
    """Write `outcome.json`, whole or not at all."""
    part = work_dir / "outcome.json.part"
    part.write_text(json.dumps(outcome, allow_nan=False), encoding="utf-8")
    part.replace(work_dir / "outcome.json")


def _end_with_parent() -> None:
    """Leave when standard input ends: whoever started this process is gone."""
    # Unbuffered: a thread inside sys.stdin would hold its lock while the interpreter shuts down.
    while os.read(_STDIN, 1024):
        pass
    os._exit(_EXIT_ERROR)


def _failed(code: str, message: str) -> int:
    sys.stdout.write(json.dumps({"error": {"code": code, "message": message}}) + "\n")
    return _EXIT_ERROR
