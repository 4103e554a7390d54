"""The cells of the matrix, process by process, in the order in which the work goes on."""

from collections.abc import Iterator

from support.crashes.faults import Edge, Fault, Kind
from support.crashes.matrix import Cell

KILL, STOP, FULL, LOST = Kind.KILL, Kind.STOP, Kind.DISK_FULL, Kind.CONNECTION_LOST
FORWARD, BACK = Kind.CLOCK_FORWARD, Kind.CLOCK_BACK
BEFORE, AFTER = Edge.BEFORE, Edge.AFTER
BEFORE_COMMIT, AFTER_COMMIT = Edge.BEFORE_COMMIT, Edge.AFTER_COMMIT

Step = tuple[str, Edge, str, tuple[Kind, ...]]
Nth = dict[str, int]

EXECUTION, RETRAIN = "bailiwick.lifecycle.execution", "bailiwick.lifecycle.retrain"
TRAINING = "bailiwick.lifecycle.training_jobs"
STORE = "bailiwick.blobs.store:BlobStore"

ANSWERING: list[Step] = [
    (
        "answers an alert, job not committed",
        BEFORE_COMMIT,
        "bailiwick.worker.ticks:start_due",
        (KILL, FULL, LOST),
    ),
    (
        "answered an alert, job committed",
        AFTER_COMMIT,
        "bailiwick.worker.ticks:start_due",
        (KILL, LOST),
    ),
]
RETRAINING: list[Step] = [
    ("claims the job, not committed", BEFORE_COMMIT, f"{EXECUTION}:claim", (KILL, LOST)),
    ("claimed the job", AFTER_COMMIT, f"{EXECUTION}:claim", (KILL, LOST)),
    ("keeps the gathered rows", BEFORE, f"{STORE}._keep", (KILL, FULL)),
    (
        "registers the rows, not committed",
        BEFORE_COMMIT,
        f"{RETRAIN}:_register",
        (KILL, FULL, LOST),
    ),
    ("registered the rows", AFTER_COMMIT, f"{RETRAIN}:_register", (KILL, LOST)),
    ("plans the training", BEFORE_COMMIT, f"{TRAINING}:plan_training", (KILL,)),
    (
        "renews its lease while the training runs",
        BEFORE,
        f"{EXECUTION}:heartbeat",
        (KILL, STOP, LOST, FORWARD, BACK),
    ),
    ("training has ended", AFTER, f"{TRAINING}:run_child", (KILL, STOP, LOST, FORWARD)),
    ("keeps the weights", BEFORE, f"{STORE}.put_file", (FULL,)),
    ("registers the version, run and edges", AFTER, f"{TRAINING}:_register", (KILL, LOST)),
    ("judges the version", AFTER, f"{TRAINING}:_evaluate", (KILL,)),
    ("promotes the version", AFTER, f"{TRAINING}:promote", (KILL, LOST)),
    ("ends the job, not committed", BEFORE_COMMIT, f"{TRAINING}:succeed", (KILL, FULL, LOST)),
    ("ended the job", AFTER_COMMIT, f"{TRAINING}:succeed", (KILL, LOST)),
    ("tidies up", BEFORE, f"{EXECUTION}:tidy", (KILL, STOP)),
]


def _of(process: str, world: str, steps: list[Step]) -> Iterator[Cell]:
    for step, edge, place, kinds in steps:
        for kind in kinds:
            yield Cell(process, step, Fault(kind, edge, place), world)


CELLS = [
    *_of("scheduler", "alert", ANSWERING),
    *_of("worker, retraining", "alert", RETRAINING),
]
