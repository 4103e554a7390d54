"""The lattice laws, by property and by exhaustion of a small domain."""

from collections.abc import Iterable
from itertools import chain, combinations, product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bailiwick.core import errors
from bailiwick.policy.classification import IncompatibleLabels, Label, Scheme

SHIPPED = Path(__file__).parents[2] / "policies" / "classification.yaml"
SCHEME = Scheme.load(SHIPPED)


def label_dict(
    level: str = "internal",
    compartments: Iterable[str] = (),
    residency: Iterable[str] = ("eu",),
    purposes: Iterable[str] = ("research",),
) -> dict[str, object]:
    return {
        "level": level,
        "compartments": list(compartments),
        "residency": list(residency),
        "purposes": list(purposes),
    }


LABELS = st.builds(
    lambda *parts: SCHEME.check(Label(*parts)),
    st.sampled_from(SCHEME.levels),
    st.frozensets(st.sampled_from(sorted(SCHEME.compartments))),
    st.frozensets(st.sampled_from(sorted(SCHEME.zones)), min_size=1),
    st.frozensets(st.sampled_from(sorted(SCHEME.purposes)), min_size=1),
)


def join(*labels: Label) -> Label | None:
    """The join, or None where there is none."""
    try:
        return SCHEME.join((f"input {i}", label) for i, label in enumerate(labels))
    except IncompatibleLabels:
        return None


def join_on(a: Label | None, b: Label | None) -> Label | None:
    """The join of two values that may already be None (no join)."""
    return None if a is None or b is None else join(a, b)


@given(LABELS)
def test_join_and_meet_are_idempotent(a: Label) -> None:
    assert join(a, a) == a == SCHEME.meet([a, a])


@given(LABELS, LABELS)
def test_join_and_meet_are_commutative(a: Label, b: Label) -> None:
    assert join(a, b) == join(b, a)
    assert SCHEME.meet([a, b]) == SCHEME.meet([b, a])


@given(LABELS, LABELS, LABELS)
def test_join_and_meet_are_associative_and_equal_their_many_argument_form(
    a: Label, b: Label, c: Label
) -> None:
    assert join_on(join(a, b), c) == join_on(a, join(b, c)) == join(a, b, c)
    left = SCHEME.meet([SCHEME.meet([a, b]), c])
    assert left == SCHEME.meet([a, SCHEME.meet([b, c])]) == SCHEME.meet([a, b, c])


@given(LABELS, LABELS)
def test_join_and_meet_absorb_each_other(a: Label, b: Label) -> None:
    assert join(a, SCHEME.meet([a, b])) == a
    joined = join(a, b)
    assert joined is None or SCHEME.meet([a, joined]) == a


@given(LABELS, LABELS)
def test_dominance_is_the_order_of_the_lattice(a: Label, b: Label) -> None:
    assert SCHEME.dominates(a, b) == (join(a, b) == a) == (SCHEME.meet([a, b]) == b)


@given(LABELS, LABELS, LABELS)
def test_dominance_is_a_partial_order(a: Label, b: Label, c: Label) -> None:
    assert SCHEME.dominates(a, a)
    if SCHEME.dominates(a, b) and SCHEME.dominates(b, a):
        assert a == b
    if SCHEME.dominates(a, b) and SCHEME.dominates(b, c):
        assert SCHEME.dominates(a, c)


@given(LABELS, LABELS, LABELS)
def test_the_join_is_the_least_label_above_and_the_meet_the_greatest_below(
    a: Label, b: Label, other: Label
) -> None:
    joined, met = join(a, b), SCHEME.meet([a, b])
    if joined is not None:
        assert SCHEME.dominates(joined, a)
        assert SCHEME.dominates(joined, b)
    if SCHEME.dominates(other, a) and SCHEME.dominates(other, b):
        assert joined is not None
        assert SCHEME.dominates(other, joined)
    assert SCHEME.dominates(a, met)
    assert SCHEME.dominates(b, met)
    if SCHEME.dominates(a, other) and SCHEME.dominates(b, other):
        assert SCHEME.dominates(met, other)


@given(LABELS)
def test_a_label_survives_its_dictionary(a: Label) -> None:
    assert SCHEME.parse(a.to_dict()) == Label.from_dict(a.to_dict()) == a


SMALL = Scheme(
    levels=("low", "high"),
    compartments={"x": ""},
    zones={"world": None, "eu": "world", "de": "eu", "us": "world"},
    purposes={"p": "", "q": ""},
)
INSIDE = {  # written out by hand: which zones lie within which
    "world": {"world", "eu", "de", "us"},
    "eu": {"eu", "de"},
    "de": {"de"},
    "us": {"us"},
}


def subsets(names: Iterable[str]) -> list[frozenset[str]]:
    names = sorted(names)
    return [
        frozenset(some)
        for some in chain.from_iterable(combinations(names, n) for n in range(len(names) + 1))
    ]


