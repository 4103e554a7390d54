"""Drift detectors side by side on the same streams: false alarms, delays, CPU and memory.

Ours against Evidently's DataDriftPreset, NannyML, alibi-detect and river's ADWIN, each as it comes.
Fifteen features, checks every hour; quiet deployment-years in five worlds, and changes of known
size. Peers are asked about windows of the very streams that ours judges, fewer of them because
their checks are dear; the table says how many. It ends with one line, and exits with 1 below the
bar.

    python benchmarks/drift.py          # the bar: hours on one core
    python benchmarks/drift.py --quick  # a look: minutes, once the peers are installed
"""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import drift_cost
import drift_ours
import drift_peers
import numpy as np
from drift_bar import ALARMS, OURS, Row, absent, ending, failures, worst
from drift_ours import FOUR_WEEKS, ONSET, QUIET, Watched
from drift_peers import PEERS, Absent, Peer
from drift_rows import write_stream
from drift_worlds import BEYOND, IN_THE_BAR, Change, Traffic, World
from report import publish

ROWS = (200, 1_000, 20_000)
DAY, WEEK = 24, 168

ABRUPT = (
    Change("numeric", 0.1, ONSET),
    Change("numeric", 0.2, ONSET),
    Change("numeric", 0.5, ONSET),
    Change("label", 0.05, ONSET),
    Change("label", 0.05, ONSET, spread=True),
)
GRADUAL = (
    Change("numeric", 0.1, ONSET, ramp=WEEK),
    Change("numeric", 0.5, ONSET, ramp=WEEK),
    Change("label", 0.05, ONSET, ramp=WEEK),
)


@dataclass(frozen=True, slots=True)
class Budget:
    """How much is measured.

    Ours: `years` a cell, `streams` a delay. Peers: quiet `checks` a cell and streams a delay, and
    how many windows after the onset are judged; less of all for peers whose checks are `dear`.
    """

    kind: str
    years: int = 20
    streams: int = 100
    checks: int = 240
    dear_checks: int = 60
    quiet_streams: int = 4
    peer_streams: int = 10
    dear_streams: int = 2
    patience: int = 240
    dear_windows: int = 24
    changes: tuple[Change, ...] = (*ABRUPT, *GRADUAL)
    beyond: bool = True
    sizes: tuple[int, ...] = drift_cost.SIZES


FULL = Budget("full")
QUICK = Budget(
    "quick",
    years=1,
    streams=10,
    checks=20,
    dear_checks=2,
    quiet_streams=1,
    peer_streams=2,
    dear_streams=1,
    patience=40,
    dear_windows=1,
    changes=(ABRUPT[0], ABRUPT[3]),
    beyond=False,
    sizes=drift_cost.SIZES[-1:],
)


OPTIONS = {
    "years": "deployment-years of ours a cell",
    "streams": "streams of ours a delay",
    "checks": "quiet checks of peers a cell",
    "quiet_streams": "streams that these are taken from",
    "dear_checks": "the same of dear peers",
    "peer_streams": "streams of peers a delay",
    "dear_streams": "the same of dear peers",
    "dear_windows": "windows after the onset that dear peers judge",
}


@dataclass(frozen=True, slots=True)
class Cell:
    """Files of one cell of the table and what peers are to do with them."""

    rows: int
    change: Change | None
    scattered: list[str] = field(default_factory=list)
    consecutive: list[str] = field(default_factory=list)

    def job(self, peer: Peer, budget: Budget) -> dict[str, Any]:
        """What `peers/answering.py` is asked."""
        files = self.consecutive if peer.steady else self.scattered
        if self.change is None:
            most = budget.dear_checks // len(files) if peer.dear else None
            return {"measure": "windows", "files": files, "most": most}
        streams = budget.dear_streams if peer.dear else budget.peer_streams
        return {
            "measure": "windows",
            "files": files[:streams],
            "every": self.every(peer),
            "most": budget.dear_windows if peer.dear else budget.patience,
            "until_alarm": True,
        }

    def every(self, peer: Peer) -> int:
        """Dear peers look at every eighth window of a change that takes a week."""
        return 8 if peer.dear and self.change and self.change.ramp else 1


