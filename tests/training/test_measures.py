"""What the gates look at, measured on real models: figures, seeds, and failures that stay small."""

import json
import random
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bailiwick.serving.engine import Engine
from bailiwick.training.data import Frame, read_frame
from bailiwick.training.measures import bench as benches
from bailiwick.training.measures.beside import answered, slices
from bailiwick.training.measures.membership import alone, auc, separation, withhold
from bailiwick.training.measures.overlaps import overlaps
from bailiwick.training.measures.perturbations import CHANGES, casing, changed, cut, typos
from bailiwick.training.recipes import HeadRecipe
from bailiwick.training.run import run
from bailiwick.training.spec import FrameFile, Measures, TrainingSpec
from support.tiny_training import frame_file, rows, tiny_spec

pytestmark = pytest.mark.torch
ALWAYS = {"slices", "calibration", "latency", "size", "robustness", "data_checks"}


def frame_of(
    *given: tuple[int, str, str], marks: dict[str, list[str | None]] | None = None
) -> Frame:
    """Rows of (day, text, label)."""
    days, texts, labels = (list(column) for column in zip(*given, strict=True))
    times = np.array(days, "datetime64[D]").astype("datetime64[us]")
    return Frame(times, texts, labels, marks or {})


def measures(folder: Path, **wanted: Any) -> dict[str, Any]:
    """What a tiny job measures."""
    outcome = run(tiny_spec(folder, measures=Measures(**wanted)), lambda *_: None)
    figures: dict[str, Any] = outcome["measured"]
    return figures


def test_a_job_measures_everything_that_it_is_asked_for_and_says_what_it_took(
    trained: Path, tmp_path: Path
) -> None:
    golden = frame_file(tmp_path / "golden.parquet", rows(40, seed=5))
    wanted = Measures(golden=golden, reproduce=True)
    champion = trained / "artifact"
    spec = tiny_spec(tmp_path, compare_with=champion, measures=wanted)
    found = run(spec, lambda *_: None)["measured"]
    assert set(found) == ALWAYS | {"golden_set", "reproducibility"}
    assert not [gate for gate, figures in found.items() if "unknown" in figures]
    assert all(figures["seconds"] >= 0 for figures in found.values())
    assert found["reproducibility"]["same"] is True
    assert sum(found["golden_set"]["paired"].values()) == 40
    assert found["golden_set"]["leaked_rows"] == 0
    # Trained with the champion's rows, recipe and seed it is the champion.
    assert found["golden_set"]["accuracy"] == found["golden_set"]["champion_accuracy"]
    assert found["size"]["bytes"] == found["size"]["champion_bytes"]
    assert found["size"]["bytes"] == sum(path.stat().st_size for path in champion.iterdir())
    assert {one["by"] for one in found["slices"]["slices"]} == {"class"}
    assert found["latency"]["p95_ms"] > 0 < found["latency"]["champion_p95_ms"]
    json.dumps(found, allow_nan=False)
    assert {path.name for path in tmp_path.iterdir() if path.is_dir()} == {"artifact"}


def test_a_measure_that_fails_is_unknown_and_takes_no_other_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        message = "bp garage 12"  # never to be repeated
        raise RuntimeError(message)

    monkeypatch.setattr(benches.beside, "robustness", fail)
    missing = FrameFile(tmp_path / "gone.parquet", "0" * 64)
    found = measures(tmp_path, golden=missing, membership=True)
    assert found["robustness"] == {"unknown": "measuring it failed (RuntimeError)"}
    assert found["golden_set"]["unknown"].startswith("gone.parquet cannot be read")
    assert "too few rows to withhold" in found["membership"]["unknown"]
    assert "unknown" not in found["calibration"]


