"""A backtest: strategies walked through a stream, and the yardstick of hindsight."""

from collections.abc import Callable, Sequence

import numpy as np

from bailiwick.core.clock import ReplayClock
from bailiwick.lifecycle.backtest.hindsight import best_schedule
from bailiwick.lifecycle.backtest.learner import Judged, Learner, Rows
from bailiwick.lifecycle.backtest.report import Outcome
from bailiwick.lifecycle.backtest.walk import Plan, Result, walk
from bailiwick.lifecycle.strategies import Hindsight, Strategy

Watch = Callable[[str, int, int], None]  # what is done, steps done, steps there are


def replay(
    plan: Plan, strategies: Sequence[Strategy | Hindsight], learner: Learner, watch: Watch
) -> list[Outcome]:
    """The outcome of each strategy, in their order. Raises `Invalid` if there is nothing to replay.

    Models are trained once and shared: each is made of the rows known at some period's end.
    """
    rules = [one for one in strategies if not isinstance(one, Hindsight)]
    clock = ReplayClock(plan.spans[plan.first_served - 1].end)
    periods = range(plan.first_served, len(plan.spans))
    outcomes: dict[str, Outcome] = {}
    if any(isinstance(one, Hindsight) for one in strategies):
        table = _table(plan, learner, watch)
        for one in strategies:
            if isinstance(one, Hindsight):
                outcomes[one.name] = _hindsight(plan, one, table, learner)
    for done, courses in enumerate(walk(plan, rules, learner, clock) if rules else ()):
        watch("periods", done + 1, len(periods))
        for course in courses:
            name = course.strategy.name
            outcomes[name] = Outcome(name, tuple(course.results), course.labels)
    return [outcomes[one.name] for one in strategies]


def _table(plan: Plan, learner: Learner, watch: Watch) -> list[list[Judged | None]]:
    """How the model of each period's end answers each later one (models, served periods)."""
    models = range(plan.first_model, len(plan.spans) - 1 - plan.label_delay)

    def asked(model: int) -> list[tuple[int, Rows]]:
        later = range(model + plan.label_delay + 1, len(plan.spans))
        spans = [(place, plan.spans[place]) for place in later]
        return [(place, (span.first, span.stop)) for place, span in spans if span.rows]

    for model in models:
        learner.prepare(plan.spans[model].stop, [rows for _, rows in asked(model)])
    table: list[list[Judged | None]] = []
    for done, model in enumerate(models):
        row: list[Judged | None] = [None] * (len(plan.spans) - plan.first_served)
        places = [place - plan.first_served for place, _ in asked(model)]
        answers = learner.judge(plan.spans[model].stop, [rows for _, rows in asked(model)])
        for place, judged in zip(places, answers, strict=True):
            row[place] = judged
        table.append(row)
        watch("hindsight's models", done + 1, len(models))
    return table


def _hindsight(
    plan: Plan, yardstick: Hindsight, table: list[list[Judged | None]], learner: Learner
) -> Outcome:
    accuracies = np.array([[one.accuracy if one else 0.0 for one in row] for row in table])
    newest = [period - plan.first_served for period in range(plan.first_served, len(plan.spans))]
    schedule = best_schedule(accuracies, newest, yardstick.retrains)
    seconds = [
        learner.train_seconds(plan.spans[plan.first_model + model].stop) for model in schedule
    ]
    results = []
    for place, (model, following) in enumerate(
        zip(schedule, [*schedule[1:], schedule[-1]], strict=True)
    ):
        span, judged = plan.spans[plan.first_served + place], table[model][place]
        trained = (seconds[0] if place == 0 else 0.0) + (
            seconds[place + 1] if following != model else 0.0
        )
        results.append(
            Result(
                span.name,
                span.rows,
                judged.accuracy if judged else None,
                judged.macro_f1 if judged else None,
                retrained=following != model,
                alerted=False,
                train_seconds=trained,
            )
        )
    return Outcome(yardstick.name, tuple(results), plan.spans[plan.first_model + schedule[-1]].stop)
