"""Strategies as people write them."""

from dataclasses import dataclass

from bailiwick.core.errors import Invalid
from bailiwick.lifecycle.strategies.cost_aware import DEFAULT_PRICE_ANSWERS, CostAware
from bailiwick.lifecycle.strategies.known import Strategy
from bailiwick.lifecycle.strategies.simple import Frozen, Periodic
from bailiwick.lifecycle.strategies.threshold import DEFAULT_POINTS, Threshold

FORMS = (
    "frozen",
    "every-period",
    "periodic:N",
    "threshold",
    "threshold:POINTS",
    "cost-aware",
    "hindsight:N",
)


@dataclass(frozen=True, slots=True)
class Hindsight:
    """The best schedule of at most `retrains`, known only afterwards: no rule, a yardstick."""

    retrains: int

    @property
    def name(self) -> str:
        """`hindsight:` and the number of retrainings."""
        return f"hindsight:{self.retrains}"


def strategy_named(
    text: str, *, budget: int | None = None, price_answers: float = DEFAULT_PRICE_ANSWERS
) -> Strategy | Hindsight:
    """The strategy that `text` names. Raises `Invalid` with the list of what there is."""
    plain: dict[str, Strategy] = {
        "frozen": Frozen(),
        "every-period": Periodic(1),
        "threshold": Threshold(),
        "cost-aware": CostAware(budget, price_answers),
    }
    if text in plain:
        return plain[text]
    match text.split(":"):
        case "periodic", periods if periods.isdecimal() and int(periods):
            return Periodic(int(periods))
        case "hindsight", retrains if retrains.isdecimal():
            return Hindsight(int(retrains))
        case "threshold", points:
            return Threshold(_points(text, points))
        case _:
            raise _unknown(text)


def _points(text: str, points: str) -> float:
    try:
        value = float(points)
    except ValueError:
        raise _unknown(text) from None
    if not 0 < value <= 100:  # noqa: PLR2004 - points of accuracy
        raise Invalid(f"threshold takes points of accuracy above 0, such as {DEFAULT_POINTS:g}.")
    return value


def _unknown(text: str) -> Invalid:
    return Invalid(f"There is no strategy {text!r}. Choose from: {', '.join(FORMS)}.")