def test_join_and_dominance_agree_with_an_oracle_on_every_pair_of_a_small_domain() -> None:
    every = [
        Label(*parts)
        for parts in product(
            SMALL.levels, subsets("x"), subsets(SMALL.zones)[1:], subsets("pq")[1:]
        )
    ]
    assert len(every) == 2 * 2 * 15 * 3

    def facts(x: Label) -> frozenset[tuple[str, str]]:
        # A label as the set of things that it forbids: the order is plain inclusion
        here = set().union(*(INSIDE[zone] for zone in x.residency))
        return frozenset(
            {("above", x.level)} - {("above", "low")}
            | {("needs", c) for c in x.compartments}
            | {("not in", zone) for zone in set(INSIDE) - here}
            | {("not for", purpose) for purpose in {"p", "q"} - x.purposes}
        )

    impossible = [
        {("not in", zone) for zone in INSIDE},
        {("not for", "p"), ("not for", "q")},
    ]
    known = {label: facts(label) for label in every}
    for a, b in product(every, every):
        assert SMALL.dominates(a, b) == (known[a] >= known[b])
        both = known[a] | known[b]
        try:
            joined = SMALL.join([("a", a), ("b", b)])
        except IncompatibleLabels:
            assert any(both >= nowhere for nowhere in impossible)
        else:
            assert known[joined] == both
            assert SMALL.check(joined) == joined


def test_a_zone_inside_another_is_their_intersection() -> None:
    joined = SCHEME.join(
        [
            ("ledger", SCHEME.parse(label_dict(residency=["eu"]))),
            ("payroll", SCHEME.parse(label_dict(residency=["de", "us"]))),
        ]
    )
    assert joined.residency == {"de"}


def test_redundant_zones_are_dropped_when_a_label_is_parsed() -> None:
    assert SCHEME.parse(label_dict(residency=["eu", "de", "world"])).residency == {"world"}


def test_within_follows_the_tree_upwards_only() -> None:
    assert SCHEME.within("de", {"eu"})
    assert SCHEME.within("de", {"world"})
    assert not SCHEME.within("eu", {"de"})
    assert not SCHEME.within("uk", {"eu"})
    assert SCHEME.zone_with_ancestors("de") == {"de", "eu", "world"}


def test_two_inputs_without_a_common_zone_are_named() -> None:
    inputs = [
        ("ledger", SCHEME.parse(label_dict(residency=["world"]))),
        ("payroll", SCHEME.parse(label_dict(residency=["de", "fr"]))),
        ("claims", SCHEME.parse(label_dict(residency=["us"]))),
    ]
    with pytest.raises(IncompatibleLabels, match="payroll allows de, fr; claims allows us") as info:
        SCHEME.join(inputs)
    assert info.value.details["inputs"] == ["payroll", "claims"]
    assert isinstance(info.value, errors.Invalid)


def test_three_inputs_that_conflict_only_together_are_all_named() -> None:
    pairs = [("research", "security"), ("security", "analytics"), ("research", "analytics")]
    inputs = [(f"set{i}", SCHEME.parse(label_dict(purposes=pair))) for i, pair in enumerate(pairs)]
    with pytest.raises(IncompatibleLabels) as info:
        SCHEME.join(inputs)
    assert info.value.details["inputs"] == ["set0", "set1", "set2"]


def test_joining_or_meeting_nothing_is_refused_rather_than_public() -> None:
    with pytest.raises(errors.Invalid, match="at least one"):
        SCHEME.join([])
    with pytest.raises(errors.Invalid, match="at least one"):
        SCHEME.meet([])


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"level": "secret"}, "no level named secret; known are public, internal, confidential"),
        ({"compartments": ["fin"]}, "no compartment named fin; known are customers, finance"),
        ({"residency": ["mars"]}, "no zone named mars; known are world, eu, de"),
        ({"purposes": ["fun"]}, "no purpose named fun; known are accounting"),
        ({"purposes": []}, "at least one zone and one purpose"),
        ({"residency": []}, "at least one zone and one purpose"),
        ({"residency": "eu"}, "residency must be a list"),
        ({"purposes": [1]}, "purposes must be a list"),
        ({"level": None}, "A label has a level"),
        ({"colour": "red"}, "A label has a level"),
    ],
)
def test_a_label_that_makes_no_sense_is_refused_with_what_is_known(
    changes: dict[str, object], says: str
) -> None:
    with pytest.raises(errors.Invalid, match=says):
        SCHEME.parse(label_dict() | changes)


@pytest.mark.parametrize(
    "text",
    [
        "levels: [a, a]\ncompartments: {}\nzones: {}\npurposes: {}\n",
        "levels: []\ncompartments: {}\nzones: {}\npurposes: {}\n",
        "levels: [a]\ncompartments: {}\nzones: {world: {eu: {de: }, us: {de: }}}\npurposes: {}\n",
        "levels: [a]\n",
        "[]",
        "levels: [",
    ],
)
def test_a_broken_scheme_file_is_refused_by_name(tmp_path: Path, text: str) -> None:
    path = tmp_path / "classification.yaml"
    path.write_text(text)
    with pytest.raises(errors.Invalid, match=r"classification\.yaml"):
        Scheme.load(path)
