"""What the drift benchmark computes, and that all detectors read one stream."""

import json
import sys
from dataclasses import replace
from math import inf
from pathlib import Path

import numpy as np
import pytest
from drift import FULL, Cell, of_peer
from drift_bar import (
    ABSENT,
    ADDED,
    ALARMS,
    CPU,
    DELAY,
    LABELS,
    OURS,
    PROCESS,
    SMALLEST,
    SUMMARISING,
    Row,
    cpu_ratio,
    ending,
    failures,
    worst,
)
from drift_peers import Absent, Peer, beside, delays, false_alarms, parsed, run, yearly
from drift_rows import reference_windows, rows_of, write_stream
from drift_worlds import CATEGORIES, FEATURES, IN_THE_BAR, NUMERIC, Change, World, simulate

from bailiwick.monitoring.summaries import cells, summarize

PEER = Peer("Pier", "pier")
PEERS_FOLDER = Path(__file__).parents[2] / "benchmarks" / "peers"
TOY = """
from answering import Detector, main
main("numpy", lambda stream: Detector(len, lambda rows: {"big": rows > 50, "huge": rows > 60}))
"""


def row(measured: str, detector: str = OURS, world: str = "iid", **also: object) -> Row:
    filled = {"rows": 1_000, "what": "", "sample": "", "value": 0.0} | also
    return Row(measured, detector, world, **filled)  # type: ignore[arg-type] - filled per test


def good() -> list[Row]:
    """All that the bar looks at, and within it."""
    found = [row(ALARMS, world=world.name, value=0.15) for world in IN_THE_BAR]
    for world in ("iid", "seasonal", "autocorrelated"):
        found.append(row(DELAY, world=world, what=SMALLEST, value=8.0, named=1.0))
        found.append(row(DELAY, world=world, what=LABELS, value=5.0, named=0.95))
    for rows in (1_000, 1_000_000):
        found.append(row(CPU, rows=rows, value=0.01))
        found.append(row(ADDED, rows=rows, value=3.0))
        found.append(row(PROCESS, rows=rows, value=150.0))
        found.append(row(SUMMARISING, rows=rows, value=0.99))
    return [*found, row(CPU, "Evidently", rows=1_000_000, value=20.0)]


def with_other(rows: list[Row], index: int, **also: object) -> list[Row]:
    return [replace(own, **also) if place == index else own for place, own in enumerate(rows)]


@pytest.mark.parametrize("world", [IN_THE_BAR[1], IN_THE_BAR[3]], ids=lambda world: world.name)
def test_the_rows_for_peers_have_the_very_counts_that_ours_reads(world: World) -> None:
    change = Change("numeric", 0.5, 60)
    traffic = simulate(world, seed=1, streams=2, windows=80, rows=300, baseline=50, change=change)
    for stream, window in ((0, 10), (1, 75)):
        rows = rows_of(traffic, stream, [window], np.random.default_rng(2))
        columns: dict[str, object] = {name: rows.numeric[:, k] for k, name in enumerate(NUMERIC)}
        for place, (name, shares) in enumerate(CATEGORIES.items()):
            known = np.array([f"{name} {k}" for k in range(len(shares))])
            columns[name] = known[rows.codes[:, place]]
        summary = summarize(traffic.layout, columns)
        for name in FEATURES:
            counted = cells(summary.parts[name])
            assert counted.tolist() == traffic.counts[name][stream, window].tolist()


def test_a_change_is_in_the_rows_of_the_features_that_it_moves() -> None:
    change = Change("numeric", 0.5, 60)
    traffic = simulate(
        World("iid"), seed=1, streams=1, windows=80, rows=1_000, baseline=50, change=change
    )
    random = np.random.default_rng(2)
    before = rows_of(traffic, 0, range(40, 60), random).numeric.mean(axis=0)
    after = rows_of(traffic, 0, range(60, 80), random).numeric.mean(axis=0)
    expected = [0.5 if name in traffic.moved[0] else 0.0 for name in NUMERIC]
    assert after - before == pytest.approx(expected, abs=0.05)


def test_the_same_seed_writes_the_same_stream(tmp_path: Path) -> None:
    traffic = simulate(World("iid"), seed=1, streams=1, windows=60, rows=100, baseline=50)
    once, again = (
        write_stream(
            tmp_path / f"{name}.npz",
            traffic,
            0,
            baseline=50,
            before=[],
            windows=[55, 51],
            seed=7,
        ).read_bytes()
        for name in "ab"
    )
    assert once == again