def quiet_cell(folder: Path, traffic: Traffic, rows: int, budget: Budget) -> Cell:
    """Windows drawn from the year for those who judge each for itself, a run for ADWIN."""
    cell, random = Cell(rows, None), np.random.default_rng(rows)
    year = range(FOUR_WEEKS, traffic.rows.shape[1])
    streams = min(budget.quiet_streams, len(traffic.rows))
    for stream in range(streams):
        drawn = random.choice(year, budget.checks // streams, replace=False)
        run = range(year.start, year.start + (WEEK if rows < ROWS[-1] else DAY))
        # Drawn at random, so that the first ones are as good a sample as all of them.
        for windows, files, before in (
            (drawn.tolist(), cell.scattered, range(0)),
            (list(run), cell.consecutive, range(run.start - len(run), run.start)),
        ):
            path = folder / f"quiet-{rows}-{stream}-{len(before)}.npz"
            files.append(_written(path, traffic, stream, windows, before))
    return cell


def changed_cell(folder: Path, traffic: Traffic, rows: int, change: Change, budget: Budget) -> Cell:
    """The windows from the onset on, after the quiet week."""
    name = drift_ours.described(change).replace(" ", "-")
    files = [
        _written(
            folder / f"{name}-{stream}.npz",
            traffic,
            stream,
            range(ONSET, ONSET + budget.patience),
            range(ONSET - QUIET, ONSET),
        )
        for stream in range(min(budget.peer_streams, len(traffic.rows)))
    ]
    return Cell(rows, change, files, files)


def _written(
    path: Path, traffic: Traffic, stream: int, windows: Sequence[int], before: Sequence[int]
) -> str:
    seed = drift_ours.SEED + stream
    return str(
        write_stream(
            path, traffic, stream, baseline=FOUR_WEEKS, before=before, windows=windows, seed=seed
        )
    )


def one_world(world: World, budget: Budget) -> Iterator[Row]:
    """False alarms and delays of every detector in one world of the bar."""
    with TemporaryDirectory() as named:
        cells: list[Cell] = []

        def kept(batches: Iterator[Watched], rows: int, change: Change | None) -> Iterator[Watched]:
            for number, batch in enumerate(batches):
                if not number:
                    traffic, folder = batch.traffic, Path(named)
                    cells.append(
                        changed_cell(folder, traffic, rows, change, budget)
                        if change
                        else quiet_cell(folder, traffic, rows, budget)
                    )
                yield batch

        for rows in ROWS:
            years = drift_ours.quiet_years(world, rows, budget.years)
            yield drift_ours.false_alarms(kept(years, rows, None), world, rows)
        for change in budget.changes:
            streams = drift_ours.changed_streams(world, ROWS[1], change, budget.streams)
            batches = kept(streams, ROWS[1], change)
            yield drift_ours.delays(batches, world, ROWS[1], change)
        for peer in PEERS:
            yield from of_peer(peer, world, cells, budget)


def of_peer(peer: Peer, world: World, cells: Sequence[Cell], budget: Budget) -> Iterator[Row]:
    """The peer's figures for all cells of a world, or why there are none."""
    try:
        answers = drift_peers.ask(peer, [cell.job(peer, budget) for cell in cells])
    except Absent as reason:
        yield absent(peer.name, "false alarms and delays", str(reason), world.name)
        return
    quiet: dict[str, Row] = {}
    for number, cell in enumerate(cells):
        lines = [line for line in answers.lines if line["job"] == number]
        if cell.change is None:
            found = drift_peers.false_alarms(peer, world.name, cell.rows, lines)
            quiet |= {row.detector: row for row in found if cell.rows == ROWS[1]}
            yield from found
            continue
        what, every = drift_ours.described(cell.change), cell.every(peer)
        looked = (budget.dear_windows if peer.dear else budget.patience) * every
        note = f"{looked} windows looked at" + (f", every {every}th" if every > 1 else "")
        yield from (
            drift_peers.beside(row, quiet.get(row.detector))
            for row in drift_peers.delays(peer, world.name, cell.rows, what, lines, note=note)
        )


def beyond(budget: Budget) -> Iterator[Row]:
    """Ours where the bar does not look: harder worlds, and other baselines."""
    for world in BEYOND:
        for rows in ROWS[1:]:
            years = drift_ours.quiet_years(world, rows, budget.years)
            yield drift_ours.false_alarms(years, world, rows, bar=False)
        streams = drift_ours.changed_streams(world, ROWS[1], ABRUPT[0], budget.streams)
        yield drift_ours.delays(streams, world, ROWS[1], ABRUPT[0], bar=False)
    for world in IN_THE_BAR[1:3]:
        for rows, baseline, hours in (
            (ROWS[2], 28, DAY),
            (ROWS[1], WEEK, 1),
            (ROWS[1], 2 * WEEK, 1),
        ):
            years = drift_ours.quiet_years(
                world, rows, budget.years, baseline=baseline, window_hours=hours
            )
            yield drift_ours.false_alarms(
                years, world, rows, baseline=baseline, window_hours=hours, bar=False
            )


def costs(sizes: Sequence[int]) -> Iterator[Row]:
    """CPU and memory of every detector."""
    with TemporaryDirectory() as named:
        yield from drift_cost.ours(Path(named), sizes)
        for peer in PEERS:
            yield from drift_cost.theirs(peer, Path(named), sizes)


def measured(budget: Budget) -> Iterator[Row]:
    """Every row of the table."""
    yield from costs(budget.sizes)
    for world in IN_THE_BAR:
        yield from one_world(world, budget)
    if budget.beyond:
        yield from beyond(budget)


def chosen(*, quick: bool, bar_only: bool, **asked: int | None) -> Budget:
    """The budget with what was asked for; called partial if that is less than the bar's."""
    budget = QUICK if quick else FULL
    given = {name: value for name, value in asked.items() if value is not None}
    changed = replace(budget, beyond=budget.beyond and not bar_only, **given)
    if not quick and any(value < getattr(FULL, name) for name, value in given.items()):
        return replace(changed, kind="partial")
    return changed


def summary(rows: Sequence[Row], budget: Budget) -> Mapping[str, Any]:
    """What stands above the table in the results."""
    ours = [row.value for row in rows if row.detector == OURS and row.measured == ALARMS]
    return {
        "kind": budget.kind,
        "ours": f"{budget.years} deployment-years a cell, {budget.streams} streams a delay",
        "peers": f"{budget.checks} quiet checks a cell ({budget.dear_checks} of Evidently), "
        f"{budget.peer_streams} streams a delay ({budget.dear_streams})",
        "worst false alarms a year in the bar's worlds": worst(rows),
        "worst of ours anywhere": max(ours),
        "below the bar": "; ".join(failures(rows)) or "nothing",
        "end": ending(rows, kind=budget.kind),
    }


def main() -> int:
    """Measure, publish, and say by the exit status whether the bar was met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a look in minutes")
    parser.add_argument("--bar-only", action="store_true", help="no worlds beyond the bar")
    for name, help_text in OPTIONS.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, help=help_text)
    asked = parser.parse_args()
    given = {name: getattr(asked, name) for name in OPTIONS}
    budget = chosen(quick=asked.quick, bar_only=asked.bar_only, **given)
    rows = []
    for row in measured(budget):
        rows.append(row)
        print(row, file=sys.stderr, flush=True)
    name = "drift-quick" if asked.quick else "drift"  # a look replaces no measurement
    publish(name, [row.published() for row in rows], summary(rows, budget))
    return 1 if failures(rows) else 0


if __name__ == "__main__":
    sys.exit(main())
