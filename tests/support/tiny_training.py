"""A tiny task and recipe, so that tests train a real network in about a second."""

import hashlib
import random
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from bailiwick.training.recipes import SmallClassifierRecipe
from bailiwick.training.spec import FrameFile, TrainingSpec

Row = tuple[datetime, str, str]
Shops = Mapping[str, Sequence[str]]

SHOPS: Shops = {
    "Fuel": ["bp garage", "shell kings", "esso road", "texaco hill"],
    "Food": ["tesco stores", "asda food", "aldi market", "morrisons shop"],
    "Books": ["waterstones", "oxford press", "book depot", "blackwell print"],
}
TINY = SmallClassifierRecipe(
    vocabulary_size=320,
    max_tokens=16,
    hidden_size=16,
    layers=1,
    heads=2,
    intermediate_size=16,
    dropout=0.0,
    embedding_dropout=0.0,
    classifier_dropout=0.0,
    pretrain_epochs=1,
    train_epochs=8,
    batch_rows=16,
    learning_rate=2e-2,
    weight_decay=0.01,
)


def rows(
    count: int, *, seed: int = 0, labels: Iterable[str] = (), shops: Shops = SHOPS
) -> list[Row]:
    """`count` dated purchases, one an hour."""
    chance = random.Random(seed)  # noqa: S311 - a test's chance, not a secret
    start = datetime(2024, 1, 1, tzinfo=UTC)
    names = sorted(labels or shops)
    result = []
    for hour in range(count):
        label = chance.choice(names)
        text = (
            f"{chance.choice(shops[label])} {chance.randrange(1000)} | ward {chance.randrange(5)}"
        )
        result.append((start + timedelta(hours=hour), text, label))
    return result


def frame_file(path: Path, content: list[Row]) -> FrameFile:
    """Write `content` as a training frame."""
    times, texts, labels = (list(column) for column in zip(*content, strict=True))
    table = pa.table(
        {"time": pa.array(times, pa.timestamp("us", "UTC")), "text": texts, "label": labels}
    )
    return written(path, table)


def written(path: Path, table: pa.Table) -> FrameFile:
    """Write any table, and name it with its digest."""
    pq.write_table(table, path)
    return FrameFile(path, hashlib.sha256(path.read_bytes()).hexdigest())


def tiny_spec(folder: Path, **changes: Any) -> TrainingSpec:
    """A job in `folder` on 240 rows, judged by 60 later ones."""
    folder.mkdir(parents=True, exist_ok=True)
    content = rows(300)
    settings: dict[str, Any] = {
        "work_dir": folder,
        "train": frame_file(folder / "train.parquet", content[:240]),
        "holdout": frame_file(folder / "holdout.parquet", content[240:]),
        "recipe": TINY,
        "seed": 7,
    }
    return TrainingSpec(**{**settings, **changes})
