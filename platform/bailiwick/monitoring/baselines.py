"""Baselines: what a deployment's windows look like while nothing is wrong. Made once, never rolled.

How much is needed, and what happens with less:

- below 7 days, or 24 windows with at least 30 rows: refused; the deployment is only recorded;
- below 28 days, or 28 such windows, or with more than half of the windows missing: provisional.
  The season is only what the span can tell apart, tolerance widens with the standard error by
  itself, and the threshold c is doubled until a full baseline replaces it;
- otherwise full.

Windows may be of any length that divides a week. Gaps stay gaps: nothing is filled in. Windows
with fewer than 30 rows are not judged; `coalesce` adds neighbours until they have 30. A burst is a
window like others: N enters its sampling variance, and the detector's clip bounds it. Constant
features are watched for the share of rows that are no longer that constant. Features with fewer
than half of the windows judged are left out and named in `unwatched`.

NOT guaranteed: drift during the baseline becomes the baseline; holidays are not learned from weeks.
"""

import base64
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bailiwick.core.canonical import digest_of
from bailiwick.core.errors import Invalid
from bailiwick.monitoring.calibration import MIN_ROWS, Model, Pairs, calibrate, pairs_of
from bailiwick.monitoring.contrasts import (
    REQUESTS,
    Contrast,
    contrasts_of,
    observe,
    observed_requests,
    requests_contrast,
)
from bailiwick.monitoring.seasons import HOURS_PER_WEEK, Array, Season, hours_of_week
from bailiwick.monitoring.shapes import Layout
from bailiwick.monitoring.summaries import Summary, from_bytes, merge, to_bytes

FULL_DAYS, FEWEST_DAYS = 28.0, 7.0
FULL_WINDOWS, FEWEST_WINDOWS = 28, 24
_FOLD_BY_WEEK_DAYS = 14.0
_WATCHED_RATIO = 0.5
_HOURS_PER_DAY = 24.0
_SECONDS_PER_HOUR = 3600.0

Grade = Literal["provisional", "full"]


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """A summary and the moment at which its window starts (with a time zone)."""

    start: datetime
    summary: Summary


