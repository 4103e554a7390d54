"""Where the ticks of an axis go."""

import math
from datetime import UTC, datetime, timedelta

MONTH_STEPS = (1, 2, 3, 6, 12, 24, 60, 120)
DAY_STEPS = (1, 2, 7, 14)
DAYS_PER_MONTH = 30.4
MONTHS = 12


def value_ticks(low: float, high: float, most: int) -> list[float]:
    """At most `most` + 1 round values that enclose [low, high].

    >>> value_ticks(0.61, 0.87, 5)
    [0.6, 0.7, 0.8, 0.9]
    """
    rough = max(high - low, 1e-9) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(step * place, 10) for place in range(first, max(last, first + 1) + 1)]


def date_ticks(first: datetime, last: datetime, most: int) -> list[tuple[datetime, str]]:
    """At most about `most` calendar moments in [first, last] and how they are written.

    >>> moments = date_ticks(datetime(2023, 11, 5, tzinfo=UTC), datetime(2024, 6, 9, tzinfo=UTC), 4)
    >>> [text for _, text in moments]
    ['Jan 2024', 'Mar 2024', 'May 2024']
    """
    days = max((last - first) / timedelta(days=1), 1)
    for step in DAY_STEPS:
        if days / step <= most:
            return _every_days(first, last, step)
    months = days / DAYS_PER_MONTH
    step = next((step for step in MONTH_STEPS if months / step <= most), MONTH_STEPS[-1])
    return _every_months(first, last, step)


def _every_days(first: datetime, last: datetime, step: int) -> list[tuple[datetime, str]]:
    moment = first.replace(hour=0, minute=0, second=0, microsecond=0)
    if moment < first:
        moment += timedelta(days=1)
    ticks = []
    while moment <= last:
        ticks.append((moment, f"{moment:%-d %b}"))
        moment += timedelta(days=step)
    return ticks


def _every_months(first: datetime, last: datetime, step: int) -> list[tuple[datetime, str]]:
    ticks = []
    index = (first.year * MONTHS + first.month - 1) // step * step
    while (moment := datetime(index // MONTHS, index % MONTHS + 1, 1, tzinfo=UTC)) <= last:
        if moment >= first:
            ticks.append((moment, f"{moment:%Y}" if step >= MONTHS else f"{moment:%b %Y}"))
        index += step
    return ticks
