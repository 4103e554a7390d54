"""What a waiver must say: a lower label that there can be, why, on what evidence, until when."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bailiwick.core.errors import Invalid
from bailiwick.lineage import DatasetVersion
from bailiwick.policy import Label
from bailiwick.policy.waivers import MAX_DURATION
from factories import CONFIDENTIAL, Factory
from support.waiving import LOW, asked, terms

RESTRICTED = replace(CONFIDENTIAL, level="restricted")


@pytest.fixture
def data(make: Factory) -> DatasetVersion:
    """What the waiver is about."""
    return make.dataset_version(make.dataset())


@pytest.mark.parametrize(
    "label",
    [
        CONFIDENTIAL,
        RESTRICTED,
        replace(LOW, compartments=frozenset({"finance", "people"})),
        replace(LOW, residency=frozenset({"de"})),
        replace(CONFIDENTIAL, purposes=frozenset({"analytics"})),
    ],
    ids=["the same", "higher", "another compartment", "a zone less", "a purpose less"],
)
def test_a_waiver_only_lowers(make: Factory, data: DatasetVersion, label: Label) -> None:
    with pytest.raises(Invalid, match="a waiver only lowers"):
        asked(make, data, terms(make.at, label=label))


@pytest.mark.parametrize(
    "label",
    [replace(LOW, level="secret"), replace(LOW, purposes=frozenset())],
    ids=["no such level", "for nothing"],
)
def test_its_label_is_one_that_there_can_be(
    make: Factory, data: DatasetVersion, label: Label
) -> None:
    with pytest.raises(Invalid):
        asked(make, data, terms(make.at, label=label))


@pytest.mark.parametrize("days", [0, -1, 366])
def test_it_ends_and_within_a_year(make: Factory, data: DatasetVersion, days: int) -> None:
    with pytest.raises(Invalid, match="within 365 days"):
        asked(make, data, terms(make.at, expires_at=make.at + timedelta(days=days)))


def test_a_whole_year_is_allowed(make: Factory, data: DatasetVersion) -> None:
    waiver = asked(make, data, terms(make.at, expires_at=make.at + MAX_DURATION))
    assert waiver.expires_at == make.at + MAX_DURATION


@pytest.mark.parametrize(
    "changes",
    [
        {"reason": " "},
        {"evidence": "\n"},
        {"reason": "x" * 2_001},
        {"label": None},
        {"gate": "min_accuracy"},
        {"kind": "gate"},
        {"kind": "amnesty"},
    ],
)
def test_it_says_what_why_and_on_what_evidence(make: Factory, changes: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        terms(make.at, **changes)
