"""`bailiwick dataset taxonomy`: names that changed, and those that seem to have."""

from pathlib import Path

from cli.conftest import Shell

SPEC = ("--text", "merchant", "--label", "category", "--date", "day")


def test_labels_are_renamed_given_up_and_called_themselves_again(shell: Shell) -> None:
    assert "what their rows say" in shell("dataset", "taxonomy", "show", "finance/purchases").out
    words = ("--label", "Petrol=Fuel", "--label", "Misc=", "--reason", "new ledger", "--json")
    made = shell("dataset", "taxonomy", "rename", "finance/purchases", *words, who="ada").json
    assert (made["number"], made["renames"]) == (1, {"Petrol": "Fuel", "Misc": None})
    told = shell("dataset", "taxonomy", "show", "finance/purchases").out
    assert "given up" in told
    assert "new ledger" in told
    words = ("--forget", "Misc", "--label", "Diesel=Fuel", "--reason", "kept after all", "--json")
    made = shell("dataset", "taxonomy", "rename", "finance/purchases", *words, who="ada").json
    assert (made["number"], made["renames"]) == (2, {"Petrol": "Fuel", "Diesel": "Fuel"})


def test_wrong_names_are_refused_in_words(shell: Shell) -> None:
    for words, said in (
        (("--label", "Petrol"), "write it as --label OLD=NEW"),
        (("--forget", "Petrol"), "means itself already"),
        (("--label", "A=B", "--label", "B=C"), "renamed itself"),
    ):
        asked = ("dataset", "taxonomy", "rename", "finance/purchases", "--reason", "x", *words)
        refused = shell(*asked, who="ada", expect=2)
        assert said in refused.err


def test_likely_renames_are_found_in_what_was_registered(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "ledger.csv"
    lines = ["day,merchant,category"]
    for day in range(1, 29):
        lines += [f"2025-01-{day:02},diesel pump {day},Vehicle Fuel"]
        lines += [f"2025-02-{day:02},diesel pump {day},Fuel and Oil"]
        lines += [f"2025-0{month}-{day:02},bread shop {day},Food" for month in (1, 2)]
    file.write_text("\n".join(lines), "utf-8")
    label = ("--residency", "eu", "--purpose", "accounting")
    shell("dataset", "create", "finance/ledger", *label)
    shell("dataset", "register", "finance/ledger", str(file), *SPEC)
    found = shell("dataset", "taxonomy", "suggest", "finance/ledger")
    assert "Vehicle Fuel" in found.out
    assert "Fuel and Oil" in found.out
