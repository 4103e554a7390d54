"""Watching goes on: parts are folded, baselines made when they are due, each window judged once.

    settle the layout → fold parts → a baseline that is due → judge what has ended → tell

One transaction, and one process at a time for a deployment. An hour is over `LATENESS` after its
end, once traffic of a later hour has come in or nothing has been added to it for that long; so a
past that is imported in order is judged like the present, and while nothing comes in nothing is
judged. Records that come later land in their window, but it is not judged again. A promotion
begins anew, with a layout and a baseline of its own; until that is there, the baseline before it
goes on with what does not depend on the version. A baseline never rolls by itself.
"""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from bailiwick.core.errors import Invalid
from bailiwick.core.ids import new_id
from bailiwick.monitoring.alert_life import AlertState
from bailiwick.monitoring.budget import sensitivity_to_traffic
from bailiwick.monitoring.eprocess import restarted
from bailiwick.monitoring.explanations import Suspect, onset_guess, suspects
from bailiwick.monitoring.hours import (
    SAMPLE_ROWS,
    WindowLayout,
    complete_until,
    first_hour,
    fold,
    heard_at,
    hour_of,
    layout_in,
    parts_wait,
    settle_layout,
    summaries_between,
    windows_of,
)
from bailiwick.monitoring.incidents import follow
from bailiwick.monitoring.intake import terms_of
from bailiwick.monitoring.tables import Monitor
from bailiwick.monitoring.watching.carried import carried_over, carry, since
from bailiwick.monitoring.watching.due import SCHEDULED, Due, due, still_due
from bailiwick.monitoring.watching.findings import Explanation, Windows, explain, look_back
from bailiwick.monitoring.watching.judging import Judged, Judging
from bailiwick.monitoring.watching.planning import fitted, longest_span, next_midnight
from bailiwick.monitoring.watching.silence import end_silence, heed_silence
from bailiwick.monitoring.watching.stored import baseline_in, packed, store_baseline, unpacked
from bailiwick.monitoring.watching.tables import (
    DriftIncident,
    TrafficBaseline,
    Watch,
    WindowCheck,
)
from bailiwick.monitoring.watching.told import (
    Turn,
    alert_of,
    confirm_incident,
    course_of,
    end_incident,
    open_incident,
    standing,
)

LATENESS: Final = timedelta(minutes=10)
JUDGED_AT_ONCE = 1_000  # windows; the rest is for the next turn


def has_work(session: Session, monitor_id: UUID, version_id: UUID, *, at: datetime) -> bool:
    """Whether `advance` would find something to do; in three small queries at most."""
    watch = session.get(Watch, monitor_id)
    layout = session.get(WindowLayout, watch.layout_id) if watch and watch.layout_id else None
    if watch is None or layout is None or layout.version_id != version_id:
        return watch is not None
    if watch.baseline_id is None or watch.next_start is None or watch.incident_id is not None:
        return True
    declared = terms_of(session, layout.deployment_id).features
    return (
        watch.next_start < hour_of(at - LATENESS)
        or set(declared) != set(layout.declared)
        or parts_wait(session, layout.id)
    )


def standing_incident(session: Session, monitor: Monitor) -> DriftIncident | None:
    """The incident of a monitor that has not ended."""
    watch = session.get(Watch, monitor.id)
    return standing(session, watch) if watch is not None else None


def pause(session: Session, monitor: Monitor, *, why: str) -> None:
    """Say why watching does not go on; the next `advance` goes on all the same."""
    watch = session.get(Watch, monitor.id)
    if watch is not None:
        watch.waits_for = why


