"""Parcels: inputs and outputs of job processes as bytes, whole or not at all."""

from dataclasses import replace
from pathlib import Path

import pytest

from bailiwick.training.parcels import DamagedParcel, made_in, packed, unpacked


def inputs(folder: Path) -> dict[str, object]:
    """A spec with a file, a folder, and what is no input."""
    (folder / "base" / "deep").mkdir(parents=True)
    (folder / "base" / "model.bin").write_bytes(b"weights")
    (folder / "base" / "deep" / "words.txt").write_bytes(b"words")
    (folder / "train.parquet").write_bytes(b"rows")
    return {
        "train": {"path": str(folder / "train.parquet"), "sha256": "x"},
        "base": {"path": str(folder / "base")},
        "compare_with": None,
        "measures": {"golden": None, "segments": ["region"]},
        "seed": 3,
    }


def test_a_spec_and_its_files_arrive_on_a_machine_that_shares_no_disk(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    spec = inputs(here)
    sent, parcel = packed(spec)
    assert str(here) not in str(sent)
    assert not any(str(here) in name for name in parcel.files)
    got = unpacked(sent, parcel, there)
    assert Path(got["train"]["path"]).read_bytes() == b"rows"
    assert Path(got["base"]["path"], "deep", "words.txt").read_bytes() == b"words"
    assert Path(got["base"]["path"], "model.bin").is_relative_to(there)
    assert got | {"train": None, "base": None} == spec | {"train": None, "base": None}


def test_what_was_made_comes_back_under_its_own_names(tmp_path: Path) -> None:
    inputs(tmp_path / "work")
    made_in(tmp_path / "work").unpack(tmp_path / "back")
    assert (tmp_path / "back" / "base" / "deep" / "words.txt").read_bytes() == b"words"


@pytest.mark.parametrize("harm", ["changed", "lacking", "outside"])
def test_a_damaged_parcel_is_refused_and_nothing_of_it_is_written(
    tmp_path: Path, harm: str
) -> None:
    inputs(tmp_path / "work")
    parcel, target = made_in(tmp_path / "work"), tmp_path / "back"
    files = dict(parcel.files)
    match harm:
        case "changed":
            files["train.parquet"] = b"other rows"
            parcel = replace(parcel, files=files)
        case "lacking":
            del files["train.parquet"]
            parcel = replace(parcel, files=files)
        case "outside":
            digests = {"../out.txt": parcel.digests["train.parquet"]}
            parcel = replace(parcel, files={"../out.txt": b"rows"}, digests=digests)
    target.mkdir()
    with pytest.raises(DamagedParcel):
        parcel.unpack(target)
    assert list(tmp_path.rglob("out.txt")) == list(target.iterdir()) == []
