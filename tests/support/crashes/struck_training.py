"""The training process, struck by the faults that its job file holds."""

import base64
import json
import pickle
import sys
from pathlib import Path

from bailiwick.training import run
from support.crashes.faults import ARMED, arm


def main(arguments: list[str]) -> int:
    """Arm the faults, then train as ever."""
    armed = json.loads(Path(arguments[0]).read_bytes())[ARMED]
    arm(pickle.loads(base64.b64decode(armed)))  # noqa: S301 - written by the test that started us
    return run.main(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