def advance(
    session: Session, monitor: Monitor, version_id: UUID, *, actor_id: UUID, at: datetime
) -> int:
    """Watch on, up to now; how many windows were judged.

    `version_id` is what the deployment serves. Nothing is done if somebody else is at it.
    """
    watch = session.scalar(
        select(Watch).where(Watch.monitor_id == monitor.id).with_for_update(skip_locked=True)
    )
    if watch is None:
        return 0
    turn = Turn(monitor, actor_id, at)
    declared = terms_of(session, monitor.deployment_id).features
    carried = carried_over(session, watch, version_id, declared)
    layout = settle_layout(
        session,
        monitor.deployment_id,
        version_id,
        declared=declared,
        kept=carried.shapes if carried is not None else (),
        at=at,
    )
    if layout is None:
        watch.waits_for = f"{SAMPLE_ROWS} answered requests of the version that is served"
        return 0
    watch.waits_for = None
    begins = watch.layout_id != layout.id
    if begins:
        _begin(session, watch, layout, turn)
    while fold(session, layout.id, judged_before=watch.next_start, at=at):
        pass
    if begins and carried is not None:
        carry(session, watch, layout, carried, turn)
    _heed_people(session, watch, turn)
    came_in = complete_until(session, layout.id, quiet_since=at - LATENESS)
    if came_in is None:
        return 0
    heard = max(heard_at(session, layout.id) or at, came_in)
    end_silence(session, watch, heard, turn)
    judged = _go_on(session, watch, layout, min(came_in, hour_of(at - LATENESS)), turn)
    if not judged:
        heed_silence(session, watch, heard, turn)
    session.flush()
    return judged


def _begin(session: Session, watch: Watch, layout: WindowLayout, turn: Turn) -> None:
    """Another version or layout: what was seen before says nothing about it."""
    incident = standing(session, watch)
    if incident is not None:
        why = "another version is served, or other features are watched, from now on"
        end_incident(session, watch, incident, "replaced", why, turn)
    watch.layout_id, watch.baseline_id, watch.state = layout.id, None, None
    watch.next_start = watch.held_start = watch.from_start = None
    watch.origin, watch.reason = "traffic", ""


def _heed_people(session: Session, watch: Watch, turn: Turn) -> None:
    """Somebody resolved the alert: it was fixed, and evidence starts anew."""
    incident = standing(session, watch)
    alert = alert_of(session, incident) if incident is not None else None
    if incident is None or alert is None or alert.state != AlertState.RESOLVED:
        return
    watch.state = None
    end_incident(session, watch, incident, "fixed", alert.resolution or "resolved", turn)


def _go_on(
    session: Session, watch: Watch, layout: WindowLayout, until: datetime, turn: Turn
) -> int:
    judged = 0
    while judged < JUDGED_AT_ONCE:
        if watch.baseline_id is None and not _first_baseline(session, watch, layout, until, turn):
            break
        anew = due(session, watch, turn.monitor, until)
        judged += _judge(session, watch, until if anew is None else anew.end, turn)
        if anew is None or watch.next_start != anew.end:
            break
        if watch.incident_id is not None or not still_due(session, layout.deployment_id, anew):
            continue
        if not _make_baseline(session, watch, layout, anew, turn):
            watch.waits_for = None  # the one that stands goes on
            if anew.origin == SCHEDULED:
                judged += _judge(session, watch, until, turn)
                break
    return judged


def _first_baseline(
    session: Session, watch: Watch, layout: WindowLayout, until: datetime, turn: Turn
) -> bool:
    """Whether there is enough traffic for the baseline that is missing; if so it is made."""
    begun = watch.from_start or first_hour(session, layout.id)
    if begun is None:
        return False
    first = next_midnight(begun)  # whole days, so that four weeks are four weeks
    span = longest_span(first, until)
    if span is None:
        watch.waits_for = f"seven days of traffic; the first one is {first:%Y-%m-%d}"
        return False
    anew = Due(first, first + span, watch.origin, watch.reason)
    return _make_baseline(session, watch, layout, anew, turn)


