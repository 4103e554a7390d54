"""The fixed-threshold rule: retrain when accuracy has fallen so far, or the input has changed."""

from dataclasses import dataclass

from bailiwick.lifecycle.strategies.known import Decision, Known, Lived

DEFAULT_POINTS = 5.0
# Without labels: so many points more rows with unseen words, or less confidence.
_UNSEEN_POINTS, _CONFIDENCE_POINTS = 10.0, 5.0
_STANDARD_ERRORS = 2.0


@dataclass(frozen=True, slots=True)
class Threshold:
    """Retrains when the serving model's measured accuracy is `points` below its first period's.

    Also on a drift alarm (`alarm`), which needs no labels. Assumes that a drop is the model's
    fault and that newer labels would mend it: a period that is harder for any model counts as
    one, and drift that was there from the model's first period does not. A drop counts only
    beyond two standard errors, so that small periods raise no alarm by chance.
    """

    points: float = DEFAULT_POINTS
    tries: bool = False
    measures: bool = True

    @property
    def name(self) -> str:
        """`threshold`, with its points where they are not the default."""
        return "threshold" if self.points == DEFAULT_POINTS else f"threshold:{self.points:g}"

    def decide(self, known: Known) -> Decision:
        """By the newest labelled period and the newest period."""
        found = alarm(known.lived, self.points)
        if found is None:
            return Decision(retrain=False, reason="neither accuracy nor input moved far enough")
        if not known.behind:
            return Decision(retrain=False, reason=f"{found}, but no newer labels are known")
        return Decision(retrain=True, reason=found)


def alarm(lived: tuple[Lived, ...], points: float = DEFAULT_POINTS) -> str | None:
    """What moved since the model's first period, in words; None where nothing did.

    Accuracy by `points` where labels are known; else words and confidence of the newest period.
    """
    labelled = [one for one in lived if one.accuracy is not None]
    if len(labelled) > 1 and (fell := _fall(labelled[0], labelled[-1])) >= points:
        return f"accuracy fell by {fell:.1f} points"
    if len(lived) > 1:
        first, last = lived[0], lived[-1]
        if (rose := 100 * (last.unseen_ratio - first.unseen_ratio)) >= _UNSEEN_POINTS:
            return f"rows with unseen words rose by {rose:.0f} points"
        if (sank := 100 * (first.confidence - last.confidence)) >= _CONFIDENCE_POINTS:
            return f"confidence sank by {sank:.0f} points"
    return None


def _fall(first: Lived, last: Lived) -> float:
    """Points that accuracy fell by, 0 where that may be chance."""
    before, after = first.accuracy or 0.0, last.accuracy or 0.0
    variance = before * (1 - before) / first.rows + after * (1 - after) / last.rows
    fall = before - after
    return 100 * fall if fall > _STANDARD_ERRORS * variance**0.5 else 0.0
