"""Cheap first: recipes tried in order until one is enough (docs/decisions/0023)."""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from math import comb
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bailiwick.core.errors import Invalid
from bailiwick.training.recipes import Recipe
from bailiwick.training.rungs import CheapFirst, name_of
from bailiwick.training.trained import Trained

_CHANCE = 0.05
Right = NDArray[np.bool_]  # (rows,): which of the newest tenth's rows are answered right


@dataclass(frozen=True, slots=True)
class Try:
    """What came of one recipe. `accuracy`: on `rows` that it had not learned; None: not done."""

    name: str
    recipe: dict[str, Any]
    accuracy: float | None
    rows: int
    seconds: float
    reason: str


@dataclass(frozen=True, slots=True)
class Bar:
    """What is enough: the champion's accuracy when it was judged, and its answers now.

    Both None where there is no champion: then nothing is enough, and the best is taken.
    """

    reference_accuracy: float | None = None
    champion_right: Right | None = None

    def missed(self, right: Right, tolerance: float) -> str | None:
        """In what way a recipe with these answers is not enough; None: it is."""
        accuracy = float(right.mean())
        if self.reference_accuracy is None or self.champion_right is None:
            return f"{accuracy:.1%}; there is no champion to tell what is enough"
        if accuracy < self.reference_accuracy - tolerance:
            return f"{accuracy:.1%} is not the {self.reference_accuracy:.1%} that the champion had"
        if not beyond_chance(right, self.champion_right):
            now = float(self.champion_right.mean())
            return f"{accuracy:.1%} is not above the champion's {now:.1%} beyond chance"
        return None


@dataclass(frozen=True, slots=True)
class Chosen:
    """The recipe that won, what it made, and all that was tried."""

    recipe: Recipe
    trained: Trained
    tries: tuple[Try, ...]

    def tried(self) -> list[dict[str, Any]]:
        """The tries as JSON, the winner's marked."""
        winner = self.recipe.to_dict()
        return [asdict(one) | {"won": one.recipe == winner} for one in self.tries]


def chosen_among(choice: CheapFirst, train: Callable[[Recipe], Trained], bar: Bar) -> Chosen:
    """Train by each rung until one is enough; of those that are not, the best, beyond chance.

    Raises the first rung's `Invalid` if none can be followed.
    """
    best: tuple[Recipe, Trained] | None = None
    tries: list[Try] = []
    refused: list[Invalid] = []
    for recipe in choice.rungs:
        started = time.perf_counter()
        try:
            trained = train(recipe)
        except Invalid as error:
            refused.append(error)
            tries.append(_passed_over(recipe, error))
            continue
        right, seconds = trained.newest_right, round(time.perf_counter() - started, 3)
        missed = bar.missed(right, choice.tolerance)
        reason = f"not enough: {missed}" if missed else f"enough: {right.mean():.1%}"
        if missed is None or best is None or beyond_chance(right, best[1].newest_right):
            best = recipe, trained
        else:
            reason += "; not above the cheaper one beyond chance"
        accuracy = round(float(right.mean()), 6)
        tries.append(Try(name_of(recipe), recipe.to_dict(), accuracy, len(right), seconds, reason))
        if missed is None:
            break
    if best is None:
        raise refused[0]
    return Chosen(*best, tuple(tries))


def _passed_over(recipe: Recipe, error: Invalid) -> Try:
    return Try(name_of(recipe), recipe.to_dict(), None, 0, 0.0, f"passed over: {error.message}")


def beyond_chance(right: Right, other: Right) -> bool:
    """Whether the first is right more often than the second, by more than chance (5 %).

    One-sided exact sign test on the rows that one of both has right (McNemar, 1947).

    >>> same = np.array([True] * 20)
    >>> beyond_chance(same, np.array([True] * 15 + [False] * 5))
    True
    >>> beyond_chance(same, np.array([True] * 16 + [False] * 4))
    False
    """
    better, worse = int((right & ~other).sum()), int((~right & other).sum())
    return better > worse and _at_least(better, better + worse) <= _CHANCE


def _at_least(heads: int, coins: int) -> float:
    """The probability of so many heads, or more, of so many fair coins."""
    return float(sum(comb(coins, k) for k in range(heads, coins + 1)) / 2**coins)


def right_of(answers: Sequence[str], truth: Sequence[str]) -> Right:
    """Which answers are the truth."""
    return np.array([mine == label for mine, label in zip(answers, truth, strict=True)])
