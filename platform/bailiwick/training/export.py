"""Writing what a run made: data files only, the same bytes for the same training."""

import json
import os
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from safetensors.torch import save

from bailiwick.core.canonical import canonical_bytes, sha256_hex
from bailiwick.serving import artifact as files
from bailiwick.serving.classification import Classification
from bailiwick.training.data import Frame
from bailiwick.training.recipes import Recipe
from bailiwick.training.tokens import tokenizer_config
from bailiwick.training.trained import Trained

_LIBRARIES = ("torch", "transformers", "tokenizers", "safetensors", "numpy")


def write_artifact(trained: Trained, recipe: Recipe, *, seed: int, directory: Path) -> None:
    """Write the artifact into `directory`, which is made and must be empty or absent.

    No file holds a time or a path, so the same training writes the same bytes.
    """
    directory.mkdir(parents=True, exist_ok=True)
    weights = {name: value.contiguous() for name, value in trained.network.state_dict().items()}
    contents = {
        files.CONFIG: trained.config_json.encode(),
        files.WEIGHTS: save(weights, metadata={"format": "pt"}),
        files.CARD: canonical_bytes(
            {
                "task": files.TASK,
                "labels": list(trained.labels),
                "recipe": recipe.to_dict(),
                "seed": seed,
                "max_tokens": trained.max_tokens,
                "versions": {name: version(name) for name in _LIBRARIES},
            }
        ),
    }
    if trained.tokenizer:
        contents[files.TOKENIZER] = trained.tokenizer.to_str().encode()
        contents[files.TOKENIZER_CONFIG] = canonical_bytes(tokenizer_config(trained.max_tokens))
    for name, content in contents.items():
        (directory / name).write_bytes(content)
    trained.known_words.save(directory / files.KNOWN_WORDS)


def manifest(directory: Path) -> list[dict[str, Any]]:
    """Path, SHA-256 and size of every file in `directory`, by name."""
    return [
        {
            "path": path.name,
            "sha256": sha256_hex(content := path.read_bytes()),
            "size_bytes": len(content),
        }
        for path in sorted(directory.iterdir())
    ]


def write_reference(path: Path, frame: Frame, answers: Sequence[Classification]) -> None:
    """What the model answered on `frame`: the reference its later inputs are compared with."""
    described = [answer.descriptors for answer in answers]
    table = pa.table(
        {
            "time": pa.array(frame.times, pa.timestamp("us", "UTC")),
            "prediction": [answer.label for answer in answers],
            "confidence": [answer.confidence for answer in answers],
            "characters": [text.characters for text in described],
            "words": [text.words for text in described],
            "unseen_words_ratio": [text.unseen_words_ratio for text in described],
            "label": list(frame.labels),
        }
    )
    pq.write_table(table, path)


def write_outcome(path: Path, outcome: dict[str, Any]) -> None:
    """Write `outcome` so that the file is there complete or not at all."""
    unfinished = path.with_suffix(".part")
    with unfinished.open("w", encoding="utf-8") as stream:
        json.dump(outcome, stream, indent=1, ensure_ascii=False, allow_nan=False)
        stream.flush()
        os.fsync(stream.fileno())
    unfinished.replace(path)
