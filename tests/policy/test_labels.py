"""Stored labels: interned once, joined upwards, lowered by nothing."""

import inspect

import pytest
from sqlalchemy import func, select

import bailiwick.policy.labels
from bailiwick.lineage import Content, DatasetVersion, Node, add_dataset_version
from bailiwick.policy import (
    IncompatibleLabels,
    Label,
    StoredLabel,
    intern_label,
    join_stored,
    load_label,
    raise_to,
)
from factories import CONFIDENTIAL, Factory

EU, ACCOUNTING = frozenset({"eu"}), frozenset({"accounting"})
PUBLIC = Label("public", frozenset(), EU, ACCOUNTING)
HEALTH = Label("internal", frozenset({"health"}), EU, ACCOUNTING)


def derived(make: Factory, name: str, *sources: DatasetVersion) -> DatasetVersion:
    """A public dataset's version, prepared from others."""
    source = sources[0]
    copied = {
        field: getattr(source, field)
        for field in (
            "rows_blob",
            "columns",
            "text_columns",
            "label_column",
            "date_column",
            "rows",
            "first_time",
            "last_time",
        )
    }
    return add_dataset_version(
        make.session,
        make.dataset(name, label=PUBLIC),
        Content(content_digest=name.ljust(64, "0"), **copied),
        scheme=make.platform.rules.scheme,
        kind="prepare",
        inputs=[(Node("dataset-version", s.id), s.dataset.name, s.label_id) for s in sources],
        started_at=make.at,
        actor_id=make.engineer.id,
        at=make.at,
    )


def test_equal_labels_are_stored_once_whatever_the_order_of_their_words(make: Factory) -> None:
    one = Label("public", frozenset(["finance", "legal"]), EU, frozenset({"research"}))
    other = Label("public", frozenset(["legal", "finance"]), EU, frozenset({"research"}))
    identifiers = {intern_label(make.session, label) for label in (one, other, one)}
    assert len(identifiers) == 1
    assert load_label(make.session, identifiers.pop()) == one
    assert make.session.scalar(select(func.count()).select_from(StoredLabel)) == 1


def test_labels_join_along_runs_through_any_number_of_hops(make: Factory) -> None:
    secret = make.dataset_version(make.dataset("secret"))
    medical = make.dataset_version(make.dataset("medical", label=HEALTH), seed=1)
    first = derived(make, "first", secret)
    second = derived(make, "second", first)
    third = derived(make, "third", second, medical)
    scheme = make.platform.rules.scheme
    assert load_label(make.session, first.label_id) == CONFIDENTIAL
    label = load_label(make.session, third.label_id)
    assert label.level == "confidential"
    assert label.compartments == {"finance", "health"}
    for source in (secret, medical, first, second):
        assert scheme.dominates(label, load_label(make.session, source.label_id))


def test_the_dataset_itself_keeps_its_label_and_its_versions_get_theirs(make: Factory) -> None:
    first = derived(make, "first", make.dataset_version(make.dataset("secret")))
    assert load_label(make.session, first.dataset.label_id) == PUBLIC
    assert load_label(make.session, first.label_id) == CONFIDENTIAL


def test_what_excludes_each_other_is_refused_by_name(make: Factory) -> None:
    american = Label("public", frozenset(), frozenset({"us"}), ACCOUNTING)
    named = [
        ("finance/a", intern_label(make.session, PUBLIC)),
        ("finance/b", intern_label(make.session, american)),
    ]
    with pytest.raises(IncompatibleLabels) as refused:
        join_stored(make.session, make.platform.rules.scheme, named)
    assert "finance/a" in refused.value.message
    assert "finance/b" in refused.value.message


def test_raising_never_lowers(make: Factory) -> None:
    scheme = make.platform.rules.scheme
    high, low = (intern_label(make.session, label) for label in (CONFIDENTIAL, PUBLIC))
    for current, at_least in ((high, low), (low, high), (high, high)):
        raised = raise_to(make.session, scheme, current=current, at_least=at_least, name="x")
        for part in (current, at_least):
            assert scheme.dominates(
                load_label(make.session, raised), load_label(make.session, part)
            )
    assert raise_to(make.session, scheme, current=high, at_least=low, name="x") == high


def test_a_model_is_labelled_at_least_like_its_versions_and_so_is_a_deployment(
    make: Factory,
) -> None:
    deployment = make.running()
    scheme = make.platform.rules.scheme
    model = load_label(make.session, deployment.model.label_id)
    served = load_label(make.session, deployment.label_id)
    assert scheme.dominates(model, CONFIDENTIAL)
    assert scheme.dominates(served, CONFIDENTIAL)


def test_no_function_here_lowers_a_label() -> None:
    """The whole interface: interning, loading, joining and raising."""
    own = {
        name
        for name, value in inspect.getmembers(bailiwick.policy.labels, inspect.isfunction)
        if value.__module__ == "bailiwick.policy.labels"
    }
    assert own == {
        "all_labels",
        "as_label",
        "intern_label",
        "join_stored",
        "load_label",
        "load_labels",
        "note_rise",
        "raise_to",
    }