def test_the_spec_travels_with_what_is_to_be_measured(tmp_path: Path) -> None:
    wanted = Measures(
        golden=FrameFile(tmp_path / "g.parquet", "0" * 64),
        segments=("region",),
        key=True,
        membership=True,
        reproduce=True,
    )
    spec = tiny_spec(tmp_path, measures=wanted)
    path = tmp_path / "spec.json"
    path.write_text(json.dumps(spec.to_dict()))
    assert TrainingSpec.read(path).measures == wanted
    path.write_text(json.dumps({**spec.to_dict(), "measures": None}))
    assert TrainingSpec.read(path).measures == Measures()


def test_slices_count_each_class_and_each_value_of_a_segment(trained: Path) -> None:
    engine = Engine.load(trained / "artifact")
    content = read_frame(tiny_spec(trained / "again").holdout)
    regions = [None if place % 3 == 0 else f"r{place % 3}" for place in range(len(content))]
    frame = replace(content, marks={"segment:region": regions})
    own = answered(engine, frame.texts, frame.labels)
    wrong = [place for place, right in enumerate(own.right) if not right]
    found = slices(own, own, frame, ("region", "district"))
    assert found["missing"] == ["district"]
    sizes = {(one["by"], one["value"]): one["rows"] for one in found["slices"]}
    expected = Counter(("class", label) for label in frame.labels)
    expected += Counter(("class", own.answers[place]) for place in wrong)
    expected += Counter(("segment region", region) for region in regions if region)
    assert sizes == expected
    for one in found["slices"]:
        assert one["paired"]["only_candidate"] == one["paired"]["only_champion"] == 0
        assert one["paired"]["both"] == round(one["accuracy"] * one["rows"])


def test_the_largest_slices_are_kept_and_what_is_left_out_is_told() -> None:
    many = frame_of(*((1, "a", f"label {place % 501}") for place in range(1_002)))
    own = benches.beside.Answered(many.labels, np.ones(1_002, dtype=bool), np.ones(1_002))
    found = slices(own, None, many, ())
    assert (len(found["slices"]), found["largest_left_out"]) == (500, 2)


@pytest.mark.parametrize("name", CHANGES)
def test_texts_are_changed_by_the_seed_alone(name: str) -> None:
    texts = [text for _, text, _ in rows(50)]
    once = changed(texts, CHANGES[name], seed=4)
    assert once == changed(texts, CHANGES[name], seed=4)
    assert sum(text != other for text, other in zip(texts, once, strict=True)) > 45
    assert once[10:] == [*changed(texts, CHANGES[name], seed=4)][10:]


def test_changes_are_small_and_stand_odd_texts() -> None:
    chance = random.Random(0)  # noqa: S311 - a test's chance, not a secret
    for text in ("", "7", "12 | 3", "ß", "BP CONNECT | fleet management"):
        assert casing(text, chance).casefold() == text.casefold()
        assert text.startswith(cut(text, chance))
        assert abs(len(typos(text, chance)) - len(text)) <= 1 + len(text) // 24
    assert len(cut("a" * 100, chance)) == 75


def test_overlaps_are_what_one_counts_row_by_row() -> None:
    chance = random.Random(2)  # noqa: S311 - a test's chance, not a secret

    def drawn(first: int, count: int) -> Frame:
        given = sorted(
            (first + chance.randrange(3), chance.choice(("Bp  Ltd", "bp ltd", "shell", "ﬁat")), "x")
            for _ in range(count)
        )
        keys = [chance.choice((None, "a", "b", "c")) for _ in given]
        return frame_of(*given, marks={"key": keys})

    train, holdout = drawn(0, 60), drawn(2, 40)

    def plain(text: str) -> str:
        return " ".join(text.lower().split()).replace("ﬁ", "fi")

    def whole(frame: Frame) -> list[tuple[Any, ...]]:
        texts = map(plain, frame.texts)
        return list(zip(frame.times.tolist(), texts, frame.labels, strict=True))

    learned = set(whole(train))
    keys = {key for key in train.marks["key"] if key is not None}
    judged_keys = [key for key in holdout.marks["key"] if key is not None]
    assert overlaps(train, holdout, keyed=True) == {
        "train_rows": 60,
        "holdout_rows": 40,
        "duplicate_rows": 60 - len(learned),
        "rows_after": sum(time > holdout.times.min() for time in train.times),
        "leaked_rows": sum(row in learned for row in whole(holdout)),
        "repeated_text_rows": sum(
            plain(text) in set(map(plain, train.texts)) for text in holdout.texts
        ),
        "key_declared": True,
        "keyed_rows": len(judged_keys),
        "leaked_key_rows": sum(key in keys for key in judged_keys),
    }
    without = overlaps(replace(train, marks={}), replace(holdout, marks={}), keyed=True)
    assert (without["keyed_rows"], without["leaked_key_rows"]) == (0, 0)