@dataclass(frozen=True, slots=True, eq=False)
class Baseline:
    """An immutable baseline: shapes, contrasts, fitted numbers, and the rows it was made of.

    `reference` is the sum of all its windows: what "before" means in an explanation.
    """

    layout: Layout
    contrasts: tuple[Contrast, ...]
    model: Model = field(repr=False)
    season: Season
    window_hours: float
    zone: str
    first: datetime
    windows: int
    grade: Grade
    unwatched: tuple[str, ...]
    reference: Summary = field(repr=False)

    @property
    def pairs(self) -> Pairs:
        """The pairs of contrasts that are watched together."""
        return pairs_of(self.contrasts)

    @property
    def end(self) -> datetime:
        """The moment after its last window."""
        return self.first + self.windows * timedelta(hours=self.window_hours)

    def design(self, starts: Sequence[datetime]) -> Array:
        """The season's regressors for windows that start then, shape (T, columns)."""
        hours = hours_of_week(starts, zone=self.zone, window_hours=self.window_hours)
        return self.season.design(hours)

    def observe(
        self, summary: Summary | None, *, requests: int | None = None
    ) -> tuple[Array, Array]:
        """(x, rows) of a window, shape (C,) each; None is one without rows.

        `requests` is their number where `summary` has those of several windows. Raises `Invalid`
        for another layout's.
        """
        if summary is None:
            x, rows = np.zeros(len(self.contrasts)), np.zeros(len(self.contrasts))
        elif summary.layout != self.reference.layout:
            raise Invalid("This window was summarised under another baseline's layout.")
        else:
            x, rows = observe(self.layout, self.contrasts, summary)
            requests = summary.rows if requests is None else requests
        if self.counts_requests:
            x[-1], rows[-1] = observed_requests(requests or 0)
        return x, rows

    @property
    def counts_requests(self) -> bool:
        """Whether the number of requests is watched: the last contrast then."""
        return bool(self.contrasts) and self.contrasts[-1].feature == REQUESTS

    def part(self, features: Collection[str], layout: Layout) -> "Baseline":
        """The same judgement of some of its features, of windows that another layout summarises.

        `layout` has the shapes of these features as they are here.
        """
        places = [place for place, one in enumerate(self.contrasts) if one.feature in features]
        kept, pairs = np.array(places, np.intp), self.pairs
        paired = np.isin(pairs.first, kept) & np.isin(pairs.second, kept)
        # A level that was watched in no pair is not in one now.
        alone = {one for one in places if self.contrasts[one].main} - {*pairs.first.tolist()}
        alone -= {*pairs.second.tolist()}
        contrasts = tuple(
            replace(self.contrasts[one], main=False) if one in alone else self.contrasts[one]
            for one in places
        )
        parts = {name: one for name, one in self.reference.parts.items() if name in features}
        return replace(
            self,
            layout=layout,
            contrasts=contrasts,
            model=self.model.part(kept, np.flatnonzero(paired)),
            unwatched=tuple(one.name for one in layout.features if one.name not in features),
            reference=Summary(layout.digest[:16], self.reference.rows, parts, {}),
        )

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; `from_json` reads them back to the last bit."""
        return {
            "layout": self.layout.to_json(),
            "contrasts": [_listed(asdict(contrast)) for contrast in self.contrasts],
            "model": self.model.to_json(),
            "season": asdict(self.season),
            "window_hours": self.window_hours,
            "zone": self.zone,
            "first": self.first.isoformat(),
            "windows": self.windows,
            "grade": self.grade,
            "unwatched": list(self.unwatched),
            "reference": base64.b64encode(to_bytes(self.reference)).decode(),
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "Baseline":
        """The baseline that `to_json` wrote."""
        return cls(
            layout=Layout.from_json(value["layout"]),
            contrasts=tuple(_contrast(fields) for fields in value["contrasts"]),
            model=Model.from_json(value["model"]),
            season=Season(**value["season"]),
            window_hours=value["window_hours"],
            zone=value["zone"],
            first=datetime.fromisoformat(value["first"]),
            windows=value["windows"],
            grade=value["grade"],
            unwatched=tuple(value["unwatched"]),
            reference=from_bytes(base64.b64decode(value["reference"])),
        )

    @property
    def digest(self) -> str:
        """SHA-256 over the canonical JSON: names exactly this baseline in the audit log."""
        return digest_of(self.to_json())


def fit_baseline(
    layout: Layout,
    windows: Sequence[Window],
    *,
    window_hours: float,
    zone: str = "UTC",
    count_requests: bool = False,
) -> Baseline:
    """A baseline from windows in order of time, one per start, on a grid of `window_hours`.

    `count_requests`: their number is watched as well, calibrated apart from the features.

    Raises `Invalid` if there are too few of them, or if they are not on the grid.
    """
    if not windows:
        raise Invalid("A baseline is made of windows of traffic; there are none yet.")
    if HOURS_PER_WEEK % window_hours:
        raise Invalid("A window's length must divide a week: 1, 2, 3, 4, 6, 8, 12 or 24 hours.")
    places = _places(windows, window_hours)
    grid = int(places[-1]) + 1
    days = grid * window_hours / _HOURS_PER_DAY
    reference = total(window.summary for window in windows)
    contrasts = contrasts_of(layout, reference)
    x, rows = np.zeros((grid, len(contrasts))), np.zeros((grid, len(contrasts)))
    for place, window in zip(places, windows, strict=True):
        x[place], rows[place] = observe(layout, contrasts, window.summary)
    judged = (rows >= MIN_ROWS).sum(axis=0)
    grade = _grade(days, grid, int(judged.max(initial=0)))
    kept = np.flatnonzero(judged >= _WATCHED_RATIO * judged.max())
    contrasts = tuple(contrasts[place] for place in kept)
    step = timedelta(hours=window_hours)
    first = windows[0].start
    season = Season.identifiable(window_hours=window_hours, days=days)
    fit = partial(
        calibrate,
        season=season,
        hours=hours_of_week(
            [first + place * step for place in range(grid)], zone=zone, window_hours=window_hours
        ),
        fold=folds(grid, window_hours),
        window_hours=window_hours,
    )
    model = fit(
        x[:, kept],
        rows[:, kept],
        variance=np.array([contrast.variance for contrast in contrasts]),
        pairs=pairs_of(contrasts),
    )
    if count_requests:
        counted = np.zeros((grid, 2))
        counted[places] = [observed_requests(window.summary.rows) for window in windows]
        alone = requests_contrast()
        own = fit(counted[:, :1], counted[:, 1:], variance=np.ones(1), pairs=pairs_of([alone]))
        model, contrasts = model.beside(own), (*contrasts, alone)
    watched = {contrast.feature for contrast in contrasts}
    unwatched = tuple(shape.name for shape in layout.features if shape.name not in watched)
    return Baseline(
        layout=layout,
        contrasts=contrasts,
        model=model,
        season=season,
        window_hours=window_hours,
        zone=zone,
        first=first,
        windows=grid,
        grade=grade,
        unwatched=unwatched,
        reference=reference,
    )


def folds(windows: int, window_hours: float) -> NDArray[np.intp]:
    """Which fold each window of the grid is left out with: its week, or its day below 14 days.

    What is left after the last whole fold belongs to that one.
    """
    days = windows * window_hours / _HOURS_PER_DAY
    length = HOURS_PER_WEEK if days >= _FOLD_BY_WEEK_DAYS else _HOURS_PER_DAY
    number = (np.arange(windows) * window_hours // length).astype(np.intp)
    whole = int(windows * window_hours // length)
    return np.minimum(number, max(whole - 1, 0))


def total(summaries: Iterable[Summary]) -> Summary:
    """All of them merged; at least one."""
    merged: Summary | None = None
    for summary in summaries:
        merged = summary if merged is None else merge(merged, summary)
    if merged is None:
        raise Invalid("There is nothing to merge.")
    return merged


def coalesce(windows: Sequence[Window], *, most: int = 24) -> list[Window]:
    """Windows of low traffic merged with the ones before until they have 30 rows.

    At most `most` are merged into one; it takes the place (start) of the last of them, so that
    nothing is judged before it is complete. What is left over at the end is returned as it is:
    put it in front of the next windows.
    """
    found: list[Window] = []
    pending: Window | None = None
    merged = 0
    for window in windows:
        joined = window.summary if pending is None else merge(pending.summary, window.summary)
        pending, merged = Window(window.start, joined), merged + 1
        if joined.rows >= MIN_ROWS or merged >= most:
            found.append(pending)
            pending, merged = None, 0
    return [*found, pending] if pending is not None else found


def _places(windows: Sequence[Window], window_hours: float) -> NDArray[np.intp]:
    first = windows[0].start
    elapsed = [(window.start - first).total_seconds() for window in windows]
    exact = np.array(elapsed) / _SECONDS_PER_HOUR / window_hours
    places = np.rint(exact).astype(np.intp)
    if np.any(np.abs(exact - places) > 1e-6) or np.any(np.diff(places) <= 0):  # noqa: PLR2004
        raise Invalid(
            "The windows of a baseline must be in order of time, each once, and start a whole "
            "number of window lengths after the first."
        )
    return places


def _grade(days: float, grid: int, judged: int) -> Grade:
    if days < FEWEST_DAYS or judged < FEWEST_WINDOWS:
        raise Invalid(
            f"{days:.1f} days with {judged} windows of at least {MIN_ROWS} rows are too few for a "
            f"baseline: {FEWEST_DAYS:.0f} days and {FEWEST_WINDOWS} such windows are needed. "
            "Wait, or choose longer windows."
        )
    full = days >= FULL_DAYS and judged >= max(FULL_WINDOWS, _WATCHED_RATIO * grid)
    return "full" if full else "provisional"


def _listed(fields: dict[str, Any]) -> dict[str, Any]:
    return {
        name: list(value) if isinstance(value, tuple) else value for name, value in fields.items()
    }


def _contrast(fields: dict[str, Any]) -> Contrast:
    tuples: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()
    }
    return Contrast(**tuples)
