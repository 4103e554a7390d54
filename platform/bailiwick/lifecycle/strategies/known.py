"""What a strategy may know when a period has ended, and what it answers."""

from dataclasses import dataclass, field
from typing import Protocol

TRIED_RATIO = 1 / 3  # of the newest labelled period, its newest rows: what a challenger is put to
LEAST_TRIED = 30  # rows


@dataclass(frozen=True, slots=True)
class Lived:
    """One period that a model answered.

    `age` counts the periods whose labels came after what the model learned from. `confidence` is
    its mean highest probability, `unseen_ratio` the share of rows with a word that it never
    learned: both need no labels. `accuracy` is None until the period's labels are known.
    """

    period: int
    rows: int
    age: int
    confidence: float
    unseen_ratio: float
    accuracy: float | None


@dataclass(frozen=True, slots=True)
class Trial:
    """A challenger that learned all but the newest third of the newest labelled period, on it.

    `rows` are the whole period's, `tried_rows` that third's. `age`: periods of labels that the
    serving model had not learned, the newest included (1 or more). `accuracy`: the challenger's.
    `gain`: its accuracy less the serving model's on the same rows (-1 to 1). `standard_error`: of
    the gain, from the paired answers.
    """

    period: int
    rows: int
    tried_rows: int
    age: int
    accuracy: float
    gain: float
    standard_error: float


@dataclass(frozen=True, slots=True)
class Retrained:
    """A retraining at the end of `period` on all labels up to those of period `through`."""

    period: int
    through: int
    train_seconds: float


@dataclass(frozen=True, slots=True)
class Known:
    """All that is known at the end of `period`, in order of time; nothing of later periods.

    `behind`: periods with labels that the serving model has not learned; 0: there is nothing
    new. `periods_left`: periods that the plan still has, None without an end. `lived` holds the
    serving model's periods alone, `trials` all, whichever model served. `retrained`: what has been
    done so far; `answered`: the keys of the causes that it answered.
    """

    period: int
    behind: int
    retrains: int
    periods_left: int | None
    lived: tuple[Lived, ...]
    trials: tuple[Trial, ...]
    retrained: tuple[Retrained, ...] = ()
    answered: frozenset[str] = field(default=frozenset())


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether to retrain now, with the reason in a sentence, and the keys of its causes, if any."""

    retrain: bool
    reason: str
    keys: tuple[str, ...] = ()


class Strategy(Protocol):
    """A rule for when to retrain: a pure function of what is known."""

    @property
    def name(self) -> str:
        """As people write it."""

    @property
    def tries(self) -> bool:
        """Whether it wants a `Trial` of each newest labelled period."""

    @property
    def measures(self) -> bool:
        """Whether it needs the labels of every period, to measure by."""

    def decide(self, known: Known) -> Decision:
        """Retrain at the end of `known.period`, or not."""
