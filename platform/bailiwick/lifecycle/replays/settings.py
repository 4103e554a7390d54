"""How a history is replayed: strategies, periods, what a retraining costs."""

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Self

from bailiwick.core.errors import Invalid
from bailiwick.lifecycle.backtest import Unit
from bailiwick.lifecycle.strategies import (
    DEFAULT_PRICE_ANSWERS,
    FORMS,
    Hindsight,
    Strategy,
    strategy_named,
)
from bailiwick.training import RECIPES, Recipe, recipe_of

POLICY = "policy"
# With as many retrainings as the policy did, or else the last of the other strategies.
HINDSIGHT = "hindsight"
DEFAULT_STRATEGIES = ("frozen", "every-period", "periodic:2", "threshold", "cost-aware")
POLICY_STRATEGIES = (POLICY, *DEFAULT_STRATEGIES, HINDSIGHT)
MOST_DELAY = 1_000  # periods


def year_before(moment: datetime) -> datetime:
    """Where a year that ends at `moment` begins."""
    return moment - timedelta(days=365)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplaySettings:
    """Travels in `backtests.settings`. Raises `Invalid` for what cannot be replayed.

    The periods from `since` on are answered, older rows teach the first model; None: from the
    first that a model can answer. `until` is excluded, and so is the period that it lies in.
    `price_answers`: what a retraining costs in right answers.
    """

    until: datetime
    purpose: str
    strategies: tuple[str, ...] = DEFAULT_STRATEGIES
    period: Unit = Unit.WEEK
    since: datetime | None = None
    label_delay: int = 0
    budget: int | None = None
    price_answers: float = DEFAULT_PRICE_ANSWERS
    recipe: Recipe = RECIPES["head"]
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.strategies or len(set(self.strategies)) < len(self.strategies):
            raise Invalid(f"name one or more strategies, each once: {POLICY}, {', '.join(FORMS)}")
        if not 0 <= self.label_delay <= MOST_DELAY:
            raise Invalid(f"label_delay counts periods, from 0 to {MOST_DELAY}")
        if self.since is not None and self.since >= self.until:
            raise Invalid("since must lie before until; choose an earlier day to begin with")
        self.named()

    def named(self) -> list[Strategy | Hindsight]:
        """The strategies that need neither the policy nor an earlier walk."""
        return [
            strategy_named(one, budget=self.budget, price_answers=self.price_answers)
            for one in self.strategies
            if one not in (POLICY, HINDSIGHT)
        ]

    def to_json(self) -> dict[str, Any]:
        """As JSON."""
        since = None if self.since is None else self.since.isoformat()
        moments = {"since": since, "until": self.until.isoformat()}
        recipe = {"recipe": self.recipe.to_dict(), "strategies": list(self.strategies)}
        return asdict(self) | moments | recipe | {"period": str(self.period)}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """The inverse of `to_json`."""
        since = values["since"]
        read = {
            "since": None if since is None else datetime.fromisoformat(since),
            "until": datetime.fromisoformat(values["until"]),
            "strategies": tuple(values["strategies"]),
            "period": Unit(values["period"]),
            "recipe": recipe_of(values["recipe"]),
        }
        return cls(**{**values, **read})
