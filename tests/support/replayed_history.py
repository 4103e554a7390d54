"""A deployment with months of labelled requests, and backtests of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from bailiwick.core.clock import ReplayClock
from bailiwick.lifecycle.backtest import Unit
from bailiwick.lifecycle.replays import ReplaySettings, order_backtest, source_of
from bailiwick.lifecycle.tables import Backtest, RetrainingPolicy
from bailiwick.monitoring import Inference, Outcome
from bailiwick.policy import load_actor
from bailiwick.registry import Deployment
from factories import PURPOSE
from support.backtests import purchases
from support.lifecycle_world import World, bring

FIRST_MONTH = datetime(2026, 2, 1, tzinfo=UTC)  # the world's clock stands in January


@dataclass
class Past:
    """A world whose deployment answered purchases, whose labels came as each month ended."""

    world: World
    clock: ReplayClock
    months: int

    def live(self, *, rows: int = 90, late: int = 0) -> None:
        """Months go by; the labels of the first `late` rows of each come two months later."""
        owed: list[Outcome] = []
        for month, found in enumerate(_by_month(purchases(self.months, rows=rows))):
            self.clock.advance_to(begin_of_month(month + 1))
            told = [Outcome(f"{month}-{place}", row[2]) for place, row in enumerate(found)]
            answered = [_answered(month, place, row) for place, row in enumerate(found)]
            bring(self.world, answered, [*told[late:], *owed])
            owed = told[:late]

    def settings(self, *strategies: str, **more: Any) -> ReplaySettings:
        """By month, up to now."""
        more = {"period": Unit.MONTH, "purpose": PURPOSE, "until": self.clock.now()} | more
        return ReplaySettings(strategies=strategies, **more)

    def order(self, settings: ReplaySettings, *, policy: bool = False) -> UUID:
        """Ask for a backtest of the deployment, or of its policy; its id."""
        with self.world.platform.database.transaction() as session:
            kept = session.get_one(RetrainingPolicy, self.world.policy.id)
            running = session.get_one(Deployment, self.world.deployment.id)
            source = (
                source_of(session, policy=kept)
                if policy
                else source_of(session, deployment=running)
            )
            return order_backtest(
                session,
                source,
                settings,
                rules=self.world.platform.rules,
                actor=load_actor(session, self.world.engineer_id),
                at=self.clock.now(),
            ).id

    def backtest(self, identifier: UUID) -> Backtest:
        """The order."""
        with self.world.platform.database.reading() as session:
            return session.get_one(Backtest, identifier)


def begin_of_month(month: int) -> datetime:
    """When a month of the history began, the first being 0."""
    return FIRST_MONTH.replace(year=2026 + (month + 1) // 12, month=(month + 1) % 12 + 1)


def _by_month(rows: Sequence[tuple[str, str, str]]) -> list[list[tuple[str, str, str]]]:
    found: dict[str, list[tuple[str, str, str]]] = {}
    for row in rows:
        found.setdefault(row[0][:7], []).append(row)
    return list(found.values())


def _answered(month: int, place: int, row: tuple[str, str, str]) -> Inference:
    return Inference(
        record_id=f"{month}-{place}",
        at=begin_of_month(month) + timedelta(minutes=7 * place),
        prediction="Fuel",
        confidence=0.9,
        characters=len(row[1]),
        words=3,
        unseen_words_ratio=0.1,
        text=row[1],
    )
