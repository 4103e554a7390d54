"""A head refit on a frozen encoder: equal texts are one lesson, and the loop is the usual one."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from bailiwick.serving.hashed import NgramNetwork
from bailiwick.serving.ngrams import Indices, Ngrams
from bailiwick.training.loop import History, Objective, Phase, Watcher, fit
from bailiwick.training.recipes import HeadRecipe

_DAY = np.timedelta64(1, "D")
LogitsOf = Callable[[torch.Tensor], torch.Tensor]  # rows of the lessons -> (rows, labels)


@dataclass(frozen=True, slots=True)
class Lessons:
    """What there is to learn from some rows, once for each distinct text.

    `texts` (lessons,): numbers of the texts. `targets` (lessons, labels): the share of each label
    among the text's rows, by weight. `weights` (lessons,): of mean 1.
    """

    texts: Indices
    targets: torch.Tensor
    weights: torch.Tensor

    def __len__(self) -> int:
        return len(self.texts)

    def buckets(self, batch_rows: int, generator: torch.Generator) -> Iterator[torch.Tensor]:
        """Every lesson once, in random batches."""
        yield from torch.split(torch.randperm(len(self), generator=generator), batch_rows)


def ages_in_days(times: NDArray[np.datetime64]) -> NDArray[np.float64]:
    """The age of each row at the newest, in days."""
    ages: NDArray[np.float64] = (times.max() - times) / _DAY
    return ages


def lessons_of(
    texts: Indices,
    columns: Indices,
    ages_days: NDArray[np.float64],
    recipe: HeadRecipe,
    *,
    labels: int,
) -> Lessons:
    """The lessons of rows: the number of each row's text, its label's column, its age.

    The root of a text's weight is its lesson's: what occurs a thousand times deserves more of
    the model than what occurs once, but a batch with it should not be about nothing else.
    """
    weights = np.ones(len(texts))
    if recipe.half_life_days:
        weights = 0.5 ** (ages_days / recipe.half_life_days)
    if recipe.balance_ratio:
        frequency = np.bincount(columns, weights=weights, minlength=labels)
        weights = weights * frequency[columns] ** -recipe.balance_ratio
    distinct, lesson = distinct_of(texts)
    total = np.bincount(lesson, weights=weights)
    kept = np.sort(np.argsort(-total, kind="stable")[: recipe.max_texts])
    place = np.full(len(distinct), -1)
    place[kept] = np.arange(len(kept))
    mine = place[lesson] >= 0
    targets = np.zeros((len(kept), labels), np.float32)
    shares = (weights / total[lesson])[mine]
    np.add.at(targets, (place[lesson[mine]], columns[mine]), shares.astype(np.float32))
    roots = np.sqrt(total[kept])
    return Lessons(
        distinct[kept],
        torch.from_numpy(targets),
        torch.from_numpy((roots / roots.mean()).astype(np.float32)),
    )


def refit(
    network: torch.nn.Module,
    logits_of: LogitsOf,
    lessons: Lessons,
    recipe: HeadRecipe,
    *,
    generator: torch.Generator,
    watch: Watcher | None = None,
) -> History:
    """Fit the free parameters of `network`, whose answers `logits_of` gives, to `lessons`."""
    return fit(
        network,
        _objective(logits_of, lessons),
        lessons,
        Phase(
            epochs=recipe.epochs,
            batch_rows=recipe.batch_rows,
            learning_rate=recipe.learning_rate,
            weight_decay=recipe.weight_decay,
            warmup_ratio=recipe.warmup_ratio,
            gradient_norm=recipe.gradient_norm,
        ),
        generator=generator,
        watch=watch,
    )


def refit_ngrams(
    ngrams: Ngrams,
    lessons: Lessons,
    recipe: HeadRecipe,
    *,
    generator: torch.Generator,
    watch: Watcher | None = None,
) -> tuple[NgramNetwork, History]:
    """An n-gram model of `lessons`, whose texts' n-grams are rows of `ngrams`."""
    network = NgramNetwork(
        buckets=recipe.buckets,
        max_characters=recipe.max_characters,
        labels=lessons.targets.shape[1],
    )

    def logits_of(rows: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = network(ngrams.rows(lessons.texts[rows.numpy()]))
        return logits

    return network, refit(network, logits_of, lessons, recipe, generator=generator, watch=watch)


def _objective(logits_of: LogitsOf, lessons: Lessons) -> Objective:
    def objective(rows: torch.Tensor, _: torch.Generator) -> torch.Tensor:
        surprise = -(lessons.targets[rows] * logits_of(rows).log_softmax(dim=1)).sum(dim=1)
        return (surprise * lessons.weights[rows]).mean()

    return objective


def distinct_of(numbers: Indices) -> tuple[Indices, Indices]:
    """The distinct `numbers` in order, and the place of each among them; they are not negative.

    As `np.unique` with its inverse, without sorting: they count up from 0, so a table is short.

    >>> [part.tolist() for part in distinct_of(np.array([4, 1, 4]))]
    [[1, 4], [1, 0, 1]]
    """
    there = np.bincount(numbers) > 0
    places = np.cumsum(there) - 1
    return np.flatnonzero(there), places[numbers]


def numbered(values: Sequence[str]) -> tuple[list[str], Indices]:
    """The distinct `values` in the order they first occur, and the number of each."""
    numbers: dict[str, int] = {}
    rows = [numbers.setdefault(value, len(numbers)) for value in values]
    return list(numbers), np.array(rows, dtype=np.int64)
