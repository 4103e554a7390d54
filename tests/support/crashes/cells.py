"""The cells of the matrix, process by process, in the order in which the work goes on."""

from collections.abc import Iterable, Iterator
from typing import Any

from support.crashes import full_disks
from support.crashes.children import Children
from support.crashes.faults import Edge, Fault, Kind
from support.crashes.matrix import Cell, Ends
from support.crashes.steps import (
    CHECKS,
    COMPARED,
    EXECUTION,
    KEEPSAKE,
    LIFE,
    LOG,
    MOVING,
    REPLAYS,
    RETRAIN,
    ROLLING,
    ROUTES,
    RUN,
    SENDING,
    SERVED,
    STORE,
    TICKS,
    TRAINING,
    UPLOADS,
    WATCH,
    Step,
)

KILL, RIVAL = Kind.KILL, Kind.RIVAL
STOP, OVERTAKEN = Kind.STOP, Kind.OVERTAKEN
FULL, LOST = Kind.FULL, Kind.LOST
FORWARD, BACK = Kind.FORWARD, Kind.BACK
ANYTHING = (KILL, STOP, OVERTAKEN, RIVAL, LOST, FORWARD, BACK)
BEFORE, AFTER = Edge.BEFORE, Edge.AFTER
UNCOMMITTED, COMMITTED = Edge.BEFORE_COMMIT, Edge.AFTER_COMMIT

