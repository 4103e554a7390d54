"""Further streams to look at a rule on: intents that open in waves, concepts that change at once.

The ledgers of `lifecycle_streams` are asked other questions, or read from their end to their
beginning.
"""

import csv
import gzip
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from lifecycle_streams import DATA, Record, Source, Stored

MONTHS, MONTH_DAYS, WAVES = 60, 30.4, 4
SEA_DAYS, SEA_FEATURES = 3652, 3


@dataclass(frozen=True, slots=True)
class Waves:
    """Customers' questions of which two fifths of the intents are asked from the first month on.

    Three tenths open together, in one of four waves, the others one by one; three in ten end
    after one to three years. Which ones, and when, is drawn by `seed`.
    """

    folder: str
    seed: int
    text: tuple[str, ...] = ("text",)
    label: str = "category"

    def rows(self, folder: Path) -> list[Record]:
        """Its rows in order of time; `folder` is not needed."""
        del folder
        asked = list(_intents(self.folder))
        draw = random.Random(self.seed)  # noqa: S311 - an order, not a secret
        spans = _spans(sorted({intent for _, intent in asked}), draw)
        found = []
        for text, intent in asked:
            opens, closes = spans[intent]
            month = min(draw.uniform(opens, max(closes, opens + 3)), MONTHS - 0.01)
            day = date(2018, 1, 1) + timedelta(days=int(month * MONTH_DAYS))
            found.append({"date": day.isoformat(), "text": text, "category": intent})
        return sorted(found, key=lambda row: row["date"])


@dataclass(frozen=True, slots=True)
class Sea:
    """The SEA concepts as words: what is right changes at once, every 12,500 of 50,000 rows."""

    text: tuple[str, ...] = ("text",)
    label: str = "category"

    def rows(self, folder: Path) -> list[Record]:
        """Its rows in order of time, spread evenly over ten years; `folder` is not needed."""
        del folder
        features = _lines("SEA_training_data.csv.gz")
        classes = _lines("SEA_training_class.csv.gz")
        found = []
        for place, (line, truth) in enumerate(zip(features, classes, strict=True)):
            values = [int(float(value)) for value in line.replace(",", " ").split()[:SEA_FEATURES]]
            words = [f"f{number}q{value}" for number, value in enumerate(values)]
            day = date(2010, 1, 1) + timedelta(days=place * SEA_DAYS // 50_000)
            text = " ".join([*words, f"p{values[0]}x{values[1]}"])
            found.append({"date": day.isoformat(), "text": text, "category": f"c{truth}"})
        return found


def _invented(seed: int) -> Source:
    return Source("purchases", ("merchant",), seed=seed)


# Looked at when the first rule that weighs age was ready, and then to choose how growth is judged.
SEEN: dict[str, Stored] = {
    "birmingham, text with directorate": Source("birmingham-pcard", ("merchant", "directorate")),
    "birmingham's VAT codes": Source("birmingham-pcard", ("merchant",), "vat_code"),
    "harrogate's units by narrative": Source("harrogate-invoices", ("narrative",), "unit"),
    "harrogate's units by supplier": Source("harrogate-invoices", ("supplier",), "unit"),
    "harrogate's narratives, backwards": Source(
        "harrogate-invoices", ("narrative",), backwards=True
    ),
    "manchester's units, backwards": Source(
        "manchester-invoices", ("supplier",), "unit", backwards=True
    ),
    **{f"invented purchases {seed}": _invented(seed) for seed in (31, 32, 33, 41, 42, 43, 44)},
    "SEA concepts": Sea(),
    "clinc150 in waves 1": Waves("clinc150-oos", seed=1),
    "banking77 in waves 2": Waves("banking77", seed=2),
    **{
        f"{folder} in waves {seed}": Waves(folder, seed)
        for folder in ("clinc150-oos", "banking77")
        for seed in range(11, 17)
    },
}
# Looked at once, when nothing was to be chosen any more.
UNSEEN: dict[str, Stored] = {
    "birmingham's directorates, backwards": Source(
        "birmingham-pcard", ("merchant",), "directorate", backwards=True
    ),
    "birmingham's VAT codes, text with directorate": Source(
        "birmingham-pcard", ("merchant", "directorate"), "vat_code"
    ),
    "harrogate, text with narrative": Source("harrogate-invoices", ("supplier", "narrative")),
    "harrogate's level 1, backwards": Source(
        "harrogate-invoices", ("supplier",), "category_level1", backwards=True
    ),
    "manchester since 2015": Source("manchester-invoices", ("supplier", "unit"), since="2015"),
    "manchester by supplier, backwards": Source(
        "manchester-invoices", ("supplier",), backwards=True
    ),
    **{f"invented purchases {seed}": _invented(seed) for seed in (51, 52, 53)},
    **{
        f"{folder} in waves {seed}": Waves(folder, seed)
        for folder in ("clinc150-oos", "banking77")
        for seed in (21, 22, 23)
    },
}


def _intents(folder: str) -> Iterator[tuple[str, str]]:
    if folder == "clinc150-oos":
        with gzip.open(DATA / folder / "data_full.json.gz", "rt", encoding="utf-8") as file:
            parts = json.load(file)
        for part in ("train", "val", "test"):
            yield from parts[part]
        return
    for part in ("train", "test"):
        with (DATA / folder / f"{part}.csv").open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                yield row["text"], row["category"]


def _spans(intents: list[str], draw: random.Random) -> dict[str, tuple[int, int]]:
    """From which month to which each intent is asked for."""
    draw.shuffle(intents)
    waves = sorted(draw.sample(range(6, MONTHS - 6), WAVES))
    spans = {}
    for intent in intents:
        kind = draw.random()
        if kind < 0.4:  # noqa: PLR2004 - shares, as the class says
            opens = 0
        elif kind < 0.7:  # noqa: PLR2004 - the same
            opens = draw.choice(waves)
        else:
            opens = draw.randrange(3, MONTHS)
        ends = draw.random() >= 0.7  # noqa: PLR2004 - the same
        spans[intent] = (opens, min(MONTHS, opens + draw.randrange(12, 40)) if ends else MONTHS)
    return spans


def _lines(name: str) -> list[str]:
    with gzip.open(DATA / "drift-benchmarks" / name, "rt", encoding="utf-8") as file:
        return [line.strip() for line in file if line.strip()]
