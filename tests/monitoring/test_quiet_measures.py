"""Embeddings and repeats through a year in which nothing changes, and when something does."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pytest

from bailiwick.monitoring.baselines import Baseline, Window, fit_baseline
from bailiwick.monitoring.embeddings import directions_of, packed
from bailiwick.monitoring.eprocess import Sensitivity, detector, fresh, restarted, step
from bailiwick.monitoring.explanations import suspects
from bailiwick.monitoring.shapes import EmbeddingShape, Layout, RepeatShape
from support.quiet_traffic import window

LAYOUT = Layout((EmbeddingShape("embedding"), RepeatShape("text_key")))
BASELINE, YEAR = 672, 8_760
TEXTS = 4_000


@dataclass
class Texts:
    """Two kinds of texts, of which one is asked for by day, the other by night; more by day."""

    random: np.random.Generator

    @cached_property
    def known(self) -> list[bytes]:
        vectors = self.random.normal(size=(2 * TEXTS, 32))
        vectors[TEXTS:, 0] += 2.0
        return packed(directions_of(vectors))

    @cached_property
    def others(self) -> list[bytes]:
        """As often as the first kind, and about something else."""
        vectors = self.random.normal(size=(TEXTS, 32))
        vectors[:, 1] += 2.0
        return packed(directions_of(vectors))

    def hour(self, hour: int, *, others: float = 0.0) -> Window:
        """One window; a share of its texts are others, which repeat as often."""
        by_day = (1 + np.cos(2 * np.pi * hour / 24)) / 2
        rows = round(60 + 60 * by_day)
        kind = self.random.random(rows) < 0.2 + 0.6 * by_day
        chosen = self.random.integers(TEXTS // 4, size=rows) + kind * TEXTS
        strange = self.random.random(rows) < others
        pairs = zip(chosen.tolist(), strange.tolist(), strict=True)
        columns: dict[str, Any] = {
            "embedding": [
                self.others[place % TEXTS] if odd else self.known[place] for place, odd in pairs
            ],
            "text_key": list(map(str, chosen.tolist())),
        }
        return window(hour, columns, LAYOUT)


def alarms(baseline: Baseline, windows: list[Window]) -> tuple[list[int], list[str]]:
    """Places of the alarms, after each of which evidence starts anew; what each suspects first."""
    watching = detector(
        baseline.model, baseline.contrasts, baseline.pairs, Sensitivity(), window_hours=1
    )
    state = fresh(watching)
    places, first = [], []
    design = baseline.design([own.start for own in windows])
    for place, own in enumerate(windows):
        x, rows = baseline.observe(own.summary)
        state, judgement = step(watching, state, design[place], x, rows)
        if judgement.alarm:
            places.append(place)
            first.append(suspects(watching, baseline.contrasts, judgement)[0].feature)
            state = restarted(state)
    return places, first


@pytest.fixture(scope="module")
def texts() -> Texts:
    return Texts(np.random.default_rng(61))


@pytest.fixture(scope="module")
def baseline(texts: Texts) -> Baseline:
    return fit_baseline(LAYOUT, [texts.hour(hour) for hour in range(BASELINE)], window_hours=1)


def test_a_year_without_change_alarms_at_most_once(texts: Texts, baseline: Baseline) -> None:
    year = [texts.hour(hour) for hour in range(BASELINE, BASELINE + YEAR)]
    assert len(alarms(baseline, year)[0]) <= 1


def test_what_only_the_embedding_sees_is_found_within_days(
    texts: Texts, baseline: Baseline
) -> None:
    quiet = [texts.hour(hour) for hour in range(BASELINE, BASELINE + 24)]
    after = range(BASELINE + 24, BASELINE + 120)
    places, first = alarms(baseline, quiet + [texts.hour(hour, others=0.4) for hour in after])
    assert 24 <= places[0] < 24 + 48
    assert first[0] == "embedding"
