"""What came of each strategy, in a line, beside doing nothing and retraining every period."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bailiwick.lifecycle.backtest.walk import Result


@dataclass(frozen=True, slots=True)
class Outcome:
    """One strategy's periods, and the rows whose labels it used."""

    strategy: str
    results: tuple[Result, ...]
    labels: int

    @property
    def accuracy(self) -> float:
        """Mean over the periods that have rows."""
        return _mean([one.accuracy for one in self.results])

    @property
    def macro_f1(self) -> float:
        """Mean over the periods that have rows."""
        return _mean([one.macro_f1 for one in self.results])

    @property
    def retrains(self) -> int:
        """How often it retrained."""
        return sum(one.retrained for one in self.results)

    @property
    def wrong(self) -> int:
        """How many rows it answered wrong."""
        return sum(
            round(one.rows * (1 - one.accuracy)) for one in self.results if one.accuracy is not None
        )

    @property
    def train_seconds(self) -> float:
        """Seconds of a processor, trials included."""
        return sum(one.train_seconds for one in self.results)

    def to_list(self) -> list[dict[str, Any]]:
        """Its periods, for JSON."""
        return [asdict(one) for one in self.results]


def recovered_ratio(outcome: Outcome, others: Sequence[Outcome]) -> float | None:
    """Share of the frozen model's loss recovered: 0 as frozen, 1 as retrained every period.

    None where one of these two was not replayed, or they are alike.
    """
    frozen, every = _named("frozen", others), _named("every-period", others)
    if frozen is None or every is None or frozen.accuracy == every.accuracy:
        return None
    return (outcome.accuracy - frozen.accuracy) / (every.accuracy - frozen.accuracy)


def regret_answers(outcome: Outcome, others: Sequence[Outcome]) -> int | None:
    """Wrong answers more than with retraining every period; None where that was not replayed."""
    every = _named("every-period", others)
    return None if every is None else outcome.wrong - every.wrong


def _named(name: str, outcomes: Sequence[Outcome]) -> Outcome | None:
    return next((one for one in outcomes if one.strategy == name), None)


def _mean(values: Sequence[float | None]) -> float:
    present = [value for value in values if value is not None]
    return sum(present) / len(present) if present else 0.0
