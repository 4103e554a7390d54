"""Only data files of known names are loaded, and only when they are whole."""

import json
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest

from bailiwick.core.errors import Invalid
from bailiwick.serving.artifact import ArtifactInvalid, read_artifact
from bailiwick.serving.engine import Engine

pytestmark = pytest.mark.torch


def _set(path: Path, **changes: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_a_whole_artifact_says_what_it_is(artifact: Path) -> None:
    described = read_artifact(artifact)
    assert described.labels == ("Books", "Food", "Fuel")
    assert described.max_tokens == 16
    assert described.recipe["kind"] == "small-classifier"


@pytest.mark.parametrize("name", ["pytorch_model.bin", "modeling.py", ".hidden", "adapter.pt"])
def test_an_artifact_with_any_other_file_is_refused(spoiled: Path, name: str) -> None:
    (spoiled / name).write_bytes(pickle.dumps({"weights": 1}))
    with pytest.raises(ArtifactInvalid, match=f"holds {name}, which may not be loaded"):
        Engine.load(spoiled)


def test_a_link_in_place_of_a_file_is_refused(spoiled: Path, artifact: Path) -> None:
    (spoiled / "config.json").unlink()
    (spoiled / "config.json").symlink_to(artifact / "config.json")
    with pytest.raises(ArtifactInvalid, match=r"holds config\.json"):
        Engine.load(spoiled)


@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json"])
def test_a_configuration_that_names_code_is_refused(spoiled: Path, name: str) -> None:
    _set(spoiled / name, auto_map={"AutoModelForSequenceClassification": "evil.Model"})
    with pytest.raises(ArtifactInvalid, match=f"{name} names code to run"):
        Engine.load(spoiled)


def test_a_missing_file_is_named(spoiled: Path) -> None:
    (spoiled / "tokenizer.json").unlink()
    with pytest.raises(ArtifactInvalid, match=r"lacks tokenizer\.json"):
        Engine.load(spoiled)


def _cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("model.safetensors", _cut),
        ("model.safetensors", lambda _: b""),
        ("model.safetensors", lambda content: b"\xff" * 8 + content[8:]),
        ("model.safetensors", lambda _: pickle.dumps({"weights": 1})),
        ("config.json", _cut),
        ("config.json", lambda _: b"[]"),
        ("config.json", lambda _: b'{"model_type": "no-such-model"}'),
        ("config.json", lambda content: content.replace(b'vocab_size": 3', b'vocab_size": 4')),
        ("tokenizer.json", _cut),
        ("tokenizer.json", lambda _: b"{}"),
        ("bailiwick.json", lambda _: b"{}"),
        ("known_words.u64", lambda content: content[:-1]),
    ],
)
def test_a_damaged_file_is_refused_with_its_name(
    spoiled: Path, name: str, damage: Callable[[bytes], bytes]
) -> None:
    path = spoiled / name
    before = path.read_bytes()
    path.write_bytes(damage(before))
    assert path.read_bytes() != before
    with pytest.raises(Invalid, match=name):
        Engine.load(spoiled)


def test_a_card_with_other_labels_than_the_network_has_outputs_is_refused(spoiled: Path) -> None:
    _set(spoiled / "bailiwick.json", labels=["Books", "Food"])
    with pytest.raises(ArtifactInvalid, match="3 outputs and the card names 2 labels"):
        Engine.load(spoiled)


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactInvalid, match="folder is not there"):
        read_artifact(tmp_path / "gone")
