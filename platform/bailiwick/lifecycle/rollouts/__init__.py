"""Rollouts: how a deployment comes to a new champion, step by step, and back if need be.

A plan of the deployment says by which steps; a promotion then starts a rollout, in which the new
version first shadows the champion or answers a share of the requests; guards bet on what the
requests show, and the pure `course.judge` says what is next. Moving the champion is promotion's
alone: `lifecycle.rolling_out` joins the two.
"""

from bailiwick.lifecycle.rollouts.course import Next, Progress, Verdict, judge
from bailiwick.lifecycle.rollouts.guards import Evidence, Reference, Standing, standings
from bailiwick.lifecycle.rollouts.plans import Limits, Plan, plan_of, remove_plan, set_plan

__all__ = [
    "Evidence",
    "Limits",
    "Next",
    "Plan",
    "Progress",
    "Reference",
    "Standing",
    "Verdict",
    "judge",
    "plan_of",
    "remove_plan",
    "set_plan",
    "standings",
]
