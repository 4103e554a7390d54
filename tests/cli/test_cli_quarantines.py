"""`bailiwick dataset quarantine`: what nothing may learn from."""

from cli.conftest import Shell


def test_batches_are_quarantined_and_lifted_again(shell: Shell) -> None:
    asked = ("dataset", "quarantine")
    assert "Nothing is quarantined" in shell(*asked, "show", "finance/purchases").out
    words = ("--version", "1", "--span", "2026-03-02..2026-03-05", "--reason", "sent twice")
    made = shell(*asked, "add", "finance/purchases", *words, "--json", who="ada").json
    assert [batch["version"] for batch in made["batches"]] == [1, None]
    assert made["batches"][1]["start"].startswith("2026-03-02T00:00:00")
    assert made["derived"] == []
    assert "finance/classifier@1" in made["learned_by"]
    told = shell(*asked, "show", "finance/purchases").out
    assert "Learned from these before: finance/classifier@1" in told
    assert "2026-03-02 00:00 to 2026-03-05 00:00" in told
    words = ("--span", "2026-03-02..2026-03-05", "--reason", "looked at", "--json")
    made = shell(*asked, "lift", "finance/purchases", *words, who="ada").json
    assert [batch["version"] for batch in made["batches"]] == [1]


def test_wrong_batches_are_refused_in_words(shell: Shell) -> None:
    for move, words, said in (
        ("add", (), "name a --version or a --span"),
        ("add", ("--span", "2026-03-02"), "write it as --span 2026-03-02..2026-03-05"),
        ("add", ("--span", "2026-03-05..2026-03-02"), "ends after it starts"),
        ("add", ("--span", "soon..later"), "soon is no day"),
        ("add", ("--version", "99"), "finance/purchases has no v99"),
        ("lift", ("--version", "7"), "v7 is not quarantined"),
    ):
        asked = ("dataset", "quarantine", move, "finance/purchases", "--reason", "x", *words)
        assert said in shell(*asked, who="ada", expect=2).err
