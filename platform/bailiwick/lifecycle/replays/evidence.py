"""Results of backtests, for those who look at them and for those who approve a policy."""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from bailiwick.lifecycle.tables import Backtest, BacktestResult, RetrainingPolicy


def results_of(session: Session, ids: Iterable[UUID]) -> dict[UUID, BacktestResult]:
    """The results of these backtests, by the backtest's id; of those that have come to one."""
    query = select(BacktestResult).where(BacktestResult.backtest_id.in_(list(ids)))
    return {one.backtest_id: one for one in session.scalars(query)}


def newest_of_policies(
    session: Session, policies: Iterable[tuple[UUID, str]]
) -> dict[UUID, tuple[Backtest, BacktestResult]]:
    """What each of these policies (id, digest of its settings) would have done: the newest answer.

    Of exactly these settings; by the policy's id, in one query however many they are.
    """
    digests = dict(policies)
    of_one = (Backtest.policy_id, Backtest.policy_digest)
    place = func.row_number().over(partition_by=of_one, order_by=Backtest.id.desc())
    answered = (
        select(Backtest.id, place.label("place"))
        .join(BacktestResult, BacktestResult.backtest_id == Backtest.id)
        .where(Backtest.policy_id.in_(digests), Backtest.policy_digest.in_(digests.values()))
        .subquery()
    )
    rows = session.execute(
        select(Backtest, BacktestResult)
        .join(BacktestResult, BacktestResult.backtest_id == Backtest.id)
        .join(answered, answered.c.id == Backtest.id)
        .where(answered.c.place == 1)
    )
    return {
        one.policy_id: (one, result)
        for one, result in rows
        if one.policy_id is not None and digests[one.policy_id] == one.policy_digest
    }


def in_order(result: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """The periods of each strategy, in the order in which they were named: blobs sort by name."""
    return {
        one["strategy"]: result["strategies"][one["strategy"]]
        for one in result["summary"]["strategies"]
    }


def evidence_of(session: Session, policy: RetrainingPolicy) -> list[dict[str, str]]:
    """What the policy as it stands would have done, as a request for its approval carries it."""
    found = newest_of_policies(session, [(policy.id, policy.digest)]).get(policy.id)
    return [] if found is None else [as_evidence(*found)]


def as_evidence(backtest: Backtest, result: BacktestResult) -> dict[str, str]:
    """A backtest by its id and its result's digest."""
    return {"type": "backtest", "id": str(backtest.id), "digest": result.digest}
