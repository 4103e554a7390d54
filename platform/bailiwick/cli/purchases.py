"""Invented card purchases for the demo: dated, labelled, and drifting on purpose.

Not data about anybody: merchants are made of syllables, towns do not exist. What moves is what
moves in real purchase ledgers: merchants come, grow and go; names arrive in several spellings;
months have seasons; a policy re-codes spending on `POLICY_CHANGE`; on `SUPPLIER_SWITCH` framework
contracts pass to new suppliers and a new ledger code opens; single merchants are re-coded now
and then. One row in ten carries the code of a neighbouring category, as card holders choose.
"""

import csv
import io
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

COLUMNS = ("date", "merchant", "cost_centre", "amount_gbp", "category")
FIRST_DAY, LAST_DAY = date(2021, 1, 1), date(2024, 12, 31)
POLICY_CHANGE = date(2022, 4, 1)
SUPPLIER_SWITCH = date(2023, 1, 1)
NEW_CATEGORY = "Cloud Services"

_MONTHS = 48
_MISLABELLED_RATIO = 0.09
_MERCHANT_MONTHS = 22.0  # mean life of a merchant
_RECODED_PER_MONTH = 0.004
_RECODED_BY_POLICY = 0.7
_SWITCHED = 0.25

# name, words in merchants' names, relative share, month of its season, median amount in GBP
_GROUPS: tuple[tuple[tuple[str, str, float, int, float], ...], ...] = (
    (
        ("Vehicle Fuel", "fuel petrol services garage", 9, 12, 52),
        ("Vehicle Repairs", "autos tyres garage motors", 4, 1, 140),
        ("Parking", "parking carpark", 4, 7, 8),
        ("Taxis", "cars taxis cabs", 4, 12, 14),
        ("Rail Travel", "rail trains travel", 6, 9, 48),
        ("Air Travel", "air travel airways", 2, 6, 190),
        ("Hotels", "hotel inn lodge", 5, 6, 96),
    ),
    (
        ("Groceries", "stores foods market", 8, 12, 24),
        ("Catering", "foods kitchen catering", 5, 6, 85),
        ("Hospitality", "cafe grill kitchen", 3, 12, 31),
    ),
    (
        ("Office Stationery", "office paper supplies", 7, 4, 36),
        ("Printing", "print paper design", 3, 3, 120),
        ("Postage", "post parcels", 3, 12, 12),
        ("Books", "books press media", 3, 9, 22),
        ("Subscriptions", "media online press", 4, 1, 60),
    ),
    (
        ("Software", "software systems online", 4, 3, 75),
        ("IT Equipment", "computers systems supplies", 5, 3, 210),
        ("Telecoms", "telecom mobile networks", 3, 4, 45),
    ),
    (
        ("Training", "training academy learning", 4, 10, 180),
        ("Conferences", "events conferences learning", 2, 10, 240),
        ("Advertising", "media design events", 2, 2, 150),
    ),
    (
        ("Building Materials", "builders timber trade", 6, 5, 68),
        ("Cleaning", "hygiene cleaning supplies", 4, 3, 41),
        ("Furniture", "interiors furniture trade", 2, 3, 230),
    ),
    (
        ("Medical Supplies", "pharmacy medical care", 4, 1, 28),
        ("Protective Clothing", "workwear safety trade", 3, 10, 57),
    ),
)
_POLICY = {"Hospitality": "Catering", "Books": "Subscriptions", "Parking": "Taxis"}
_NEW_CATEGORY_FROM = ("Software", "Telecoms")
_ONSETS = "b br c cl d dr f fl g gr h j k l m n p pr qu r s st t tr v w"
_VOWELS = "a e i o u ai ea oo"
_ENDS = "n r l s x m nd ck st ble ley ton"
_NEUTRAL = ("uk", "ltd", "group", "direct", "& sons", "co", "partners", "")
_TOWNS = ("harrowmere", "eastwick", "st brannoc", "longdale", "millport", "kingsbeck", "ashcombe")
_CENTRES = (
    *("adult care", "childrens services", "care homes", "public health", "youth service"),
    *("schools north", "schools south", "libraries", "museums", "leisure", "events team"),
    *("highways", "parks", "waste fleet", "housing repairs", "facilities", "planning"),
    *("finance", "legal", "hr", "procurement", "ict service", "customer services"),
    *("registrars", "trading standards", "democratic services", "emergency planning"),
)