ALERT: list[Step] = [
    ("answers an alert", UNCOMMITTED, f"{TICKS}:start_due", (KILL, FULL, LOST, RIVAL)),
    ("answered an alert", COMMITTED, f"{TICKS}:start_due", (KILL, LOST)),
]
SCHEDULE: list[Step] = [
    ("looks what is due", BEFORE, f"{TICKS}:fire_due", (RIVAL, FORWARD, BACK)),
    ("fires a schedule", UNCOMMITTED, f"{TICKS}:fire_due", (KILL, FULL, LOST, RIVAL)),
    ("fired a schedule", COMMITTED, f"{TICKS}:fire_due", (KILL, LOST)),
]
TRAFFIC: list[Step] = [
    ("watches traffic", UNCOMMITTED, f"{LIFE}.watching:advance", (KILL, LOST)),
    ("goes to watch traffic", BEFORE, f"{TICKS}:watch_all", (RIVAL,)),
    ("watched traffic", COMMITTED, f"{LIFE}.watching:advance", (KILL,)),
    ("counts labels", UNCOMMITTED, f"{LIFE}.label_watching:advance", (KILL, LOST)),
    ("counted labels", COMMITTED, f"{LIFE}.label_watching:advance", (KILL, LOST)),
]
ROLLOUT: list[Step] = [
    ("goes to judge a rollout", BEFORE, f"{ROLLING}:judge_one", (RIVAL, STOP, FORWARD, BACK)),
    ("moves the champion", AFTER, f"{ROLLING}:promote", (KILL, LOST)),
    ("takes a rollout on", UNCOMMITTED, f"{ROLLING}:judge_one", (KILL, FULL, LOST)),
    ("took a rollout on", COMMITTED, f"{ROLLING}:judge_one", (KILL, LOST)),
]
BREACH: list[Step] = [
    ("rolls back", UNCOMMITTED, f"{ROLLING}:note_rollback", (KILL, LOST)),
    ("rolled back", COMMITTED, f"{ROLLING}:note_rollback", (KILL,)),
]
POLICY: list[Step] = [
    ("stops what is out of policy", UNCOMMITTED, f"{TICKS}:stop_due", (KILL, LOST, RIVAL)),
    ("stopped what is out of policy", COMMITTED, f"{TICKS}:stop_due", (KILL, LOST)),
]
SEQUENCE: list[Step] = [
    ("signs the log", UNCOMMITTED, f"{LOG}:sequence", (KILL, FULL, LOST, RIVAL)),
    ("signed the log", COMMITTED, f"{LOG}:sequence", (KILL, LOST)),
    ("keeps the checkpoint", BEFORE, f"{KEEPSAKE}:os.fsync", (KILL, FULL)),
]
ARCHIVE: list[Step] = [
    ("writes a segment", BEFORE, f"{MOVING}:write_segment", (KILL, FULL)),
    ("keeps a segment", BEFORE, f"{STORE}._keep", (KILL, FULL)),
    ("kept a segment", AFTER, f"{MOVING}:check_segment", (KILL, STOP, RIVAL)),
    ("moves records", UNCOMMITTED, f"{MOVING}:_move", (KILL, FULL, LOST)),
    ("moved records", COMMITTED, f"{MOVING}:_move", (KILL, LOST)),
]
RETENTION: list[Step] = [
    ("drops a segment", UNCOMMITTED, f"{WATCH}.keeping.retention:_drop", (KILL, LOST)),
    ("dropped a segment", COMMITTED, f"{WATCH}.keeping.retention:_drop", (KILL, LOST)),
    ("removed a segment's file", AFTER, f"{STORE}.remove", (KILL, LOST)),
]
WAIVERS: list[Step] = [
    ("ends a waiver", UNCOMMITTED, f"{TICKS}:end_expired_waivers", (KILL, LOST, RIVAL)),
    ("ended a waiver", COMMITTED, f"{TICKS}:end_expired_waivers", (KILL, LOST)),
]
OUTBOX: list[Step] = [
    ("takes a message", UNCOMMITTED, f"{SENDING}:claim", (KILL, LOST)),
    ("took a message", COMMITTED, f"{SENDING}:claim", (KILL, LOST)),
    ("sent a message", AFTER, f"{SENDING}:_tried", (KILL, LOST, STOP, OVERTAKEN, RIVAL)),
    ("marks a message", UNCOMMITTED, f"{SENDING}:mark", (KILL, FULL)),
    ("marked a message", COMMITTED, f"{SENDING}:mark", (KILL, LOST)),
]
RETRAINING: list[Step] = [
    ("takes the job", UNCOMMITTED, f"{EXECUTION}:claim", (KILL, LOST, RIVAL)),
    ("took the job", COMMITTED, f"{EXECUTION}:claim", (KILL, LOST, FORWARD, BACK)),
    ("keeps the gathered rows", BEFORE, f"{STORE}._keep", (KILL, FULL)),
    ("registers the rows", UNCOMMITTED, f"{RETRAIN}:_register", (KILL, FULL, LOST)),
    ("registered the rows", COMMITTED, f"{RETRAIN}:_register", (KILL, LOST)),
    ("plans the training", UNCOMMITTED, f"{TRAINING}:plan_training", (KILL,)),
    (
        "renews its lease",
        BEFORE,
        f"{EXECUTION}:heartbeat",
        (STOP, OVERTAKEN, RIVAL, LOST, FORWARD, BACK),
    ),
    (
        "has trained",
        AFTER,
        f"{TRAINING}:run_child",
        (KILL, STOP, OVERTAKEN, RIVAL, LOST, FORWARD, BACK),
    ),
    ("keeps the weights", AFTER, f"{TRAINING}:run_child", (FULL,)),
    ("registers the version", AFTER, f"{TRAINING}:_register", (KILL, LOST)),
    ("judges the version", AFTER, f"{TRAINING}:_evaluate", (KILL,)),
    ("promotes the version", AFTER, f"{TRAINING}:promote", (KILL, LOST)),
    ("ends the job", UNCOMMITTED, f"{TRAINING}:succeed", (KILL, FULL, LOST)),
    ("ended the job", COMMITTED, f"{TRAINING}:succeed", (KILL, LOST)),
    ("tidies up", BEFORE, f"{EXECUTION}:tidy", (KILL, STOP)),
]
CHECK: list[Step] = [
    ("has measured", AFTER, f"{CHECKS}:run_child", (KILL, STOP, OVERTAKEN)),
    ("raises an alert", AFTER, f"{CHECKS}:evaluate", (KILL, LOST)),
    ("ends the job", UNCOMMITTED, f"{CHECKS}:succeed", (KILL, FULL)),
    ("ended the job", COMMITTED, f"{CHECKS}:succeed", (KILL, LOST)),
]
BACKTEST: list[Step] = [
    ("took the job", COMMITTED, f"{EXECUTION}:claim", (KILL,)),
    ("renews its lease", BEFORE, f"{EXECUTION}:heartbeat", (KILL, LOST, FORWARD, BACK)),
    ("has replayed", AFTER, f"{REPLAYS}:replay_beside", (KILL, LOST, STOP, RIVAL)),
    ("keeps the result", BEFORE, f"{STORE}._keep", (KILL, FULL)),
    ("ends the job", UNCOMMITTED, f"{REPLAYS}:_record", (KILL, FULL, LOST)),
    ("ended the job", COMMITTED, f"{REPLAYS}:_record", (KILL, LOST)),
]
TRAINER: list[Step] = [
    ("writes the weights", BEFORE, f"{RUN}:write_artifact", (KILL, FULL)),
    ("wrote the weights", AFTER, f"{RUN}:write_artifact", (KILL,)),
    ("writes the outcome", BEFORE, "bailiwick.training.export:os.fsync", (KILL, FULL)),
    ("wrote the outcome", AFTER, f"{RUN}:write_outcome", (KILL,)),
]
PROMOTION: list[Step] = [
    ("promotes a version", UNCOMMITTED, f"{LIFE}.promotion:promote", (KILL, FULL, LOST)),
    ("promoted a version", COMMITTED, f"{LIFE}.promotion:promote", (KILL, LOST)),
]
REGISTRATION: list[Step] = [
    ("registers a model", UNCOMMITTED, f"{ROUTES}:keep", (KILL, LOST)),
    ("registered a model", COMMITTED, f"{ROUTES}:keep", (KILL, LOST)),
]
ORDER: list[Step] = [
    ("orders a training", UNCOMMITTED, f"{ROUTES}:keep", (KILL, FULL)),
    ("ordered a training", COMMITTED, f"{ROUTES}:keep", (KILL, LOST)),
]
CANCELLATION: list[Step] = [
    ("cancels a job", UNCOMMITTED, f"{ROUTES}:keep", (KILL,)),
    ("cancelled a job", COMMITTED, f"{ROUTES}:keep", (KILL, LOST)),
]
UPLOAD: list[Step] = [
    ("makes room for a file", BEFORE, f"{UPLOADS}:tempfile.TemporaryDirectory", (FULL,)),
    ("takes a file apart", BEFORE, "bailiwick.lineage.rows:_sort", (KILL, FULL)),
    ("keeps a file", BEFORE, f"{STORE}._keep", (KILL, FULL)),
    ("registers a file", UNCOMMITTED, f"{UPLOADS}:bring_in", (KILL, LOST)),
    ("registered a file", COMMITTED, f"{UPLOADS}:bring_in", (KILL, LOST)),
]
RECORDS: list[Step] = [
    ("stores records", UNCOMMITTED, "bailiwick.api.intake:take", (KILL, LOST)),
    ("stored records", COMMITTED, "bailiwick.api.intake:take", (KILL, LOST)),
]
NEW_LABELS: list[Step] = [
    ("asks a strategy", UNCOMMITTED, f"{TICKS}:start_due", (KILL, FULL, LOST, RIVAL)),
    ("asked a strategy", COMMITTED, f"{TICKS}:start_due", (KILL, LOST)),
]
ELSEWHERE: list[Step] = [
    ("warns of a wrong version", UNCOMMITTED, f"{SERVED}:check_elsewhere", (KILL, FULL, LOST)),
    ("goes to look what is served", BEFORE, f"{SERVED}:check_elsewhere", (RIVAL, STOP)),
    ("warned of a wrong version", COMMITTED, f"{SERVED}:check_elsewhere", (KILL, LOST)),
]
FORGETTING: list[Step] = [
    ("forgets a rollout's requests", UNCOMMITTED, f"{TICKS}:forget_records", (KILL, LOST, RIVAL)),
    ("forgot a rollout's requests", COMMITTED, f"{TICKS}:forget_records", (KILL, LOST)),
]
REJECTED: list[Step] = [
    ("forgets rejected records", UNCOMMITTED, f"{TICKS}:forget_rejected", (KILL, LOST, RIVAL)),
    ("forgot rejected records", COMMITTED, f"{TICKS}:forget_rejected", (KILL, LOST)),
]
SEALING: list[Step] = [
    ("seals texts", UNCOMMITTED, f"{TICKS}:seal_plain_texts", (KILL, FULL, LOST, RIVAL)),
    ("sealed texts", COMMITTED, f"{TICKS}:seal_plain_texts", (KILL, LOST)),
]
LATE_LABELS: list[Step] = [
    ("counts late labels", AFTER, f"{MOVING}:_tally", (KILL, LOST, RIVAL, STOP)),
    ("counted late labels", COMMITTED, f"{MOVING}:_tally", (KILL, LOST)),
]
SUMMARIES: list[Step] = [
    ("drops summaries", UNCOMMITTED, f"{TICKS}:drop_summaries", (KILL, LOST, RIVAL)),
    ("dropped summaries", COMMITTED, f"{TICKS}:drop_summaries", (KILL, LOST)),
]
LEFTOVERS: list[Step] = [
    ("clears leftovers", BEFORE, f"{LIFE}.leftovers:_remove", (KILL, RIVAL, STOP)),
    ("cleared one", AFTER, f"{LIFE}.leftovers:_remove", (KILL, LOST, RIVAL)),
]
TRIAL: list[Step] = [
    ("took the job", COMMITTED, f"{EXECUTION}:claim", (KILL,)),
    ("renews its lease", BEFORE, f"{EXECUTION}:heartbeat", (KILL, LOST, FORWARD, BACK)),
    ("has tried", AFTER, f"{LIFE}.trials:beside", (KILL, LOST, STOP, OVERTAKEN, RIVAL)),
    ("ends the job", UNCOMMITTED, f"{LIFE}.trials:_record", (KILL, FULL, LOST)),
    ("ended the job", COMMITTED, f"{LIFE}.trials:_record", (KILL, LOST)),
]
COMPARISON: list[Step] = [
    ("writes the rows", BEFORE, f"{COMPARED}:write_rows", (KILL, FULL)),
    ("renews its lease", BEFORE, f"{EXECUTION}:heartbeat", (STOP, LOST, FORWARD, BACK)),
    ("has compared", AFTER, f"{COMPARED}:run_child", (KILL, LOST, STOP, OVERTAKEN, RIVAL)),
    ("ends the job", UNCOMMITTED, f"{COMPARED}:succeed", (KILL, FULL, LOST)),
    ("ended the job", COMMITTED, f"{COMPARED}:succeed", (KILL, LOST)),
]
SCHEDULER = {
    "alert": ALERT,
    "schedule": SCHEDULE,
    "traffic": TRAFFIC,
    "rollout": ROLLOUT,
    "breach": [*BREACH, *OUTBOX],
    "policy": POLICY,
    "log": SEQUENCE,
    "records": ARCHIVE,
    "retention": RETENTION,
    "waivers": WAIVERS,
    "trial": NEW_LABELS,
    "elsewhere": ELSEWHERE,
    "ended rollout": FORGETTING,
    "rejected": REJECTED,
    "plain texts": SEALING,
    "late labels": LATE_LABELS,
    "summaries": SUMMARIES,
    "leftovers": LEFTOVERS,
}
API = {
    "promotes a version": PROMOTION,
    "registers a model": REGISTRATION,
    "orders a training": ORDER,
    "cancels a job": CANCELLATION,
    "uploads a dataset": UPLOAD,
    "sends records": RECORDS,
}


