import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from bailiwick.audit import AuditEvent
from bailiwick.blobs import CorruptBlob
from bailiwick.core.errors import Conflict, Invalid, NotFound
from bailiwick.core.ids import new_id
from bailiwick.db.session import ImmutableRow
from bailiwick.lifecycle import Platform
from bailiwick.lineage import record_run
from bailiwick.policy import Unseen
from bailiwick.registry import (
    Artifact,
    ModelVersion,
    RegisteredModel,
    create_model,
    describe_model,
    find_model,
    find_version,
    materialise,
    register_version,
)
from factories import CONFIDENTIAL, Factory

FILES = {"model.safetensors": b"weights", "tokenizer/vocab.json": b"{}", "config.json": b"[]"}


def artifact(platform: Platform, files: dict[str, bytes] = FILES) -> Artifact:
    return Artifact(
        files=tuple(
            {
                "path": path,
                "sha256": platform.blobs.put_bytes(content),
                "size_bytes": len(content),
            }
            for path, content in files.items()
        ),
        parameters=1,
        labels=("a",),
        text_columns=("text",),
        recipe={},
        seed=0,
        metrics={},
    )


def register(make: Factory, model: RegisteredModel, made: Artifact | None = None) -> ModelVersion:
    run = record_run(
        make.session,
        "train",
        namespace="finance",
        label_id=model.label_id,
        inputs=[],
        outputs=[],
        parameters={},
        metrics={},
        started_at=make.at,
        actor_id=make.engineer.id,
        at=make.at,
    )
    return register_version(
        make.session,
        model,
        made or artifact(make.platform),
        version_id=new_id(),
        run_id=run.id,
        base_version_id=None,
        label_id=model.label_id,
        scheme=make.platform.rules.scheme,
        trained_by=make.engineer.id,
        at=make.at,
    )


def test_versions_are_numbered_one_after_the_other_per_model(make: Factory) -> None:
    first, other = make.model("first"), make.model("other")
    numbers = [register(make, model).number for model in (first, first, other, first)]
    assert numbers == [1, 2, 1, 3]


def test_the_manifest_is_sorted_and_its_digest_tells_contents_apart(make: Factory) -> None:
    model = make.model()
    one = register(make, model)
    again = artifact(make.platform)
    reordered = register(make, model, replace(again, files=again.files[::-1]))
    changed = register(make, model, artifact(make.platform, FILES | {"config.json": b"{}"}))
    assert [file["path"] for file in one.manifest] == sorted(FILES)
    assert one.manifest_digest == reordered.manifest_digest
    assert one.manifest_digest != changed.manifest_digest


@pytest.mark.parametrize(
    "path", ["../outside", "/etc/passwd", "a/../../b", "", ".", "tokenizer/.."]
)
def test_a_path_that_leads_out_of_its_folder_is_refused(make: Factory, path: str) -> None:
    files = ({"path": path, "sha256": "0" * 64, "size_bytes": 1},)
    with pytest.raises(Invalid, match="relative"):
        register(make, make.model(), replace(artifact(make.platform), files=files))


def test_a_version_needs_files(make: Factory) -> None:
    with pytest.raises(Invalid, match="at least one file"):
        register(make, make.model(), replace(artifact(make.platform), files=()))


def test_a_version_never_changes(make: Factory) -> None:
    version = register(make, make.model())
    with pytest.raises(Exception, match="is immutable"):
        make.session.execute(
            update(ModelVersion).where(ModelVersion.id == version.id).values(seed=7)
        )
    assert issubclass(ImmutableRow, Conflict)


def test_what_is_not_there_is_not_found(make: Factory) -> None:
    model = make.model()
    with pytest.raises(Unseen):
        find_model(make.session, "finance", "other")
    with pytest.raises(Unseen):
        find_version(make.session, model, 1)
    assert find_model(make.session, "finance", "classifier") is model


