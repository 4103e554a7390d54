"""A backtest of a real file with real models: repeatable, resumable, blind to the future."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bailiwick.core.errors import Invalid
from bailiwick.lifecycle.backtest import Outcome, Plan, Refits, Stream, refits, regularised, replay
from bailiwick.lifecycle.strategies import strategy_named
from bailiwick.training import HeadRecipe
from support.backtests import InProcess, purchases, stream_of

pytestmark = pytest.mark.torch
RECIPE = HeadRecipe(buckets=2048, epochs=4, batch_rows=64)
NAMES = ("frozen", "every-period", "periodic:2", "threshold", "cost-aware", "hindsight:2")


@pytest.fixture(autouse=True)
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, object]]]:
    """What is trained and judged, in this process."""
    monkeypatch.setattr(refits, "_Child", InProcess)
    InProcess.asked = []
    return InProcess.asked


def replayed(stream: Stream, folder: Path, *names: str, delay: int = 0) -> list[Outcome]:
    plan = Plan(stream.spans, delay, stream.first_model())
    strategies = [strategy_named(name, budget=None) for name in names]
    with Refits(
        stream, RECIPE, seed=1, cache=folder / "cache", folder=folder / "work", processes=1
    ) as learner:
        return replay(plan, strategies, learner, lambda *_: None)


@pytest.mark.parametrize("delay", [0, 1])
def test_future_rows_replaced_by_garbage_change_nothing_before_them(
    tmp_path: Path, delay: int
) -> None:
    content = purchases(7)
    kept = [row for row in content if row[0] < "2023-05-01"]
    later = [row for row in content if row[0] >= "2023-05-01"]
    garbage = [
        (day, f"zz{number} qq", f"Junk {number % 7}") for number, (day, *_) in enumerate(later)
    ]
    names = [name for name in NAMES if not name.startswith("hindsight")]
    true = replayed(stream_of(tmp_path / "a", content), tmp_path / "a", *names, delay=delay)
    false = replayed(stream_of(tmp_path / "b", kept + garbage), tmp_path / "b", *names, delay=delay)
    for mine, theirs in zip(true, false, strict=True):
        before = 3 - delay  # periods that are answered and have ended before May
        for one, other in zip(mine.results[:before], theirs.results[:before], strict=True):
            assert (one.accuracy, one.macro_f1) == (other.accuracy, other.macro_f1)
            assert (one.retrained, one.alerted) == (other.retrained, other.alerted)
        assert mine.results[before:] != theirs.results[before:]


def test_retraining_recovers_what_freezing_loses(tmp_path: Path) -> None:
    outcomes = replayed(stream_of(tmp_path, purchases(8)), tmp_path, *NAMES)
    frozen, every, two, _, aware, best = outcomes
    assert every.accuracy > frozen.accuracy + 0.15
    assert frozen.accuracy < two.accuracy <= every.accuracy
    assert frozen.accuracy < aware.accuracy
    assert frozen.labels < every.labels
    assert best.retrains <= 2


def test_what_was_trained_once_is_not_trained_again(
    tmp_path: Path, asked: list[dict[str, object]]
) -> None:
    stream = stream_of(tmp_path, purchases(6))
    first = replayed(stream, tmp_path, *NAMES)
    learned = [tuple(request["learn"]) for request in asked]  # type: ignore[arg-type]  # a pair
    assert len(set(learned)) <= 5 + 4  # a model for each period but the last, and the trials
    asked.clear()
    assert replayed(stream, tmp_path, *NAMES) == first
    assert asked == []


def test_half_a_cache_is_gone_on_from(tmp_path: Path, asked: list[dict[str, object]]) -> None:
    stream = stream_of(tmp_path, purchases(6))
    first = replayed(stream, tmp_path, "every-period")
    files = sorted((tmp_path / "cache").iterdir())
    files[0].unlink()
    files[1].write_bytes(files[1].read_bytes()[:40])  # as a full disk leaves it
    asked.clear()
    again = replayed(stream, tmp_path, "every-period")
    assert [one.accuracy for one in again[0].results] == [one.accuracy for one in first[0].results]
    assert len({str(request["learn"]) for request in asked}) == 2


def test_no_text_and_no_label_is_kept_in_the_cache(tmp_path: Path) -> None:
    replayed(stream_of(tmp_path, purchases(4)), tmp_path, "every-period")
    content = b"".join(path.read_bytes() for path in (tmp_path / "cache").iterdir())
    assert content
    assert not [word for word in (b"shop", b"Fuel", b"Books") if word in content]


def test_the_regularisation_is_chosen_on_the_first_period_alone(
    tmp_path: Path, asked: list[dict[str, object]]
) -> None:
    stream = stream_of(tmp_path, purchases(3, rows=200))
    with Refits(
        stream, RECIPE, seed=1, cache=tmp_path / "c", folder=tmp_path / "w", processes=1
    ) as learner:
        chosen = regularised(learner, RECIPE, stream.spans[0])
    assert isinstance(chosen, HeadRecipe)
    assert len(asked) == 3
    stops = [max(request["judge"])[1] for request in asked]  # type: ignore[call-overload]  # pairs
    assert set(stops) == {stream.spans[0].stop}


def test_one_label_and_too_few_rows_are_said(tmp_path: Path) -> None:
    alike = [(day, shop, "Fuel") for day, shop, _ in purchases(2)]
    with pytest.raises(Invalid, match="All 180 rows carry one label"):
        stream_of(tmp_path / "alike", alike).first_model()
    with pytest.raises(Invalid, match="There are 30 rows, too few"):
        stream_of(tmp_path / "few", purchases(1, rows=30)).first_model()


def test_the_first_model_waits_for_enough_rows(tmp_path: Path) -> None:
    stream = stream_of(tmp_path, purchases(4, rows=20))
    assert stream.first_model() == 2