def _of(process: str, world: str, steps: Iterable[Step], **more: Any) -> Iterator[Cell]:
    for step, edge, place, kinds in steps:
        unheard = (Kind.UNHEARD,) if edge is UNCOMMITTED and LOST in kinds else ()
        for kind in (*kinds, *unheard):
            yield Cell(process, step, Fault(kind, edge, place), world, **more)


def _endless() -> Cell:
    fault = Fault(KILL, BEFORE, f"{EXECUTION}:heartbeat")
    step = "renews its lease while a training goes on"
    return Cell("worker, retraining", step, fault, "alert", children=Children.ENDLESS)


def _hopeless() -> Cell:
    fault = Fault(KILL, BEFORE, f"{RUN}:write_artifact")
    step = "writes the weights, in each of three attempts"
    more: dict[str, Any] = {"children": Children.STRUCK, "times": 3, "ends": Ends.FAILED}
    return Cell("training process", step, fault, "training", **more)


def _on_full_disks() -> Iterator[Cell]:
    for process, worlds in (("API", full_disks.API), ("scheduler", full_disks.SCHEDULER)):
        for world, steps in worlds.items():
            yield from _of(f"{process}, full disk", world, steps)
    for work, world, steps in (
        ("retraining", "alert", full_disks.RETRAINING),
        ("check", "schedule", full_disks.CHECK),
        ("backtest", "backtest", full_disks.BACKTEST),
    ):
        yield from _of(f"worker, {work}, full disk", world, steps)
    struck = Children.STRUCK
    yield from _of("training process, full disk", "training", full_disks.TRAINER, children=struck)


CELLS = [
    *(cell for world, steps in API.items() for cell in _of("API", world, steps)),
    *(cell for world, steps in SCHEDULER.items() for cell in _of("scheduler", world, steps)),
    *_of("worker, retraining", "alert", RETRAINING),
    _endless(),
    *_of("worker, check", "schedule", CHECK),
    *_of("worker, backtest", "backtest", BACKTEST),
    *_of("worker, trial of a challenger", "trial", TRIAL),
    *_of("worker, comparison of traffic", "comparison", COMPARISON),
    *_of("training process", "training", TRAINER, children=Children.STRUCK),
    _hopeless(),
    *_on_full_disks(),
]
