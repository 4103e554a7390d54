"""Our detector on simulated streams: how often it cries wolf, and how soon it sees a change.

False alarms: simulated deployment-years without drift, every alarm counted, evidence starting anew
after each. Delays: windows from the onset to the first alarm, the alarm's own window included; a
stream without an alarm in the time given counts as never. Seeds here were used for nothing else.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from drift_bar import ALARMS, DELAY, OURS, Row
from drift_worlds import Array, Change, Traffic, World, simulate

from bailiwick.monitoring.baselines import folds
from bailiwick.monitoring.calibration import Model, calibrate, pairs_of
from bailiwick.monitoring.contrasts import Contrast, contrasts_of
from bailiwick.monitoring.eprocess import (
    Detector,
    Judgement,
    Sensitivity,
    detector,
    fresh,
    restarted,
    step,
)
from bailiwick.monitoring.explanations import Shift, shift_of, suspects
from bailiwick.monitoring.seasons import HOURS_PER_WEEK, Season

FOUR_WEEKS, QUIET, PATIENCE = 672, 168, 500
BATCH = 20  # streams simulated at once: memory
SEED = 20_280_000
ONSET = FOUR_WEEKS + QUIET
# A monitor's default of one false alarm a year, less the quarter that is kept for its labels.
AS_INSTALLED = Sensitivity(false_alarms_per_year=0.75)


@dataclass(frozen=True, slots=True)
class Watched:
    """Simulated streams and the detectors fitted to the first windows of each."""

    traffic: Traffic
    design: Array
    detector: Detector
    contrasts: tuple[Contrast, ...]


@dataclass(frozen=True, slots=True)
class Alarm:
    """Window (counted from the start of the stream), the feature named first, its contrast."""

    window: int
    first: str
    place: int


def watched(
    world: World,
    *,
    seed: int,
    streams: int,
    windows: int,
    rows: int,
    baseline: int = FOUR_WEEKS,
    window_hours: int = 1,
    change: Change | None = None,
) -> Watched:
    """Simulate, and fit a baseline to the first windows of each stream."""
    traffic = simulate(
        world,
        seed=seed,
        streams=streams,
        windows=windows,
        rows=rows,
        baseline=baseline,
        window_hours=window_hours,
        change=change,
    )
    days = baseline * window_hours / 24
    season = Season.identifiable(window_hours=window_hours, days=days)
    hours = (np.arange(windows) + 0.5) * window_hours % HOURS_PER_WEEK
    asked = [contrasts_of(traffic.layout, reference) for reference in traffic.references]
    pairs = pairs_of(asked[0])
    models = [
        calibrate(
            x[:baseline],
            counted[:baseline],
            season=season,
            hours=hours[:baseline],
            fold=folds(baseline, window_hours),
            variance=np.array([contrast.variance for contrast in contrasts]),
            pairs=pairs,
            window_hours=window_hours,
        )
        for x, counted, contrasts in zip(traffic.x, traffic.counted, asked, strict=True)
    ]
    ready = detector(
        Model.stacked(models),
        asked[0],
        pairs,
        AS_INSTALLED,
        window_hours=window_hours,
        provisional=days < 28,  # noqa: PLR2004 - four weeks
    )
    return Watched(traffic, season.design(hours), ready, asked[0])


def alarms(streams: Watched, *, start: int, first_after: int | None = None) -> list[list[Alarm]]:
    """Alarms of each stream from window `start` on; until all have one after `first_after`."""
    traffic, state = streams.traffic, fresh(streams.detector)
    found: list[list[Alarm]] = [[] for _ in traffic.references]
    for window in range(start, traffic.rows.shape[1]):
        x, counted = traffic.x[:, window], traffic.counted[:, window]
        state, judgement = step(streams.detector, state, streams.design[window], x, counted)
        for stream in np.flatnonzero(judgement.alarm):
            found[stream].append(_alarm(streams, judgement, int(stream), window))
            state.evidence[stream] = restarted(state).evidence[stream]
        if first_after is not None and all(own and own[-1].window >= first_after for own in found):
            break
    return found


def _alarm(streams: Watched, judgement: Judgement, stream: int, window: int) -> Alarm:
    own = Judgement(
        judgement.evidence[stream], judgement.threshold, judgement.of_contrast[stream], judged=True
    )
    first = suspects(streams.detector, streams.contrasts, own)[0]
    return Alarm(window, first.feature, first.contrast)


def quiet_years(
    world: World, rows: int, years: int, *, baseline: int = FOUR_WEEKS, window_hours: int = 1
) -> Iterator[Watched]:
    """Batches of deployment-years without drift, after their baselines."""
    for number, done in enumerate(range(0, years, BATCH)):
        yield watched(
            world,
            seed=SEED + 1_000 * rows + number,
            streams=min(BATCH, years - done),
            windows=baseline + 8_760 // window_hours,
            rows=rows,
            baseline=baseline,
            window_hours=window_hours,
        )


def changed_streams(world: World, rows: int, change: Change, streams: int) -> Iterator[Watched]:
    """Batches of streams with a quiet week after the baseline, then the change."""
    for number, done in enumerate(range(0, streams, BATCH)):
        yield watched(
            world,
            seed=SEED + 500_000 + 1_000 * rows + number,
            streams=min(BATCH, streams - done),
            windows=ONSET + PATIENCE,
            rows=rows,
            change=change,
        )


def false_alarms(
    batches: Iterator[Watched],
    world: World,
    rows: int,
    *,
    baseline: int = FOUR_WEEKS,
    window_hours: int = 1,
    bar: bool = True,
) -> Row:
    """Mean alarms a year over the quiet deployment-years of `batches`."""
    counts = [len(own) for batch in batches for own in alarms(batch, start=baseline)]
    return Row(
        ALARMS,
        OURS,
        world.name,
        rows,
        f"{baseline} x {window_hours} h baseline",
        f"{len(counts)} years",
        float(np.mean(counts)),
        f"most in a year {max(counts)}",
        bar=bar,
    )


def described(change: Change) -> str:
    """The change as the table names it."""
    kind = "gradual" if change.ramp else "abrupt"
    points = change.kind == "label"
    size = f"{change.size * 100:g} points" if points else f"{change.size:g} sd"
    return f"{kind} {size}" + (" from all labels" if change.spread else "")


def delays(
    batches: Iterator[Watched], world: World, rows: int, change: Change, *, bar: bool = True
) -> Row:
    """Median windows to the alarm, share of right features first, and coverage of intervals."""
    late: list[float] = []
    named, onsets, sizes = [], [], []
    for batch in batches:
        for stream, own in enumerate(alarms(batch, start=FOUR_WEEKS, first_after=change.onset)):
            first = next((alarm for alarm in own if alarm.window >= change.onset), None)
            late.append(first.window - change.onset + 1 if first else np.inf)
            if first is None:
                continue
            named.append(first.first in batch.traffic.moved[stream])
            shift = _shift(batch, stream, first)
            began = change.onset - FOUR_WEEKS
            onsets.append(shift.earliest <= began <= shift.latest)
            now = change.course(first.window + 1)[-1]
            sizes.append(shift.lower <= now <= shift.upper)
    low, high = np.quantile(late, [0.1, 0.9], method="lower")
    return Row(
        DELAY,
        OURS,
        world.name,
        rows,
        described(change),
        f"{len(late)} streams",
        float(np.median(late)),
        f"10 to 90 %: {low:g} to {high:g}; right feature first {_share(named)}; "
        f"onset in its interval {_share(onsets)}"
        + ("" if change.kind == "label" else f", size {_share(sizes)}"),
        named=float(np.mean(named)) if named else 0.0,
        bar=bar,
    )


def _share(found: list[bool]) -> str:
    return f"{np.mean(found):.0%}" if found else "none"


def _shift(streams: Watched, stream: int, alarm: Alarm) -> Shift:
    traffic, model = streams.traffic, streams.detector.model
    own = Model(*(getattr(model, name)[stream] for name in Model.__slots__))
    alone = Detector(
        own,
        streams.detector.pairs,
        streams.detector.tolerance,
        streams.detector.weights,
        streams.detector.threshold,
    )
    history = slice(FOUR_WEEKS, alarm.window + 1)
    expected = streams.design[history] @ own.coefficients[:, alarm.place]
    return shift_of(
        alone,
        streams.contrasts[alarm.place],
        alarm.place,
        x=traffic.x[stream, history, alarm.place],
        rows=traffic.counted[stream, history, alarm.place],
        expected=expected,
        sensitivity=AS_INSTALLED,
    )
