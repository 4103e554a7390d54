"""What was replayed, and what came of it."""

from typing import Any, TypedDict


class Backtest(TypedDict):
    """A backtest, its job's state, and its summary and result's digest once it is done."""

    id: str
    job_id: str
    deployment_id: str | None
    dataset_version_id: str | None
    policy_id: str | None
    policy_digest: str | None
    settings: dict[str, Any]
    state: str
    progress: dict[str, Any]
    error: str | None
    digest: str | None
    summary: dict[str, Any] | None
    created_by: str
    created_at: str


class BacktestResult(Backtest):
    """The same with each period of each strategy."""

    periods: list[dict[str, str]] | None
    strategies: dict[str, list[dict[str, Any]]] | None
