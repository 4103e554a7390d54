"""The cells in which a disk really fills up, under all that an installation has.

Home, job folders, blobs, log and database lie on one small disk (on PostgreSQL the database's
tables do). The fault fills it, so whatever the process writes from that step on fails as the
kernel fails it, until the process has come to its end; then somebody makes room.
"""

from support.crashes.faults import Edge, Kind
from support.crashes.matrix import STARTS
from support.crashes.steps import (
    CHECKS,
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
    STORE,
    TICKS,
    TRAINING,
    UPLOADS,
    WATCH,
    Step,
)

FILLED, NEARLY = Kind.FILLED, Kind.NEARLY
BEFORE, AFTER = Edge.BEFORE, Edge.AFTER
UNCOMMITTED, COMMITTED = Edge.BEFORE_COMMIT, Edge.AFTER_COMMIT
BOTH = (FILLED, NEARLY)
OPENS = "support.crashes.installations:open_platform"

API: dict[str, list[Step]] = {
    "promotes a version": [
        ("promotes a version", UNCOMMITTED, f"{LIFE}.promotion:promote", (FILLED,)),
    ],
    "orders a training": [("orders a training", UNCOMMITTED, f"{ROUTES}:keep", (FILLED,))],
    "uploads a dataset": [
        ("makes room for a file", BEFORE, f"{UPLOADS}:tempfile.TemporaryDirectory", BOTH),
        ("takes a file apart", BEFORE, "bailiwick.lineage.rows:_sort", BOTH),
        ("keeps a file", BEFORE, f"{STORE}._keep", (FILLED,)),
        ("registers a file", UNCOMMITTED, f"{UPLOADS}:bring_in", BOTH),
    ],
    "sends records": [
        ("stores records", UNCOMMITTED, "bailiwick.api.intake:take", BOTH),
    ],
    "sends many records": [
        ("stores many records", BEFORE, "bailiwick.api.intake:take", BOTH),
    ],
}
SCHEDULER: dict[str, list[Step]] = {
    "alert": [("answers an alert", UNCOMMITTED, f"{TICKS}:start_due", (FILLED,))],
    "schedule": [("fires a schedule", UNCOMMITTED, f"{TICKS}:fire_due", (FILLED,))],
    "traffic": [
        ("watches traffic", UNCOMMITTED, f"{LIFE}.watching:advance", BOTH),
        ("counts labels", UNCOMMITTED, f"{LIFE}.label_watching:advance", (FILLED,)),
    ],
    "rollout": [("takes a rollout on", UNCOMMITTED, f"{ROLLING}:judge_one", BOTH)],
    "breach": [
        ("rolls back", UNCOMMITTED, f"{ROLLING}:note_rollback", (FILLED,)),
        ("takes a message", UNCOMMITTED, f"{SENDING}:claim", (FILLED,)),
        ("sent a message", AFTER, f"{SENDING}:_tried", BOTH),
    ],
    "policy": [("stops what is out of policy", UNCOMMITTED, f"{TICKS}:stop_due", (FILLED,))],
    "log": [
        ("signs the log", UNCOMMITTED, f"{LOG}:sequence", BOTH),
        ("keeps the checkpoint", BEFORE, f"{KEEPSAKE}:_write", (FILLED,)),
    ],
    "records": [
        ("writes a segment", BEFORE, f"{MOVING}:write_segment", BOTH),
        ("keeps a segment", BEFORE, f"{STORE}.put_file", BOTH),
        ("moves records", UNCOMMITTED, f"{MOVING}:_move", (FILLED,)),
    ],
    "retention": [
        ("drops a segment", UNCOMMITTED, f"{WATCH}.keeping.retention:_drop", (FILLED,)),
    ],
    "waivers": [("ends a waiver", UNCOMMITTED, f"{TICKS}:end_expired_waivers", (FILLED,))],
}
RETRAINING: list[Step] = [
    (STARTS, BEFORE, OPENS, BOTH),
    ("takes the job", UNCOMMITTED, f"{EXECUTION}:claim", (FILLED,)),
    ("took the job", COMMITTED, f"{EXECUTION}:claim", BOTH),
    ("keeps the gathered rows", BEFORE, f"{STORE}.put_file", BOTH),
    ("registers the rows", UNCOMMITTED, f"{RETRAIN}:_register", (FILLED,)),
    ("starts the training", BEFORE, f"{TRAINING}:run_child", BOTH),
    ("renews its lease", BEFORE, f"{EXECUTION}:heartbeat", (FILLED,)),
    ("has trained", AFTER, f"{TRAINING}:run_child", BOTH),
    ("registers the version", AFTER, f"{TRAINING}:_register", (FILLED,)),
    ("ends the job", UNCOMMITTED, f"{TRAINING}:succeed", BOTH),
]
CHECK: list[Step] = [
    ("has measured", AFTER, f"{CHECKS}:run_child", (FILLED,)),
    ("ends the job", UNCOMMITTED, f"{CHECKS}:succeed", (FILLED,)),
]
BACKTEST: list[Step] = [
    ("renews its lease", BEFORE, f"{EXECUTION}:heartbeat", (FILLED,)),
    ("keeps the result", BEFORE, f"{STORE}.put_bytes", (FILLED,)),
    ("ends the job", UNCOMMITTED, f"{REPLAYS}:_record", (FILLED,)),
]
TRAINER: list[Step] = [
    ("starts to train", BEFORE, f"{RUN}:run", (FILLED,)),
    ("writes the weights", BEFORE, f"{RUN}:write_artifact", BOTH),
    ("wrote the weights", AFTER, f"{RUN}:write_artifact", (FILLED,)),
    ("writes the outcome", BEFORE, f"{RUN}:write_outcome", (FILLED,)),
]
