"""The files of a text classifier, checked before anything is loaded from them.

Data only: weights in safetensors, a tokenizer (a transformer's alone) and configuration in JSON,
hashes of the known words. A file outside the list (a pickle, a script), a link, or a configuration
that names code (`auto_map`) refuses the whole artifact.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bailiwick.core.errors import Invalid

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
TOKENIZER = "tokenizer.json"
TOKENIZER_CONFIG = "tokenizer_config.json"
KNOWN_WORDS = "known_words.u64"
CARD = "bailiwick.json"
FILES = frozenset({CONFIG, WEIGHTS, TOKENIZER, TOKENIZER_CONFIG, KNOWN_WORDS, CARD})
HASHED_NGRAMS = "hashed-ngrams"  # the `model_type` of a configuration without a tokenizer
NGRAM_FILES = FILES - {TOKENIZER, TOKENIZER_CONFIG}

TASK = "text-classification"


class ArtifactInvalid(Invalid):
    """A model's files are not what may be loaded."""

    code = "artifact-invalid"


@dataclass(frozen=True, slots=True)
class Artifact:
    """A checked artifact: where it lies, what it is, and what its card (`bailiwick.json`) says.

    `max_tokens` of a text are read; the tokens of an n-gram model are characters.
    """

    directory: Path
    model_type: str
    labels: tuple[str, ...]
    max_tokens: int
    recipe: dict[str, Any]


def read_artifact(directory: Path) -> Artifact:
    """Check the files of `directory` and read its card. Raises `ArtifactInvalid`."""
    if not directory.is_dir():
        raise ArtifactInvalid("The model's folder is not there. Fetch the version again.")
    entries = list(directory.iterdir())
    model_type = _model_type(directory)
    expected = NGRAM_FILES if model_type == HASHED_NGRAMS else FILES
    if strange := sorted(
        entry.name
        for entry in entries
        if entry.name not in expected or entry.is_symlink() or not entry.is_file()
    ):
        raise ArtifactInvalid(
            f"The model holds {', '.join(strange)}, which may not be loaded. "
            f"Keep only regular files named {', '.join(sorted(expected))}; weights as safetensors."
        )
    if missing := sorted(expected - {entry.name for entry in entries}):
        raise ArtifactInvalid(
            f"The model lacks {', '.join(missing)}. Fetch or register it again, complete."
        )
    for name in expected & {CONFIG, TOKENIZER_CONFIG}:
        if "auto_map" in _read_json(directory / name):
            raise ArtifactInvalid(
                f"{name} names code to run (auto_map). "
                "Register the model with a built-in transformers architecture and without it."
            )
    return _described(directory, model_type, _read_json(directory / CARD))


def _model_type(directory: Path) -> str:
    """What the configuration says, as far as it is a plain file that says something."""
    config = directory / CONFIG
    if config.is_symlink() or not config.is_file():
        return ""
    return str(_read_json(config).get("model_type", ""))


def _described(directory: Path, model_type: str, card: dict[str, Any]) -> Artifact:
    match card:
        case {
            "task": "text-classification",
            "labels": [str(), str(), *_] as labels,
            "max_tokens": int(max_tokens),
            "recipe": dict(recipe),
        } if max_tokens > 0 and all(isinstance(label, str) for label in labels):
            return Artifact(directory, model_type, tuple(labels), max_tokens, recipe)
        case _:
            raise ArtifactInvalid(
                f"{CARD} must name task {TASK!r}, two or more labels, max_tokens and a recipe. "
                "Train the model again or repair its card."
            )


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_bytes())
    except ValueError as error:
        raise ArtifactInvalid(f"{path.name} is not JSON. Fetch the model's files again.") from error
    if not isinstance(value, dict):
        raise ArtifactInvalid(f"{path.name} is not a JSON object. Fetch the model's files again.")
    return value