def test_a_name_is_taken_once_and_must_be_a_slug(make: Factory) -> None:
    make.model()
    with pytest.raises(Conflict, match="already"):
        make.model()
    for name in ("", "Big", "a/b", "-a", "a" * 101, "a b", "ä"):
        with pytest.raises(Invalid, match="lower-case"):
            create_model(
                make.session,
                "finance",
                name,
                label=CONFIDENTIAL,
                description="",
                actor_id=make.engineer.id,
                at=make.at,
            )


def test_describing_records_old_and_new_and_only_a_change(make: Factory) -> None:
    model = make.model()
    for text in ("better", "better"):
        describe_model(make.session, model, text, actor_id=make.engineer.id, at=make.at)
    made = make.session.scalars(
        select(AuditEvent).where(AuditEvent.action == "model.described")
    ).all()
    assert len(made) == 1
    assert b'"new":"better"' in made[0].body


class TestMaterialise:
    @pytest.fixture
    def version(self, make: Factory) -> ModelVersion:
        return register(make, make.model())

    @pytest.fixture
    def folder(self, platform: Platform) -> Path:
        return platform.artifact_folder

    def contents(self, folder: Path) -> dict[str, bytes]:
        return {
            str(path.relative_to(folder)): path.read_bytes()
            for path in folder.rglob("*")
            if path.is_file()
        }

    def test_the_folder_holds_exactly_the_manifest(
        self, platform: Platform, version: ModelVersion, folder: Path
    ) -> None:
        made = materialise(version, platform.blobs, folder)
        assert made.name == version.manifest_digest
        assert self.contents(made) == FILES
        assert list(folder.iterdir()) == [made]

    def test_a_second_time_nothing_is_copied(
        self,
        platform: Platform,
        version: ModelVersion,
        folder: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        made = materialise(version, platform.blobs, folder)
        monkeypatch.setattr(shutil, "copyfile", None)
        assert materialise(version, platform.blobs, folder) == made

    @pytest.mark.parametrize("harm", ["changed", "removed", "added", "linked", "emptied"])
    def test_a_cached_folder_that_was_touched_is_made_again(
        self, platform: Platform, version: ModelVersion, folder: Path, harm: str
    ) -> None:
        made = materialise(version, platform.blobs, folder)
        weights = made / "model.safetensors"
        harms: dict[str, Any] = {
            "changed": lambda: weights.write_bytes(b"malice!"),
            "removed": weights.unlink,
            "added": lambda: (made / "tokenizer" / "extra.py").write_text("import os"),
            "linked": lambda: (made / "link").symlink_to("/etc/hostname"),
            "emptied": lambda: shutil.rmtree(made / "tokenizer"),
        }
        harms[harm]()
        assert self.contents(materialise(version, platform.blobs, folder)) == FILES
        assert not (made / "link").is_symlink()

    def test_a_damaged_blob_is_named_and_leaves_no_folder(
        self, platform: Platform, version: ModelVersion, folder: Path
    ) -> None:
        digest = version.manifest[1]["sha256"]
        platform.blobs.path_of(digest).write_bytes(b"rot")
        with pytest.raises(CorruptBlob, match=digest[:12]):
            materialise(version, platform.blobs, folder)
        assert list(folder.iterdir()) == []

    def test_a_missing_blob_is_named(
        self, platform: Platform, version: ModelVersion, folder: Path
    ) -> None:
        digest = version.manifest[0]["sha256"]
        platform.blobs.path_of(digest).unlink()
        with pytest.raises(NotFound, match=digest[:12]):
            materialise(version, platform.blobs, folder)

    def test_many_at_once_make_one_folder(
        self, platform: Platform, version: ModelVersion, folder: Path
    ) -> None:
        def one(_: int) -> Path:
            return materialise(version, platform.blobs, folder)

        with ThreadPoolExecutor(6) as threads:
            made = set(threads.map(one, range(12)))
        assert made == {folder / version.manifest_digest}
        assert self.contents(made.pop()) == FILES
        assert len(list(folder.iterdir())) == 1
