"""What the story came to: accuracy per period, and the sums."""

from dataclasses import asdict, dataclass, field
from typing import Any

from rich.console import Console
from rich.table import Table

from bailiwick.cli.story.upheaval import Morning


@dataclass(frozen=True, slots=True)
class PeriodResult:
    """One period: the frozen first model against the governed one, on the same rows."""

    period: str
    rows: int
    frozen_accuracy: float
    governed_accuracy: float
    alert: bool
    retrained: bool


@dataclass
class Ledger:
    """Grows while the story runs."""

    periods: list[PeriodResult] = field(default_factory=list)
    retrains: int = 0
    rejected_challengers: int = 0
    alerts: int = 0
    decisions: int = 0
    morning: Morning | None = None
    audit_verified: bool = False
    audit_events: int = 0

    def to_dict(self) -> dict[str, Any]:
        """The JSON that `--json` writes."""
        return {
            "periods": [asdict(period) for period in self.periods],
            "retrains": self.retrains,
            "rejected_challengers": self.rejected_challengers,
            "alerts": self.alerts,
            "decisions": self.decisions,
            "morning": self.morning.to_dict() if self.morning else None,
            "audit_verified": self.audit_verified,
            "audit_events": self.audit_events,
        }

    def mean(self, name: str) -> float:
        """Row-weighted mean accuracy of `frozen_accuracy` or `governed_accuracy`."""
        rows = sum(period.rows for period in self.periods)
        right = sum(float(getattr(period, name)) * period.rows for period in self.periods)
        return right / rows

    def show(self, console: Console) -> None:
        """Print the result as a table."""
        table = Table(title="Accuracy per period", title_justify="left")
        for name in ("period", "rows", "frozen first model", "governed", "gain"):
            table.add_column(name, justify="left" if name == "period" else "right")
        table.add_column("what happened")
        for period in self.periods:
            gain = period.governed_accuracy - period.frozen_accuracy
            happened = ["alert"] * period.alert + ["retrained, promoted"] * period.retrained
            table.add_row(
                period.period,
                f"{period.rows:,}",
                f"{period.frozen_accuracy:.1%}",
                f"{period.governed_accuracy:.1%}",
                f"{100 * gain:+.1f} points",
                ", ".join(happened),
            )
        table.add_section()
        frozen, governed = self.mean("frozen_accuracy"), self.mean("governed_accuracy")
        table.add_row(
            "all",
            f"{sum(period.rows for period in self.periods):,}",
            f"{frozen:.1%}",
            f"{governed:.1%}",
            f"{100 * (governed - frozen):+.1f} points",
            f"{self.retrains} retrains, {self.alerts} alerts",
        )
        console.print(table)
        verified = "verified" if self.audit_verified else "NOT VERIFIED"
        console.print(
            f"Retrains promoted: {self.retrains}. Challengers rejected: "
            f"{self.rejected_challengers}. Alerts: {self.alerts}. Policy decisions recorded: "
            f"{self.decisions}. Audit log: {self.audit_events:,} events, {verified}."
        )