Places = NDArray[np.int64]


def _names() -> list[str]:
    return [category[0] for group in _GROUPS for category in group]


@dataclass(frozen=True, slots=True)
class _World:
    """What is true before the first purchase: arrays over merchants, months and categories."""

    spellings: list[tuple[str, ...]]
    popularity: NDArray[np.float64]  # (merchants,)
    born: Places  # (merchants,) month of the first purchase
    gone: Places  # (merchants,) month after the last one
    home: Places  # (merchants,) category that the goods belong to
    code: Places  # (merchants, months) category under which they are booked
    centres: NDArray[np.float64]  # (categories, centres) who buys what; rows sum to 1


def write_purchases(path: Path, rows: int = 60_000, seed: int = 0) -> None:
    """Write about four years of purchases to `path` as CSV, in order of date.

    Exactly `rows` rows of `COLUMNS`. The same seed gives the same bytes under the same numpy
    (its `Generator` may change streams between versions).
    """
    rng = np.random.default_rng(seed)
    world = _found(rng, merchants=max(rows // 40, 150))
    days = _days(rng, rows)
    months = np.array([(day.year - FIRST_DAY.year) * 12 + day.month - 1 for day in days])
    merchants = _shop(rng, world, months)
    booked = _mislabelled(rng, world.code[merchants, months])
    centres = _draw(rng, world.centres[world.home[merchants]])
    medians = np.array([category[4] for group in _GROUPS for category in group])
    amounts = medians[world.home[merchants]] * np.exp(rng.normal(0, 0.6, rows))
    spelled = rng.random(rows)
    names = [*_names(), NEW_CATEGORY]
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    for place, day in enumerate(days):
        spellings = world.spellings[merchants[place]]
        name = spellings[int(spelled[place] ** 2 * len(spellings))]  # the first one most often
        centre = _CENTRES[centres[place]]
        table.writerow((day, name, centre, f"{amounts[place]:.2f}", names[booked[place]]))
    path.write_text(text.getvalue(), encoding="utf-8")


def _month(day: date) -> int:
    return (day.year - FIRST_DAY.year) * 12 + day.month - 1


def _days(rng: Generator, rows: int) -> list[date]:
    """Sorted days: half again as many at the end, few at weekends and in August."""
    every = [FIRST_DAY + timedelta(n) for n in range((LAST_DAY - FIRST_DAY).days + 1)]
    saturday, august = 5, 8
    weights = np.array(
        [
            (1 + 0.5 * place / len(every))
            * (0.25 if day.weekday() >= saturday else 1)
            * (0.7 if day.month == august else 1)
            for place, day in enumerate(every)
        ]
    )
    drawn = rng.choice(len(every), size=rows, p=weights / weights.sum())
    return [every[place] for place in np.sort(drawn)]


def _found(rng: Generator, merchants: int) -> _World:
    """Lay down merchants with their lives, their codes over time, and the cost centres."""
    shares = np.array([category[2] for group in _GROUPS for category in group], dtype=float)
    # Every category keeps at least one merchant throughout: the first one of each never leaves.
    lasting = np.arange(shares.size)
    drawn = rng.choice(shares.size, size=merchants - shares.size, p=shares / shares.sum())
    home = np.concatenate([lasting, drawn])
    early = rng.random(merchants) < 1 / (1 + _MONTHS / _MERCHANT_MONTHS)
    born = np.where(early, 0, rng.integers(0, _MONTHS, merchants))
    gone = born + 1 + rng.exponential(_MERCHANT_MONTHS, merchants).astype(np.int64)
    born[lasting], gone[lasting] = 0, _MONTHS
    popularity = np.exp(rng.normal(0, 1.0, merchants))
    _switch_suppliers(rng, born, gone, popularity)
    return _World(
        spellings=[_spellings(rng, int(category)) for category in home],
        popularity=popularity,
        born=born,
        gone=gone,
        home=home,
        code=_codes(rng, home),
        centres=rng.dirichlet(np.full(len(_CENTRES), 0.12), size=shares.size),
    )


def _switch_suppliers(
    rng: Generator, born: Places, gone: Places, popularity: NDArray[np.float64]
) -> None:
    """Some of the larger suppliers lose their contracts; as many newcomers win them."""
    switch = _month(SUPPLIER_SWITCH)
    large = popularity > np.quantile(popularity, 0.7)
    losing = large & (born < switch) & (gone > switch) & (rng.random(born.size) < _SWITCHED)
    losing[: len(_names())] = False
    gone[losing] = switch
    later = np.flatnonzero(born > switch)
    winning = rng.choice(later, size=min(int(losing.sum()), later.size), replace=False)
    born[winning], gone[winning] = switch, _MONTHS
    popularity[winning] *= 2.0


def _codes(rng: Generator, home: Places) -> Places:
    """Booked category of each merchant in each month, shape (merchants, months)."""
    names = _names()
    code = np.repeat(home[:, None], _MONTHS, axis=1)
    for old, new in _POLICY.items():
        moved = (home == names.index(old)) & (rng.random(home.size) < _RECODED_BY_POLICY)
        code[moved, _month(POLICY_CHANGE) :] = names.index(new)
    from_new = np.isin(home, [names.index(name) for name in _NEW_CATEGORY_FROM])
    moved = from_new & (rng.random(home.size) < _RECODED_BY_POLICY)
    code[moved, _month(SUPPLIER_SWITCH) :] = len(names)
    recoded = rng.random(code.shape) < _RECODED_PER_MONTH
    for merchant, month in np.argwhere(recoded):
        code[merchant, month:] = _neighbour(rng, int(code[merchant, month]))
    return code


def _neighbour(rng: Generator, category: int) -> int:
    """Another category of the same group (the new one's neighbours are where it came from)."""
    names = _names()
    if category == len(names):
        return names.index(_NEW_CATEGORY_FROM[int(rng.integers(len(_NEW_CATEGORY_FROM)))])
    group = next(group for group in _GROUPS if names[category] in [entry[0] for entry in group])
    others = [entry[0] for entry in group if entry[0] != names[category]]
    return names.index(others[int(rng.integers(len(others)))])


def _mislabelled(rng: Generator, booked: Places) -> Places:
    wrong = rng.random(booked.size) < _MISLABELLED_RATIO
    return np.array(
        [
            _neighbour(rng, int(category)) if slip else category
            for category, slip in zip(booked, wrong, strict=True)
        ]
    )


def _spellings(rng: Generator, category: int) -> tuple[str, ...]:
    """How a merchant appears on statements, the usual spelling first."""
    words = [category[1].split() for group in _GROUPS for category in group]
    parts = (_ONSETS, _VOWELS, _ONSETS, _VOWELS, _ENDS)
    name = "".join(str(rng.choice(part.split())) for part in parts)
    said = float(rng.random())
    if said < 0.45:  # noqa: PLR2004 - the share of merchants whose name says what they sell
        name += " " + str(rng.choice(words[category]))
    elif said < 0.55:  # noqa: PLR2004 - and of those whose name misleads
        name += " " + str(rng.choice(words[int(rng.integers(len(words)))]))
    else:
        name += " " + str(rng.choice(_NEUTRAL))
    name, town = name.strip(), str(rng.choice(_TOWNS))
    number = int(rng.integers(1, 2_000))
    return (name, f"{name} {number:04d}", f"{name} {town}"[:22], f"pp*{name}"[:18], name[:12])


def _shop(rng: Generator, world: _World, months: Places) -> Places:
    """The merchant of each row: category by share and season, then by popularity and age."""
    shares = np.array([category[2] for group in _GROUPS for category in group], dtype=float)
    peaks = np.array([category[3] for group in _GROUPS for category in group])
    chosen = np.empty(months.size, dtype=np.int64)
    for month in np.unique(months):
        season = 1 + 0.35 * np.cos(2 * np.pi * (month % 12 + 1 - peaks) / 12)
        alive = (world.born <= month) & (month < world.gone)
        grown = np.minimum(1.0, 0.35 + 0.15 * (month - world.born))
        size = np.where(alive, world.popularity * np.where(world.born == 0, 1.0, grown), 0.0)
        of_category = np.bincount(world.home, weights=size, minlength=shares.size)
        weights = size / of_category[world.home] * (shares * season)[world.home]
        here = np.flatnonzero(months == month)
        chosen[here] = rng.choice(size.size, size=here.size, p=weights / weights.sum())
    return chosen


def _draw(rng: Generator, probabilities: NDArray[np.float64]) -> Places:
    """One place per row of `probabilities` (rows, places), each row summing to 1."""
    reached = probabilities.cumsum(axis=1) > rng.random((len(probabilities), 1))
    return np.asarray(reached.argmax(axis=1), dtype=np.int64)
