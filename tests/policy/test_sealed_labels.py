"""Labels that allow nothing: only a rise leads there, and the lattice laws hold for them too."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bailiwick.core.errors import Invalid
from bailiwick.policy import intern_label, load_label, raise_to
from bailiwick.policy.classification import IncompatibleLabels, Label, OutOfPolicy, Scheme
from factories import CONFIDENTIAL, Factory

SHIPPED = Path(__file__).parents[2] / "policies" / "classification.yaml"
SCHEME = Scheme.load(SHIPPED)
ANY_LABEL = st.builds(
    lambda *parts: SCHEME.known(Label(*parts)),
    st.sampled_from(SCHEME.levels),
    st.frozensets(st.sampled_from(sorted(SCHEME.compartments))),
    st.frozensets(st.sampled_from(sorted(SCHEME.zones)), max_size=3),
    st.frozensets(st.sampled_from(sorted(SCHEME.purposes)), max_size=3),
)
AMERICAN = Label("public", frozenset(), frozenset({"us"}), frozenset({"accounting"}))


def join(*labels: Label) -> Label:
    return SCHEME.join_or_seal(labels)


@given(ANY_LABEL, ANY_LABEL, ANY_LABEL)
def test_it_is_a_join_of_all_labels_the_sealed_ones_included(a: Label, b: Label, c: Label) -> None:
    assert join(a, a) == a
    assert join(a, b) == join(b, a)
    assert join(join(a, b), c) == join(a, join(b, c)) == join(a, b, c)
    assert SCHEME.dominates(join(a, b), a)
    assert SCHEME.dominates(a, b) == (join(a, b) == a)
    if SCHEME.dominates(c, a) and SCHEME.dominates(c, b):
        assert SCHEME.dominates(c, join(a, b))


@given(ANY_LABEL, ANY_LABEL)
def test_it_seals_exactly_where_a_new_run_is_refused(a: Label, b: Label) -> None:
    try:
        joined = SCHEME.join([("a", a), ("b", b)])
    except IncompatibleLabels:
        assert join(a, b).is_sealed
    else:
        assert joined == join(a, b)
        assert not joined.is_sealed


@given(ANY_LABEL, ANY_LABEL)
def test_what_is_sealed_stays_sealed_whatever_joins_it(a: Label, b: Label) -> None:
    assert join(a, b).is_sealed >= a.is_sealed


def test_nobody_can_give_a_sealed_label_and_no_input_gives_none() -> None:
    with pytest.raises(Invalid, match="at least one zone"):
        SCHEME.parse(join(CONFIDENTIAL, AMERICAN).to_dict())
    with pytest.raises(Invalid, match="no label to join"):
        join()


def test_a_sealed_input_is_refused_in_words() -> None:
    sealed = join(CONFIDENTIAL, AMERICAN)
    with pytest.raises(IncompatibleLabels, match="finance/old allows none"):
        SCHEME.join([("finance/old", sealed)])


def test_a_container_is_never_sealed_by_new_content_and_once_sealed_takes_all(
    make: Factory,
) -> None:
    eu, us = (intern_label(make.session, label) for label in (CONFIDENTIAL, AMERICAN))
    with pytest.raises(IncompatibleLabels):
        raise_to(make.session, SCHEME, current=eu, at_least=us, name="model")
    sealed = intern_label(make.session, join(CONFIDENTIAL, AMERICAN))
    for content in (eu, us):
        raised = raise_to(make.session, SCHEME, current=sealed, at_least=content, name="model")
        assert load_label(make.session, raised) == join(CONFIDENTIAL, AMERICAN)


def scheme_with(section: str) -> Scheme:
    text = SHIPPED.read_text("utf-8").replace("out_of_policy: {stop: true, grace_hours: 24}", "")
    return Scheme.parse_file("classification.yaml", f"{text}\n{section}\n".encode())


def test_what_becomes_of_what_is_out_of_policy_has_a_default() -> None:
    assert SCHEME.out_of_policy == scheme_with("").out_of_policy == OutOfPolicy(True, 24)
    own = scheme_with("out_of_policy: {stop: false, grace_hours: 0}")
    assert own.out_of_policy == OutOfPolicy(stop=False, grace_hours=0)


@pytest.mark.parametrize(
    "section",
    ["{stop: 1}", "{grace_hours: -1}", "{grace_hours: 1.5}", "{grace: 3}", "[24]", "{stop: no!}"],
)
def test_a_wrong_section_is_refused_with_the_files_name(section: str) -> None:
    with pytest.raises(Invalid, match=r"classification\.yaml cannot be read"):
        scheme_with(f"out_of_policy: {section}")
