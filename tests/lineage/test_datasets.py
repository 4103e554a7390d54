from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest
from sqlalchemy import func, select, update

from bailiwick.audit import AuditEvent
from bailiwick.core.errors import Conflict, Invalid
from bailiwick.lifecycle import Platform
from bailiwick.lineage import (
    Content,
    Dataset,
    DatasetVersion,
    Run,
    add_dataset_version,
    create_dataset,
    find_dataset,
    find_dataset_version,
)
from bailiwick.policy import Unseen
from factories import CONFIDENTIAL, Factory


def content(platform: Platform, digest: str, at: Factory) -> Content:
    return Content(
        content_digest=digest * 64,
        rows_blob=platform.blobs.put_bytes(digest.encode()),
        columns=[{"name": "text", "type": "string"}],
        text_columns=("text",),
        label_column="label",
        date_column="date",
        rows=7,
        first_time=at.at,
        last_time=at.at,
        rejected_rows=2,
        rejected_reasons={"no date": 2},
    )


def add(make: Factory, dataset: Dataset, digest: str) -> DatasetVersion:
    return add_dataset_version(
        make.session,
        dataset,
        content(make.platform, digest, make),
        scheme=make.platform.rules.scheme,
        kind="ingest",
        inputs=[],
        started_at=make.at,
        actor_id=make.engineer.id,
        at=make.at,
    )


def test_versions_are_numbered_and_the_same_content_is_one(make: Factory) -> None:
    dataset = make.dataset()
    first, second, again = (add(make, dataset, digest) for digest in "aba")
    assert (first.number, second.number) == (1, 2)
    assert again is first
    other = add(make, make.dataset("other"), "a")
    assert other.id != first.id
    assert make.session.scalar(select(func.count()).select_from(Run)) == 3


def test_a_version_is_told_in_the_log_with_its_digest_and_counts(make: Factory) -> None:
    add(make, make.dataset(), "a")
    make.session.flush()
    body = make.session.scalars(
        select(AuditEvent.body).where(AuditEvent.action == "dataset-version.registered")
    ).one()
    assert b'"rows":7' in body
    assert b'"rejected_rows":2' in body
    assert b"a" * 64 in body


def test_a_version_never_changes(make: Factory) -> None:
    add(make, make.dataset(), "a")
    with pytest.raises(Exception, match="is immutable"):
        make.session.execute(update(DatasetVersion).values(rows=8))


def test_what_is_not_there_is_not_found(make: Factory) -> None:
    dataset = make.dataset()
    with pytest.raises(Unseen):
        find_dataset(make.session, "finance", "other")
    with pytest.raises(Unseen):
        find_dataset_version(make.session, dataset, 1)


def test_names_are_slugs_and_taken_once(make: Factory) -> None:
    make.dataset()
    with pytest.raises(Conflict, match="add a version"):
        make.dataset()
    with pytest.raises(Invalid, match="lower-case"):
        create_dataset(
            make.session,
            "Finance",
            "x",
            label=CONFIDENTIAL,
            description="",
            actor_id=make.engineer.id,
            at=make.at,
        )


def test_the_same_file_at_the_same_moment_is_one_version(platform: Platform) -> None:
    with platform.database.transaction() as session:
        make = Factory(session, platform)
        make.dataset()
        engineer = make.engineer.id
        rows = content(platform, "a", make)

    def send(_: int) -> UUID:
        with platform.database.transaction() as session:
            return add_dataset_version(
                session,
                find_dataset(session, "finance", "purchases"),
                rows,
                scheme=platform.rules.scheme,
                kind="ingest",
                inputs=[],
                started_at=platform.clock.now(),
                actor_id=engineer,
                at=platform.clock.now(),
            ).id

    with ThreadPoolExecutor(4) as threads:
        assert len(set(threads.map(send, range(4)))) == 1
