"""Rules that look at the calendar alone."""

from dataclasses import dataclass

from bailiwick.lifecycle.strategies.known import Decision, Known


@dataclass(frozen=True, slots=True)
class Frozen:
    """Never retrains: what it costs to do nothing."""

    name: str = "frozen"
    tries: bool = False
    measures: bool = False

    def decide(self, known: Known) -> Decision:
        """Not now, and not later."""
        del known
        return Decision(retrain=False, reason="a frozen model is never retrained")


@dataclass(frozen=True, slots=True)
class Periodic:
    """Retrains after every `every` periods; assumes that models age alike at all times."""

    every: int
    tries: bool = False
    measures: bool = False

    @property
    def name(self) -> str:
        """`every-period`, or `periodic:` and the number of periods."""
        return "every-period" if self.every == 1 else f"periodic:{self.every}"

    def decide(self, known: Known) -> Decision:
        """Counts the periods whose labels the serving model has not learned."""
        due = known.behind >= self.every
        return Decision(due, f"{known.behind} of {self.every} periods since the last retraining")
