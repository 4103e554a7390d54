"""Watching deployed models: the inference log, windows of it, checks, alerts."""

from bailiwick.monitoring.alert_life import AlertState, Move, acknowledge, close
from bailiwick.monitoring.alerts import (
    Signal,
    alert_resource,
    evaluate,
    policy_alerts,
    signal,
    silenced,
    standing_alerts,
    tell_owner,
    unresolved,
)
from bailiwick.monitoring.findings import Finding, judge
from bailiwick.monitoring.inference_log import (
    Accepted,
    Inference,
    Outcome,
    log_feedback,
    log_inferences,
)
from bailiwick.monitoring.monitors import (
    add_baseline,
    baseline_of,
    create_monitor,
    monitor_resource,
    update_monitor,
)
from bailiwick.monitoring.tables import (
    Alert,
    AlertEvent,
    Baseline,
    CheckResult,
    Feedback,
    InferenceRecord,
    Monitor,
)
from bailiwick.monitoring.windows import (
    Period,
    WindowRow,
    accuracy_between,
    read_window,
    window_digest,
    write_descriptors,
)

__all__ = [
    "Accepted",
    "Alert",
    "AlertEvent",
    "AlertState",
    "Baseline",
    "CheckResult",
    "Feedback",
    "Finding",
    "Inference",
    "InferenceRecord",
    "Monitor",
    "Move",
    "Outcome",
    "Period",
    "Signal",
    "WindowRow",
    "accuracy_between",
    "acknowledge",
    "add_baseline",
    "alert_resource",
    "baseline_of",
    "close",
    "create_monitor",
    "evaluate",
    "judge",
    "log_feedback",
    "log_inferences",
    "monitor_resource",
    "policy_alerts",
    "read_window",
    "signal",
    "silenced",
    "standing_alerts",
    "tell_owner",
    "unresolved",
    "update_monitor",
    "window_digest",
    "write_descriptors",
]
