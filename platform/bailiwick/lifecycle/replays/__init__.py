"""Backtests on the server: the history of a deployment, or dated rows, replayed as a job.

`order_backtest` checks the rights and queues a job; `carry_out_backtest` reads what was known when,
walks the strategies of `lifecycle.backtest` through it, and keeps the result as evidence.
"""

from bailiwick.lifecycle.replays.carrying import carry_out_backtest
from bailiwick.lifecycle.replays.evidence import (
    evidence_of,
    in_order,
    newest_of_policies,
    results_of,
)
from bailiwick.lifecycle.replays.orders import (
    Source,
    backtest_resource,
    order_backtest,
    source_of,
)
from bailiwick.lifecycle.replays.settings import HINDSIGHT, POLICY, ReplaySettings
from bailiwick.lifecycle.replays.usual import usual_delay, year_of_requests

__all__ = [
    "HINDSIGHT",
    "POLICY",
    "ReplaySettings",
    "Source",
    "backtest_resource",
    "carry_out_backtest",
    "evidence_of",
    "in_order",
    "newest_of_policies",
    "order_backtest",
    "results_of",
    "source_of",
    "usual_delay",
    "year_of_requests",
]
