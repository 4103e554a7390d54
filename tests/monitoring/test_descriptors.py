"""Descriptors of texts and the hashed words they are measured against."""

import time
from pathlib import Path

import pytest

from bailiwick.core.errors import Invalid
from bailiwick.monitoring.descriptors import Descriptors, KnownWords, describe


def test_a_text_is_described_by_its_length_words_and_share_of_unseen_words() -> None:
    known = KnownWords.of(["Shell Garage", "market street"])
    assert describe("shell NEW street 9", known) == Descriptors(18, 4, 0.5)


def test_an_empty_text_has_no_words_and_nothing_unseen() -> None:
    assert describe("", KnownWords.of([])) == Descriptors(0, 0, 0.0)


def test_known_words_survive_saving_and_hold_no_clear_text(tmp_path: Path) -> None:
    known = KnownWords.of(["Waterstones Ltd", "Café Straße"])
    path = tmp_path / "known_words.u64"
    known.save(path)
    assert KnownWords.load(path) == known
    assert path.stat().st_size == 8 * 4
    assert b"waterstones" not in path.read_bytes().lower()
    assert "CAFÉ" in KnownWords.load(path)


def test_the_same_words_give_the_same_bytes_in_any_order(tmp_path: Path) -> None:
    KnownWords.of(["a b c"]).save(tmp_path / "one")
    KnownWords.of(["c", "b", "a"]).save(tmp_path / "two")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_words_of_two_data_sets_join() -> None:
    joined = KnownWords.of(["a"]) | KnownWords.of(["b"])
    assert describe("a b", joined).unseen_words_ratio == 0.0


@pytest.mark.parametrize("damage", [b"\x00", b"\x09" * 8 + b"\x01" * 8, b"\x01" * 16])
def test_a_damaged_file_of_known_words_is_refused(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "known_words.u64"
    path.write_bytes(damage)
    with pytest.raises(Invalid, match=r"known_words\.u64 is (cut off|damaged)"):
        KnownWords.load(path)


def test_a_lone_surrogate_is_described_and_not_an_error() -> None:
    assert describe("\ud800x", KnownWords.of([])).characters == 2


def test_ten_thousand_texts_are_described_well_within_a_second() -> None:
    texts = [f"merchant {number} ltd | ward {number % 40}" for number in range(10_000)]
    known = KnownWords.of(texts[:5_000])
    started = time.process_time()
    ratios = [describe(text, known).unseen_words_ratio for text in texts]
    assert time.process_time() - started < 1
    assert sum(ratios[:5_000]) == 0 < sum(ratios[5_000:])