def test_withheld_rows_are_not_learned_from_and_members_are() -> None:
    content = [(place, f"text {place % 1_500}", f"label {place % 7}") for place in range(2_000)]
    frame = frame_of(*content)
    drawn = withhold(frame, seed=1)
    assert drawn is not None
    learned, withheld = set(drawn.learned.times.tolist()), set(drawn.non_members.times.tolist())
    assert len(drawn.members) == len(drawn.non_members) == len(withheld) == 100
    assert set(drawn.members.times.tolist()) <= learned
    assert not withheld & learned
    assert learned | withheld == set(frame.times.tolist())
    members, others = alone(drawn)
    counts = Counter(frame.texts)
    assert members.tolist() == [counts[text] == 1 for text in drawn.members.texts]
    assert others.tolist() == [counts[text] == 1 for text in drawn.non_members.texts]
    again, other = withhold(frame, seed=1), withhold(frame, seed=2)
    assert again is not None
    assert other is not None
    assert again.non_members.texts == drawn.non_members.texts != other.non_members.texts


def test_few_rows_and_rare_labels_are_not_withheld() -> None:
    assert withhold(frame_of(*((1, f"t{place}", "x") for place in range(299))), seed=1) is None
    rare = [(1, f"t{place}", "x" if place else "rare") for place in range(400)]
    for seed in range(20):
        drawn = withhold(frame_of(*rare), seed=seed)
        assert drawn is not None
        assert "t0" in drawn.learned.texts
        assert "t0" not in drawn.members.texts


def test_the_auc_is_the_share_of_pairs_and_its_interval_holds_one_half_for_equals() -> None:
    chance = np.random.default_rng(0)
    members, others = chance.integers(0, 9, 80) * 1.0, chance.integers(0, 9, 60) * 1.0
    pairs = [(a > b) + (a == b) / 2 for a in members for b in others]
    assert auc(members, others) == pytest.approx(np.mean(pairs))
    held = 0
    for seed in range(20):
        same = np.random.default_rng(seed).normal(size=(2, 150))
        found = separation(same[0], same[1], seed=seed)
        held += found.low <= 0.5 <= found.high
    assert held >= 17


def test_a_model_that_memorises_is_told_from_one_that_does_not(tmp_path: Path) -> None:
    chance = random.Random(3)  # noqa: S311 - a test's chance, not a secret
    noise = [
        (time, f"{chance.getrandbits(40):x} {chance.getrandbits(40):x}", chance.choice("ab"))
        for time, _, _ in rows(700)
    ]
    # Labels by chance can only be memorised; those of shops are the same for new rows.
    for name, content, low, high in (("chance", noise, 0.9, 1.0), ("shops", rows(700), 0.4, 0.65)):
        folder = tmp_path / name
        folder.mkdir()
        spec = TrainingSpec(
            work_dir=folder,
            train=frame_file(folder / "train.parquet", content[:600]),
            holdout=frame_file(folder / "holdout.parquet", content[600:]),
            recipe=HeadRecipe(buckets=4096, epochs=60),
            measures=Measures(membership=True),
        )
        attacks = run(spec, lambda *_: None)["measured"]["membership"]["attacks"]
        (by_loss,) = (one for one in attacks if one["attack"] == "loss")
        assert low <= by_loss["auc"] <= high
        assert by_loss["low"] <= by_loss["auc"] <= by_loss["high"]