def test_a_reference_holds_enough_rows_and_enough_windows() -> None:
    random = np.random.default_rng(0)
    assert len(reference_windows(200, 672, random)) == 100
    assert len(reference_windows(20_000, 672, random)) == 42
    assert reference_windows(1, 50, random) == list(range(50))


def test_a_share_of_checks_becomes_alarms_a_year_with_its_exact_interval() -> None:
    value, low, high = yearly(10, 100)
    assert value == 876
    assert (low, high) == pytest.approx((8_760 * 0.0490, 8_760 * 0.1762), rel=1e-3)
    # None of sixty leaves 1 - 0.025 ** (1 / 60) of a year possible; all of sixty, the rest.
    assert yearly(0, 60) == pytest.approx((0, 0, 8_760 * (1 - 0.025 ** (1 / 60))))
    assert yearly(60, 60) == pytest.approx((8_760, 8_760 * 0.025 ** (1 / 60), 8_760))
    with pytest.raises(ValueError, match="no share"):
        yearly(0, 0)


def test_answers_are_found_among_what_libraries_print() -> None:
    judged = '{"job": 0, "file": 0, "window": 3, "alarms": {"some column": true}}'
    head = '{"library": "pier", "version": "1.2"}'
    answers = parsed(f'None of PyTorch was found.\n{head}\n{judged}\nbye\n{{"done": true}}\n')
    assert answers.library == "pier 1.2"
    assert [line["window"] for line in answers.lines] == [3]
    with pytest.raises(Absent, match="stopped in the middle"):
        parsed(f"{head}\n{judged}\n")
    with pytest.raises(Absent, match="answered nothing"):
        parsed("Segmentation fault\n")


def test_false_alarms_count_judged_windows_alone_and_verdicts_apart() -> None:
    lines = [
        {"file": 0, "window": 0, "alarms": {"some": True, "half": False}},
        {"file": 0, "window": 1, "alarms": None},
        {"file": 1, "window": 0, "alarms": {"some": False, "half": False}},
    ]
    some, half = false_alarms(PEER, "iid", 200, lines)
    assert (some.detector, some.value, some.sample) == ("Pier, some", 4_380, "2 checks, 2 streams")
    assert (half.detector, half.value) == ("Pier, half", 0)


def test_a_delay_ends_with_the_first_alarm_and_may_never_end() -> None:
    lines = [
        {"file": 0, "window": 0, "alarms": {"some": False}},
        {"file": 0, "window": 8, "alarms": {"some": True}},
        {"file": 0, "window": 16, "alarms": {"some": True}},
    ]
    quiet = [{"file": 1, "window": window, "alarms": {"some": False}} for window in (0, 8)]
    (seen,) = delays(PEER, "iid", 1_000, SMALLEST, lines, note="24 windows")
    assert seen.value == 9
    (missed,) = delays(PEER, "iid", 1_000, SMALLEST, [*lines, *quiet], note="24 windows")
    assert missed.value == inf
    assert missed.published()["value"] == "never"
    assert "1 of 2 never" in missed.note
    assert "in 50% of quiet" in beside(seen, row(ALARMS, value=4_380.0)).note


def test_what_meets_the_bar_fails_nothing() -> None:
    assert failures(good()) == []
    assert ending(good(), kind="full").endswith("the bar is met")


@pytest.mark.parametrize(
    ("index", "also", "said"),
    [
        (3, {"value": 1.05}, "1.05 false alarms a year: heavy tails"),
        (5, {"value": 8.5}, "8.5 windows to the alarm: iid"),
        (6, {"value": inf}, "inf windows to the alarm: iid, abrupt 5 points"),
        (9, {"value": 61.0}, "61 windows to the alarm: autocorrelated"),
        (10, {"named": 0.94}, "right feature first in 94%"),
        (15, {"value": 0.051}, "51.0 ms a check"),
        (15, {"value": 0.021}, "2.1 times the CPU"),
        (16, {"value": 101.0}, "101 MB for a check"),
        (19, {"value": 0.99}, "only 99 times less CPU"),
        (19, {"detector": "Evidence"}, "no ratio to Evidently"),
    ],
)
def test_whatever_lies_below_the_bar_is_said(
    index: int, also: dict[str, object], said: str
) -> None:
    rows = with_other(good(), index, **also)
    assert any(said in sentence for sentence in failures(rows))
    assert said in ending(rows, kind="full").partition("BELOW THE BAR: ")[2]


