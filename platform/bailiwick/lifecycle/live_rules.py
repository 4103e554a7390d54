"""Strategies as live policies name them: `cost-aware by=week price=80 budget=12`. Pure."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Self

from bailiwick.core.errors import Invalid
from bailiwick.lifecycle.backtest.periods import Unit, edges_between
from bailiwick.lifecycle.strategies import (
    DEFAULT_PRICE_ANSWERS,
    CostAware,
    Hindsight,
    Known,
    Strategy,
    strategy_named,
)

_NAMES = ("by", "price", "budget")


@dataclass(frozen=True, slots=True)
class LiveRule:
    """A strategy, asked at the end of each period of length `unit`.

    `price`: what a retraining costs in right answers; `budget`: retrainings in a calendar year
    (UTC). Both are for `cost-aware`.
    """

    strategy: Strategy
    unit: Unit

    @classmethod
    def parsed(cls, text: str) -> Self:
        """As it is written. Raises `Invalid`.

        >>> rule = LiveRule.parsed("cost-aware by=month budget=6")
        >>> rule.unit, rule.strategy
        (<Unit.MONTH: 'month'>, CostAware(budget=6, price_answers=50.0, tries=True, measures=True))
        """
        name, *words = text.split() or [""]
        given = dict(word.partition("=")[::2] for word in words)
        strange = sorted(given.keys() - set(_NAMES))
        if strange or (name != "cost-aware" and given.keys() & {"price", "budget"}):
            raise Invalid(
                "a strategy is written as threshold, periodic:4 or cost-aware, then by=week (day, "
                "month, quarter), and for cost-aware price=80 and budget=12"
            )
        price = _number("price", given.get("price", f"{DEFAULT_PRICE_ANSWERS}"))
        budget = _whole(given["budget"]) if "budget" in given else None
        strategy = strategy_named(name, budget=budget, price_answers=price)
        if isinstance(strategy, Hindsight):
            raise Invalid("hindsight is for backtests: nobody knows the future")
        return cls(strategy, _unit(given.get("by", "week")))

    def known_within_the_year(self, known: Known, at: datetime, ends: list[datetime]) -> Known:
        """`known` as a budget of the calendar year sees it; `ends`: when it was retrained."""
        if not isinstance(self.strategy, CostAware) or self.strategy.budget is None:
            return replace(known, periods_left=None)
        new_year = datetime(at.year + 1, 1, 1, tzinfo=UTC)
        left = len(edges_between(at, new_year, self.unit)) - 2
        spent = sum(end.year == at.year for end in ends)
        return replace(known, retrains=spent, periods_left=max(left, 1))


def _unit(text: str) -> Unit:
    try:
        return Unit(text)
    except ValueError:
        raise Invalid(f"by takes one of {', '.join(Unit)}, not {text!r}") from None


def _number(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise Invalid(f"{name} takes a number, 0 or more: {name}=80")
    return value


def _whole(text: str) -> int:
    if not text.isdecimal():
        raise Invalid("budget takes a whole number of retrainings a year: budget=12")
    return int(text)
