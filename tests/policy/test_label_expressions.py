"""100,000 random label expressions: the lattice agrees with plain sets."""

import random
from collections.abc import Callable
from functools import cache
from pathlib import Path

from bailiwick.policy.classification import IncompatibleLabels, Label, Scheme

SCHEME = Scheme.load(Path(__file__).parents[2] / "policies" / "classification.yaml")
# Which zones lie within which, written out by hand.
INSIDE = {
    "world": {"world", "eu", "de", "fr", "ie", "nl", "uk", "us"},
    "eu": {"eu", "de", "fr", "ie", "nl"},
} | {zone: {zone} for zone in ("de", "fr", "ie", "nl", "uk", "us")}
LEVELS = ("public", "internal", "confidential", "restricted")
EXPRESSIONS, LABELS = 100_000, 3_000
Facts = frozenset[str]


@cache
def facts(label: Label) -> Facts:
    """A label as the set of what it forbids: the order is inclusion, join union, meet section."""
    here = set().union(*(INSIDE[zone] for zone in label.residency))
    return frozenset(
        {f"below {level}" for level in LEVELS[: LEVELS.index(label.level)]}
        | {f"without {name}" for name in label.compartments}
        | {f"in {zone}" for zone in INSIDE.keys() - here}
        | {f"for {name}" for name in SCHEME.purposes.keys() - label.purposes}
    )


EVERY_ZONE = {f"in {zone}" for zone in INSIDE}
EVERY_PURPOSE = {f"for {name}" for name in SCHEME.purposes}


def some(dice: random.Random, names: list[str], least: int) -> frozenset[str]:
    return frozenset(dice.sample(names, dice.randint(least, len(names))))


def a_label(dice: random.Random) -> Label:
    return SCHEME.check(
        Label(
            dice.choice(SCHEME.levels),
            some(dice, sorted(SCHEME.compartments), 0),
            some(dice, sorted(SCHEME.zones), 1),
            some(dice, sorted(SCHEME.purposes), 1),
        )
    )


def joined(a: Label, b: Label) -> Label | None:
    try:
        return SCHEME.join([("a", a), ("b", b)])
    except IncompatibleLabels:
        return None


def test_random_expressions_mean_the_same_as_plain_sets() -> None:
    """Each combines two or three labels by join and meet; every result is compared by dominance."""
    assert set(INSIDE) == set(SCHEME.zones)
    assert SCHEME.levels == LEVELS
    dice = random.Random(20260105)  # noqa: S311 - no secret
    labels = [a_label(dice) for _ in range(LABELS)]
    meanings: dict[str, Callable[[Facts, Facts], Facts]] = {
        "join": frozenset.union,
        "meet": frozenset.intersection,
    }
    impossible, dominating = 0, 0
    for number in range(EXPRESSIONS):
        a, b, other = dice.choice(labels), dice.choice(labels), dice.choice(labels)
        operation = "join" if number % 2 else "meet"
        made = joined(a, b) if operation == "join" else SCHEME.meet([a, b])
        meant = meanings[operation](facts(a), facts(b))
        if made is None:
            assert meant >= EVERY_ZONE or meant >= EVERY_PURPOSE
            impossible += 1
            continue
        assert facts(made) == meant
        above = facts(made) >= facts(other)
        assert SCHEME.dominates(made, other) == above
        dominating += above
        if number % 5 == 0:  # three labels: a meet of joins, a join of meets
            nested = SCHEME.meet([made, other]) if operation == "join" else joined(made, other)
            wanted = meant & facts(other) if operation == "join" else meant | facts(other)
            if nested is None:
                assert wanted >= EVERY_ZONE or wanted >= EVERY_PURPOSE
            else:
                assert facts(nested) == wanted
    # The dice reach every kind of answer.
    assert impossible > EXPRESSIONS // 1_000
    assert dominating > EXPRESSIONS // 1_000
