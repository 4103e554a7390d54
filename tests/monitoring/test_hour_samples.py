"""Each hour keeps a bounded, uniform sample of its records, whatever batches they came in."""

from collections import Counter
from datetime import timedelta

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sqlalchemy import select

from bailiwick.monitoring.hours import (
    SAMPLED,
    Window,
    fold,
    newest_layout,
    sampled,
    settle_layout,
    spread,
)
from bailiwick.monitoring.hours.samples import smallest
from factories import Factory
from support.api_traffic import START, Traffic, inference

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


@given(st.lists(st.text(max_size=8), max_size=200), st.integers(0, 200))
def test_samples_of_two_parts_make_the_sample_of_both(ids: list[str], cut: int) -> None:
    assert smallest(smallest(ids[:cut]) + smallest(ids[cut:])) == smallest(ids)
    assert smallest(reversed(ids)) == smallest(ids)


def test_early_and_late_records_are_in_it_alike() -> None:
    ids = [f"{place:08}" for place in range(200_000)]
    tenths = Counter(
        int(one) % 500 // 50 for hour in range(400) for one in smallest(ids[hour * 500 :][:500])
    )
    assert tenths.total() == 400 * SAMPLED
    observed = np.array([tenths[one] for one in range(10)])
    # Without replacement the counts vary less than the test assumes; the seedless ids never do.
    assert stats.chisquare(observed).pvalue > 0.01


def test_an_hours_sample_follows_its_batches_and_the_newest_hours_are_read_first(
    make: Factory,
) -> None:
    traffic = Traffic(make, make.running())
    session, deployment, version = make.session, traffic.deployment, traffic.version
    early = [inference(row, at=START + row * MINUTE / 10) for row in range(300)]
    traffic.ask(*early)
    assert settle_layout(session, deployment.id, version.id, at=START + HOUR)
    traffic.ask(*(inference(300 + row, at=START + row * MINUTE / 10) for row in range(200)))
    traffic.ask(*(inference(500 + row, at=START + HOUR + row * MINUTE) for row in range(5)))
    layout = newest_layout(session, deployment.id, version.id)
    assert layout is not None
    while fold(session, layout.id, judged_before=None, at=START + 2 * HOUR):
        pass
    first, second = session.scalars(select(Window).order_by(Window.start))
    assert first.sample == smallest(f"r{row:05}" for row in range(500))
    assert len(first.sample) == SAMPLED
    assert sorted(second.sample) == [f"r{500 + row:05}" for row in range(5)]
    assert sampled(session, layout.id, most=7) == second.sample + first.sample[:2]
    assert sorted(spread(session, [layout.id], most=8)) == sorted(
        first.sample[:4] + second.sample[:4]
    )
    assert sampled(session, layout.id, Window.start < second.start, most=100) == first.sample