def test_the_bar_judges_neither_peers_nor_worlds_beyond_it() -> None:
    beyond = row(ALARMS, world="slow wander", value=9.0, bar=False)
    peer = row(ALARMS, "Pier, some", value=8_000.0)
    assert failures([*good(), beyond, peer]) == []
    assert worst([*good(), beyond, peer]) == {OURS: 0.15, "Pier, some": 8_000.0}
    end = ending([*good(), peer], kind="full")
    assert "worst 0.15 false alarms a deployment-year (Pier by some 8,000)" in end


def test_the_ratio_is_shown_with_and_without_summarising() -> None:
    assert cpu_ratio(good()) == pytest.approx(2_000)
    assert cpu_ratio(good(), summarising=True) == pytest.approx(20)
    assert "2,000 times less CPU" in ending(good(), kind="quick")
    assert "(20 times with summarising" in ending(good(), kind="quick")


def test_a_cost_that_was_not_measured_is_no_pass() -> None:
    rows = [own for own in good() if own.measured != ADDED]
    assert "the cost of a check was not measured" in failures(rows)


def test_an_absent_peer_is_a_row_with_its_reason_and_is_named_at_the_end() -> None:
    cells_of = [Cell(200, None, ["0.npz"], ["0.npz"])]
    rows = list(of_peer(Peer("Pier", "no_such_script"), World("iid"), cells_of, FULL))
    assert [(own.measured, own.detector) for own in rows] == [(ABSENT, "Pier")]
    assert "No such file" in rows[0].note
    assert rows[0].published()["value"] == ABSENT
    end = ending([*good(), *rows], kind="quick")
    assert end.startswith("quick: ")
    assert "not measured everywhere: Pier (failed: " in end


def test_what_cannot_be_installed_says_so_in_the_installer_s_last_words() -> None:
    words = "ERROR: No matching distribution found for pier==9"
    script = f"import sys; print('Looking in indexes', file=sys.stderr); sys.exit({words!r})"
    with pytest.raises(Absent, match=f"not installed: {words}"):
        run([sys.executable, "-c", script], failed="not installed")
    with pytest.raises(Absent, match="no answer in 0"):
        run([sys.executable, "-c", "import time; time.sleep(60)"], seconds=0.01)


def test_a_peer_judges_windows_in_order_until_every_verdict_has_alarmed(tmp_path: Path) -> None:
    script, path = tmp_path / "toy.py", tmp_path / "0.npz"
    script.write_text(f"import sys\nsys.path.insert(0, {str(PEERS_FOLDER)!r})\n{TOY}")
    traffic = simulate(World("iid"), seed=1, streams=1, windows=60, rows=40, baseline=50)
    traffic.rows[0, 50:56] = sizes = np.array([40, 20, 55, 70, 40, 40])
    for name in FEATURES:
        counts = traffic.counts[name]
        counts[0, 50:56] = 0
        counts[0, 50:56, 0] = sizes
    write_stream(path, traffic, 0, baseline=50, before=range(45, 50), windows=range(50, 56), seed=1)
    jobs = [
        {"measure": "windows", "files": [str(path)], "until_alarm": True},
        {"measure": "windows", "files": [str(path)], "every": 2, "most": 2},
        {"measure": "cost", "files": [str(path)]},
    ]
    answers = parsed(run([sys.executable, script, json.dumps(jobs)]))
    assert answers.library == f"numpy {np.__version__}"
    judged = [(line["job"], line["window"], line["alarms"]) for line in answers.lines[:-1]]
    assert judged == [
        (0, 0, {"big": False, "huge": False}),
        (0, 1, None),
        (0, 2, {"big": True, "huge": False}),
        (0, 3, {"big": True, "huge": True}),
        (1, 0, {"big": False, "huge": False}),
        (1, 2, {"big": True, "huge": False}),
    ]
    cost = answers.lines[-1]
    assert cost["peak_bytes"] >= cost["loaded_bytes"] > 0
    assert cost["cpu_seconds"] >= 0
