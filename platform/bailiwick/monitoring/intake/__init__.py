"""Intake: inference records and feedback come in, are screened, counted once and kept."""

from bailiwick.monitoring.intake.feedback import Outcome, Told, log_feedback
from bailiwick.monitoring.intake.log import Accepted, Inference, Taken, log_inferences, take
from bailiwick.monitoring.intake.pseudonyms import Pseudonyms, load_or_create_key
from bailiwick.monitoring.intake.quarantine import forget_rejected, has_expired, texts_of
from bailiwick.monitoring.intake.records import Batch, Fault, Record
from bailiwick.monitoring.intake.rules import Terms, set_terms, terms_of
from bailiwick.monitoring.intake.tables import IntakeRules, JoinedFeedback, RejectedRecord

__all__ = [
    "Accepted",
    "Batch",
    "Fault",
    "Inference",
    "IntakeRules",
    "JoinedFeedback",
    "Outcome",
    "Pseudonyms",
    "Record",
    "RejectedRecord",
    "Taken",
    "Terms",
    "Told",
    "forget_rejected",
    "has_expired",
    "load_or_create_key",
    "log_feedback",
    "log_inferences",
    "set_terms",
    "take",
    "terms_of",
    "texts_of",
]
