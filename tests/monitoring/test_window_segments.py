"""Windows tell of each record the values of its declared segments, and whom it is about."""

import json

import pytest

from bailiwick.monitoring import Pseudonyms, read_window, set_terms, take
from bailiwick.monitoring.archive import Archived
from bailiwick.monitoring.intake.records import read_lines
from bailiwick.monitoring.windows import _segments
from factories import Factory
from support.api_traffic import START, Traffic
from support.intake_records import record

NAMES = Pseudonyms(b"k" * 32)


def test_a_record_keeps_its_segments_and_never_its_subject_in_clear(make: Factory) -> None:
    traffic = Traffic(make, make.running())
    set_terms(
        make.session,
        traffic.deployment.id,
        segments=("region",),
        max_ahead_seconds=300,
        max_age_days=1_000,
        rejected_days=1,
        actor_id=make.root.id,
        at=make.at,
    )
    sent = [record(1, segments={"region": "north"}, subject="Ada Lovelace"), record(2)]
    take(
        make.session,
        traffic.deployment.id,
        traffic.version.id,
        read_lines([json.dumps(one).encode() for one in sent], 0),
        keeps_text=False,
        pseudonyms=NAMES,
        vault=make.platform.texts,
        at=START,
    )
    first, second = read_window(
        make.session,
        traffic.deployment.id,
        start=START,
        end=START.replace(year=START.year + 1),
        known_at=START,
    )
    assert (first.segments, second.segments) == ({"region": "north"}, {})
    assert first.subject_key == NAMES.subjects(["Ada Lovelace"])[0]
    assert second.subject_key is None


@pytest.mark.parametrize(
    ("stored", "read"), [(None, {}), ('{"region":"north"}', {"region": "north"})]
)
def test_archived_segments_read_like_stored_ones(stored: str | None, read: dict[str, str]) -> None:
    nothing = dict.fromkeys(Archived._fields, None)
    assert _segments(Archived(**nothing | {"segments": stored})) == read  # type: ignore[arg-type]  # one field matters
