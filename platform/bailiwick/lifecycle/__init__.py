"""Keeping models fit: schedules, jobs, gates, promotion and rollback, retraining.

The use cases live in the modules; this door names what other packages hold on to.
"""

from bailiwick.lifecycle.execution import run_next
from bailiwick.lifecycle.jobs import JobKind, JobState
from bailiwick.lifecycle.platform import Platform, open_platform
from bailiwick.lifecycle.training_plans import TrainingOrder

__all__ = ["JobKind", "JobState", "Platform", "TrainingOrder", "open_platform", "run_next"]