def _make_baseline(
    session: Session, watch: Watch, layout: WindowLayout, anew: Due, turn: Turn
) -> bool:
    first, end = anew.first, anew.end
    hours = summaries_between(session, layout.id, first, end)
    monitor = turn.monitor
    try:
        baseline = fitted(
            layout_in(layout),
            hours,
            first,
            end,
            window_hours=monitor.window_hours,
            zone=monitor.zone,
            count_requests=monitor.smallest_change_requests is not None,
        )
    except Invalid as too_few:
        watch.waits_for = str(too_few)[:500]
        return False
    row = store_baseline(
        session,
        layout,
        baseline,
        origin=anew.origin,
        reason=anew.reason,
        actor_id=turn.actor_id,
        at=turn.at,
    )
    watch.baseline_id, watch.state, watch.waits_for = row.id, None, None
    watch.from_start, watch.next_start, watch.held_start = first, end, None
    return True


def _judge(session: Session, watch: Watch, until: datetime, turn: Turn) -> int:
    """Judge the windows that end by `until`, at most `JUDGED_AT_ONCE`; how many could be."""
    row = session.get_one(TrafficBaseline, watch.baseline_id)
    length, start = timedelta(hours=row.window_hours), watch.next_start or row.end
    until = min(until, start + JUDGED_AT_ONCE * length)
    if until - start < length:
        return 0
    held_from = watch.held_start or start
    hours = summaries_between(session, row.layout_id, held_from, until)
    state = unpacked(watch.state) if watch.state is not None else None
    judging = Judging.of(baseline_in(row), sensitivity_to_traffic(turn.monitor), state)
    for _, summary in windows_of(hours, held_from, start, length):
        judging.hold(summary)
    count = 0
    for window, summary in windows_of(hours, start, until, length):
        judged = judging.judge(window, summary)
        end = watch.next_start = window + length
        if judged is not None:
            _conclude(session, watch, row, judging, judged, end, turn)
            count += 1
        watch.held_start = end - judging.held_windows * length if judging.held else None
    watch.state = packed(judging.state)
    return count


def _conclude(
    session: Session,
    watch: Watch,
    row: TrafficBaseline,
    judging: Judging,
    judged: Judged,
    end: datetime,
    turn: Turn,
) -> None:
    """Write down what a window came to, and what follows for the incident."""
    judgement, alarm = judged.judgement, bool(judged.judgement.alarm)
    ranked = suspects(judging.detector, judging.baseline.contrasts, judgement) if alarm else ()
    hours = judged.windows * row.window_hours
    session.add(
        WindowCheck(
            id=new_id(),
            baseline_id=row.id,
            start=end - timedelta(hours=hours),
            hours=hours,
            rows=judged.rows,
            alarm=alarm,
            evidence=float(judgement.evidence),
            threshold=judgement.threshold,
            features=[one.feature for one in ranked[:1]],
            at=turn.at,
        )
    )
    incident = standing(session, watch)
    course = follow(
        course_of(incident),
        window=judging.state.windows,
        alarm=alarm,
        took=onset_guess(judging.state, ranked[0]) if ranked else 0,
        window_hours=judging.baseline.window_hours,
    )
    if course is None:
        return
    if ranked:
        found = _explained(session, row, judging, judged, ranked[0], end, turn)
        judging.state = restarted(judging.state)
        if incident is None:
            open_incident(session, watch, row, found, course, end=end, turn=turn)
        else:
            confirm_incident(session, incident, found, course, end=end, turn=turn)
    elif incident is not None and course.recovered is not None:
        end_incident(session, watch, incident, "recovered", "traffic is as it was", turn)


def _explained(
    session: Session,
    row: TrafficBaseline,
    judging: Judging,
    judged: Judged,
    suspect: Suspect,
    end: datetime,
    turn: Turn,
) -> Explanation:
    length = timedelta(hours=row.window_hours)
    back = look_back(judging.state, suspect)
    windows = min(back, (end - since(session, row)) // length)
    start = end - windows * length
    hours = summaries_between(session, row.layout_id, start, end)
    history: Windows = list(windows_of(hours, start, end, length))
    return explain(
        judging.baseline,
        judging.detector,
        judged.judgement,
        sensitivity_to_traffic(turn.monitor),
        history,
    )
