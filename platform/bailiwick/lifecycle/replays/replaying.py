"""From rows and settings to what each strategy came to, and a summary that people can read."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from bailiwick.lifecycle.backtest import (
    Outcome,
    Plan,
    Refits,
    Stream,
    recovered_ratio,
    regret_answers,
    regularised,
    replay,
)
from bailiwick.lifecycle.backtest.stream import LEAST_ROWS
from bailiwick.lifecycle.replays.policy import PolicyTerms, ReplayedPolicy
from bailiwick.lifecycle.replays.settings import HINDSIGHT, POLICY, ReplaySettings
from bailiwick.lifecycle.strategies import Hindsight, Strategy
from bailiwick.training import HeadRecipe

Beat = Callable[[dict[str, Any] | None], None]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Learning:
    """From which rows models learn: at most so many, and none that is older (days)."""

    window_days: int
    max_rows: int


@dataclass(frozen=True, slots=True)
class Work:
    """Where models are trained: by how many processes, in which folder, remembered in which."""

    folder: Path
    cache: Path
    processes: int
    beat_seconds: float


def plan_of(stream: Stream, settings: ReplaySettings) -> Plan:
    """Periods are answered from `since` on, or from the first that a model can answer."""
    first = stream.first_model()
    if settings.since is not None:
        spans = stream.spans
        served = sum(span.start < settings.since for span in spans)
        first = max(first, served - settings.label_delay - 1)
    return Plan(stream.spans, settings.label_delay, first)


def replay_beside(
    stream: Stream,
    plan: Plan,
    settings: ReplaySettings,
    terms: PolicyTerms | None,
    learning: Learning | None,
    work: Work,
    beat: Beat,
) -> list[Outcome]:
    """Replay while `beat` is called with the progress; what it raises ends all training.

    Raises `Invalid` where there is nothing to replay.
    """
    told: dict[str, Any] = {}

    def watch(what: str, done: int, steps: int) -> None:
        told.update(stage=what, step=done, steps=steps)

    def walked() -> list[Outcome]:
        return _outcomes(stream, plan, settings, terms, refits, watch)

    with (
        ThreadPoolExecutor(1) as thread,
        Refits(
            stream,
            settings.recipe,
            seed=settings.seed,
            cache=work.cache,
            folder=work.folder,
            processes=work.processes,
            oldest=None if learning is None else _oldest(stream, learning),
        ) as refits,
    ):
        return beside(thread, walked, lambda: beat(dict(told) or None), work.beat_seconds)


def beside(
    thread: ThreadPoolExecutor, work: Callable[[], T], beat: Callable[[], None], seconds: float
) -> T:
    """What `work` comes to in the thread, with a `beat` every so many seconds meanwhile."""
    working = thread.submit(work)
    while not wait([working], timeout=seconds).done:
        beat()
    return working.result()


def _outcomes(
    stream: Stream,
    plan: Plan,
    settings: ReplaySettings,
    terms: PolicyTerms | None,
    refits: Refits,
    watch: Callable[[str, int, int], None],
) -> list[Outcome]:
    """Of the strategies in the order in which they were named."""
    if isinstance(settings.recipe, HeadRecipe):
        refits.recipe = regularised(refits, settings.recipe, plan.spans[plan.first_model])
    rules: list[Strategy | Hindsight] = settings.named()
    if POLICY in settings.strategies and terms is not None:
        rules.insert(0, ReplayedPolicy.over(stream, plan, terms))
    found = replay(plan, rules, refits, watch)
    if HINDSIGHT in settings.strategies:
        found += replay(plan, [Hindsight(_as_often(found))], refits, watch)
    return found


def _as_often(found: Sequence[Outcome]) -> int:
    """As often as the policy, which is the first if it is there, or else as the last one did."""
    asked = found[0] if found[0].strategy == POLICY else found[-1]
    return asked.retrains


def _oldest(stream: Stream, learning: Learning) -> Callable[[int], int]:
    """The first row that the model of so many first rows learns from; of few rows, all count."""
    times = stream.table["time"].to_numpy()
    window = np.timedelta64(learning.window_days, "D")

    def oldest(learned: int) -> int:
        recent = int(np.searchsorted(times, times[learned - 1] - window))
        return max(min(recent, learned - LEAST_ROWS), learned - learning.max_rows, 0)

    return oldest


def result_of(plan: Plan, settings: ReplaySettings, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """All periods of all strategies as JSON, those of `bailiwick backtest --json` among it."""
    return {
        "settings": settings.to_json(),
        "periods": [
            {"period": span.name, "start": span.start.isoformat(), "end": span.end.isoformat()}
            for span in plan.spans[plan.first_served :]
        ],
        "strategies": {one.strategy: one.to_list() for one in outcomes},
        "summary": summary_of(plan, settings, outcomes),
    }


def summary_of(plan: Plan, settings: ReplaySettings, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """A line for each strategy. `cost_answers`: wrong answers, and each retraining at its price."""
    spans = plan.spans[plan.first_served :]
    return {
        "first": spans[0].start.isoformat(),
        "last": spans[-1].end.isoformat(),
        "rows": sum(span.rows for span in spans),
        "taught_by": plan.spans[plan.first_model].stop,
        "strategies": [
            {
                "strategy": one.strategy,
                "accuracy": one.accuracy,
                "macro_f1": one.macro_f1,
                "recovered_ratio": recovered_ratio(one, outcomes),
                "regret_answers": regret_answers(one, outcomes),
                "retrains": one.retrains,
                "alerts": sum(result.alerted for result in one.results),
                "cost_answers": round(one.wrong + settings.price_answers * one.retrains),
                "labels": one.labels,
                "train_seconds": round(one.train_seconds, 1),
            }
            for one in outcomes
        ],
    }
