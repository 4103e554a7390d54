"""Watching deployed models: the inference log, windows of it, checks, alerts."""

from bailiwick.monitoring.alerts import (
    AlertState,
    acknowledge,
    alert_resource,
    close,
    evaluate,
    policy_alerts,
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
    "AlertState",
    "Baseline",
    "CheckResult",
    "Feedback",
    "Finding",
    "Inference",
    "InferenceRecord",
    "Monitor",
    "Outcome",
    "Period",
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
    "tell_owner",
    "unresolved",
    "update_monitor",
    "window_digest",
    "write_descriptors",
]
