"""The rules: classification labels, Cedar decisions and their record, approvals by others."""

from bailiwick.policy.approvals import (
    Subject,
    approval_resource,
    approvals_by_subject,
    count_approvals,
    decide_approval,
    request_approval,
)
from bailiwick.policy.classification import IncompatibleLabels, Label, Scheme
from bailiwick.policy.decisions import Actor, PolicyEngine, Resource, Verdict
from bailiwick.policy.enforcement import (
    AUDIT_LOG,
    PLATFORM,
    DeniedByPolicy,
    HiddenByPolicy,
    Rules,
    Unseen,
    actor_of,
    ask,
    load_actor,
    permit,
    record_denial,
    require,
    visible,
)
from bailiwick.policy.labels import as_label, intern_label, join_stored, load_label, raise_to
from bailiwick.policy.tables import ApprovalRequest, ApprovalVote, Decision, StoredLabel

__all__ = [
    "AUDIT_LOG",
    "PLATFORM",
    "Actor",
    "ApprovalRequest",
    "ApprovalVote",
    "Decision",
    "DeniedByPolicy",
    "HiddenByPolicy",
    "IncompatibleLabels",
    "Label",
    "PolicyEngine",
    "Resource",
    "Rules",
    "Scheme",
    "StoredLabel",
    "Subject",
    "Unseen",
    "Verdict",
    "actor_of",
    "approval_resource",
    "approvals_by_subject",
    "as_label",
    "ask",
    "count_approvals",
    "decide_approval",
    "intern_label",
    "join_stored",
    "load_actor",
    "load_label",
    "permit",
    "raise_to",
    "record_denial",
    "request_approval",
    "require",
    "visible",
]
