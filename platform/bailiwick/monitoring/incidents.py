"""One incident per deployment: what further alarms, silence and decisions do to it. Pure.

- An alarm without an open incident opens one; evidence starts anew (`eprocess.restarted`).
- While it is open, further alarms confirm it and open nothing.
- It has recovered by itself when it was not confirmed for three times as long as the alarm took
  since its onset, and at least for a day: a change that still stood would have alarmed again.
- Closed as fixed: `eprocess.fresh` on the same baseline. Accepted as the new normal: a new
  baseline from the windows since the onset, provisional (threshold doubled) until it is full.
  A new model version gets a baseline of its own. A baseline never rolls by itself.

NOT guaranteed: a change that shrinks below the tolerance without going away counts as recovered.
"""

from dataclasses import dataclass, replace

_PATIENCE = 3
_HOURS_PER_DAY = 24.0


@dataclass(frozen=True, slots=True)
class Incident:
    """Judged windows (as counted by the detector's state) at which things happened.

    opened: the first alarm; took: windows from the guessed onset to it; confirmed: the latest
    alarm; confirmations: alarms after the first.
    """

    opened: int
    took: int
    confirmed: int
    confirmations: int = 0
    recovered: int | None = None


def follow(
    incident: Incident | None, *, window: int, alarm: bool, took: int, window_hours: float
) -> Incident | None:
    """The incident after one more judged window; None while there is none, or it has recovered.

    `took`: windows since the guessed onset, looked at only when an incident opens.

    >>> quiet = follow(None, window=99, alarm=False, took=0, window_hours=1)
    >>> opened = follow(quiet, window=100, alarm=True, took=12, window_hours=1)
    >>> follow(opened, window=110, alarm=True, took=5, window_hours=1)
    Incident(opened=100, took=12, confirmed=110, confirmations=1, recovered=None)
    >>> follow(opened, window=136, alarm=False, took=0, window_hours=1).recovered
    136
    """
    if incident is None or incident.recovered is not None:
        return Incident(window, max(took, 1), window) if alarm else None
    if alarm:
        return replace(incident, confirmed=window, confirmations=incident.confirmations + 1)
    patience = max(_PATIENCE * incident.took, round(_HOURS_PER_DAY / window_hours))
    silent = window - incident.confirmed >= patience
    return replace(incident, recovered=window) if silent else incident
