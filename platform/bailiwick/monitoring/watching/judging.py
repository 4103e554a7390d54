"""A detector on its way through windows in order, few rows or none among them. Pure."""

from dataclasses import dataclass
from datetime import datetime

from bailiwick.monitoring.baselines import Baseline
from bailiwick.monitoring.calibration import MIN_ROWS
from bailiwick.monitoring.eprocess import (
    Detector,
    DetectorState,
    Judgement,
    Sensitivity,
    detector,
    fresh,
    step,
)
from bailiwick.monitoring.summaries import Summary, merge

HELD_AT_MOST = 24  # windows that are added up before too few rows are given up


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """What was judged (one window, or several of few rows) and what came of it."""

    rows: int
    judgement: Judgement
    windows: int


@dataclass(slots=True)
class Judging:
    """Judges windows one after the other; `held` are those that have too few rows so far."""

    baseline: Baseline
    detector: Detector
    state: DetectorState
    held: Summary | None = None
    held_windows: int = 0

    @classmethod
    def of(
        cls, baseline: Baseline, sensitivity: Sensitivity, state: DetectorState | None
    ) -> "Judging":
        """Goes on from `state`, or begins."""
        ready = detector(
            baseline.model,
            baseline.contrasts,
            baseline.pairs,
            sensitivity,
            window_hours=baseline.window_hours,
            provisional=baseline.grade == "provisional",
        )
        return cls(baseline, ready, state or fresh(ready))

    def hold(self, summary: Summary | None) -> None:
        """Add a window to those that wait for more rows; empty ones count once rows wait."""
        if summary is not None:
            self.held = summary if self.held is None else merge(self.held, summary)
        self.held_windows += self.held is not None

    def judge(self, start: datetime, summary: Summary | None) -> Judged | None:
        """The next window, or None if that says nothing yet: the filter ages, evidence stays.

        The number of requests is judged window by window, also where these are too few for
        anything else to be.
        """
        self.hold(summary)
        held, windows = self.held, self.held_windows
        enough = held is not None and held.rows >= MIN_ROWS
        requests = summary.rows if summary is not None else 0
        seen = self.baseline.observe(held if enough else None, requests=requests)
        design = self.baseline.design([start])[0]
        self.state, judgement = step(self.detector, self.state, design, *seen)
        if enough or windows >= HELD_AT_MOST:
            self.held, self.held_windows = None, 0
        if self.baseline.counts_requests:
            return Judged(requests, judgement, windows=1) if judgement.judged else None
        return Judged(held.rows, judgement, windows) if held is not None and enough else None
