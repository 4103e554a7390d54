"""Periods: every moment in exactly one, and the same numbers as the monitoring's own windows."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from bailiwick.console.periods import Calendar, accuracy_by_period, observed
from bailiwick.lifecycle import Platform
from bailiwick.lineage import Dataset
from bailiwick.lineage.taxonomies import Renames, set_taxonomy
from bailiwick.monitoring import Outcome, accuracy_between, log_feedback
from bailiwick.registry import Deployment
from console.story import Story
from support.api_traffic import START
from support.kept_records import DAY, Kept, days

moments = st.datetimes(datetime(2000, 1, 1), datetime(2060, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - the strategy adds the zone


@pytest.mark.parametrize(
    ("days", "unit", "name"),
    [
        (5, "day", "5 Mar 2024"),
        (60, "week", "4 Mar 2024"),
        (700, "month", "Mar 2024"),
        (2_000, "quarter", "Q1 2024"),
    ],
)
def test_the_length_of_a_period_fits_the_span(days: int, unit: str, name: str) -> None:
    first = datetime(2024, 3, 5, 12, tzinfo=UTC)
    calendar = Calendar.over(first, first + timedelta(days=days))
    assert calendar.unit == unit
    assert calendar.name(calendar.starts[0]) == name


@given(moments, st.floats(0, 9_000))
def test_periods_follow_each_other_and_contain_the_whole_span(first: datetime, days: float) -> None:
    last = first + timedelta(days=days)
    starts = Calendar.over(first, last).starts
    assert starts[0] <= first
    assert starts[-2] <= last < starts[-1]
    assert list(starts) == sorted(set(starts))


def test_periods_hold_what_windows_of_the_same_span_hold(story: Story) -> None:
    with story.platform.database.reading() as session:
        ids = [story.governed, story.frozen]
        span = observed(session, ids)
        assert span is not None
        calendar = Calendar.over(*span)
        found = accuracy_by_period(session, ids, calendar)
        known_at = story.platform.clock.now()
        for identifier in ids:
            expected = [
                accuracy_between(session, identifier, start=start, end=end, known_at=known_at)
                for start, end in zip(calendar.starts, calendar.starts[1:], strict=False)
            ]
            assert found[identifier] == [period for period in expected if period.rows]


def test_a_corrected_label_counts_once_and_the_newest_one_counts(story: Story) -> None:
    platform = story.platform
    with platform.database.transaction() as session:
        ids = [story.governed]
        span = observed(session, ids)
        assert span is not None
        calendar = Calendar.over(*span)
        before = accuracy_by_period(session, ids, calendar)[story.governed][0]
        names = [f"20230201-{number}" for number in range(60)]
        for label in ("Travel", "Fuel"):  # all wrong, then all right
            log_feedback(
                session,
                story.governed,
                [Outcome(name, label) for name in names],
                actor_id=session.get_one(Deployment, story.governed).created_by,
                at=platform.clock.now(),
            )
        after = accuracy_by_period(session, ids, calendar)[story.governed][0]
    assert (after.rows, after.labelled_rows) == (before.rows, before.labelled_rows)
    assert before.correct < after.correct == after.labelled_rows


def test_renamed_labels_count_by_the_names_of_now(story: Story) -> None:
    platform = story.platform
    with platform.database.transaction() as session:
        span = observed(session, [story.governed])
        assert span is not None
        calendar = Calendar.over(*span)
        before = accuracy_by_period(session, [story.governed], calendar)[story.governed]
        deployment = session.get_one(Deployment, story.governed)
        for dataset in session.scalars(select(Dataset)):
            set_taxonomy(
                session,
                dataset,
                Renames({"Travel": "Fuel"}),
                reason="one from now on",
                actor_id=deployment.created_by,
                at=platform.clock.now(),
            )
        after = accuracy_by_period(session, [story.governed], calendar)[story.governed]
    assert [one.labelled_rows for one in after] == [one.labelled_rows for one in before]
    assert sum(one.correct for one in after) > sum(one.correct for one in before)


def test_archived_days_count_like_the_others(platform: Platform) -> None:
    kept = Kept.on(platform)
    kept.keep(days(3))
    kept.tell(Outcome("d00-0", "Fuel"), Outcome("d02-0", "Travel"), at=START + 11 * DAY)

    def found() -> object:
        with platform.database.reading() as session:
            span = observed(session, [kept.deployment_id])
            assert span is not None
            calendar = Calendar.over(*span)
            return span, accuracy_by_period(session, [kept.deployment_id], calendar)

    before = found()
    assert kept.archive_all(START + 32 * DAY) == 2
    assert (kept.hot(), found()) == (3, before)
