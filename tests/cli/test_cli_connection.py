"""Nobody there, nobody signed in, and what the doctor says about it."""

import re
from pathlib import Path

import pytest

from bailiwick.cli import api_client, output
from bailiwick.cli.lineage import lineage_tree
from bailiwick.cli.references import whole_id
from bailiwick.client.shapes import Lineage, LineageNode
from bailiwick.core.errors import Invalid
from cli.conftest import Shell
from client.installation import Installation
from client.scripted import Said, problem, scripted

NOWHERE = "http://127.0.0.1:9"


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bailiwick.client.transport.FIRST_PAUSE_SECONDS", 0.0)


@pytest.mark.usefixtures("no_pauses")
@pytest.mark.parametrize(
    "words", [("model", "list"), ("job", "list", "--json"), ("policy", "show")]
)
def test_an_api_that_is_not_there_is_exit_code_3(run: Shell, words: tuple[str, ...]) -> None:
    said = run(*words, "--url", NOWHERE, expect=3)
    assert NOWHERE in said.err
    assert "bailiwick up" in said.err
    assert said.err.count("\n") == 1


@pytest.mark.usefixtures("no_pauses")
def test_an_api_that_is_not_available_is_exit_code_3(run: Shell) -> None:
    with scripted(problem(503, "unavailable", "the disk is full", Retry_After="0")) as server:
        assert "the disk is full" in run("model", "list", "--url", server.url, expect=3).err


def test_without_a_token_it_is_said_how_to_give_one(shell: Shell) -> None:
    said = shell("model", "list", who=None, expect=4)
    assert "BAILIWICK_TOKEN" in said.err
    assert "--token-file" in said.err


def test_a_wrong_token_is_not_repeated(
    shell: Shell, tmp_path: Path, installation: Installation
) -> None:
    file = tmp_path / "token"
    file.write_text("bwk_wrong-and-secret\n", encoding="utf-8")
    said = shell("model", "list", "--token-file", str(file), expect=4)
    assert "secret" not in said.err + said.out
    assert installation.tokens["engineer"] not in said.err


@pytest.mark.parametrize(
    ("content", "said"), [(None, "cannot be read"), (b"", "is empty"), (b"\xff\xfe", "no text")]
)
def test_a_token_file_that_holds_none_is_refused(
    run: Shell, tmp_path: Path, content: bytes | None, said: str
) -> None:
    file = tmp_path / "token"
    if content is not None:
        file.write_bytes(content)
    assert said in run("model", "list", "--token-file", str(file), expect=2).err


def test_there_is_no_option_that_takes_a_token_itself(run: Shell) -> None:
    assert "--token " not in run("model", "list", "--help").out
    run("model", "list", "--token", "bwk_x", expect=2)


def test_a_servers_words_cannot_repaint_the_terminal(run: Shell) -> None:
    hostile = "\x1b[2Jgone [bold red]now[/]\x07"
    page = {
        "items": [{"namespace": "a", "name": hostile, "aliases": {}, "label": LABEL}],
        "next_cursor": None,
    }
    with scripted(Said(200, page)) as server:
        listed = run("model", "list", "--url", server.url).out
    assert "\x1b" not in listed
    assert "[bold red]now[/]" in listed
    with scripted(problem(409, "conflict", hostile)) as server:
        assert "\x1b[2J" not in run("model", "list", "--url", server.url, expect=1).err


STRANGER = {"name": "x", "kind": "person", "roles": []}
LABEL = {"level": "public", "compartments": [], "residency": ["eu"], "purposes": []}


def test_the_doctor_finds_a_sound_installation(
    shell: Shell, installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BAILIWICK_HOME", str(installation.platform.settings.home))
    with scripted(Said(200, {"status": "ok"})) as models:
        monkeypatch.setenv("BAILIWICK_SERVING_URL", models.url)
        findings = {found["check"]: found for found in shell("doctor", "--json").json}
        shown = shell("doctor").out
    assert {found["result"] for found in findings.values()} <= {"ok", "warn"}
    assert findings["token"]["detail"] == "engineer (person): engineer"
    assert findings["model server"]["result"] == "ok"
    assert re.search(r"torch \d", findings["train"]["detail"])
    assert all(len(line) <= 80 for line in shown.splitlines())


@pytest.mark.usefixtures("no_pauses")
def test_the_doctor_says_what_to_do_about_everything_that_fails(
    run: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "file"
    file.touch()
    monkeypatch.setenv("BAILIWICK_HOME", str(file))
    monkeypatch.setenv("BAILIWICK_SERVING_URL", NOWHERE)
    said = run("doctor", "--url", NOWHERE, "--json", expect=1)
    failed = {found["check"]: found["detail"] for found in said.json if found["result"] == "fail"}
    assert set(failed) == {"API", "model server", "data folder"}
    assert "bailiwick up" in failed["API"]
    assert "bailiwick serve" in failed["model server"]
    assert "BAILIWICK_HOME" in failed["data folder"]


def test_the_doctor_notices_a_wrong_token_a_stranger_and_tables_of_another_version(
    shell: Shell, run: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("BAILIWICK_HOME", str(tmp_path / "none"))
    found = {one["check"]: one for one in shell("doctor", "--json", who="visitor").json}
    assert (found["token"]["result"], found["data folder"]["result"]) == ("warn", "warn")
    lost = {one["check"]: one for one in shell("doctor", "--json", who=None, expect=1).json}
    assert (lost["API"]["result"], lost["token"]["result"]) == ("ok", "fail")
    with scripted(Said(503, {"status": "unavailable", "detail": "bailiwick db upgrade"})) as old:
        other = run("doctor", "--json", "--url", old.url, expect=1).json
    assert "bailiwick db upgrade" in other[0]["detail"]


def test_the_doctor_notices_a_full_disk_and_what_is_not_installed(
    run: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("BAILIWICK_HOME", str(tmp_path))
    monkeypatch.setattr("bailiwick.cli.doctor.FULL_DISK_BYTES", 1 << 62)
    monkeypatch.setattr("bailiwick.cli.doctor.EXTRAS", {"train": ("no-such-package",)})
    with scripted(Said(200, {"status": "ready"}), Said(200, STRANGER)) as server:
        findings = run("doctor", "--json", "--url", server.url, expect=1).json
    found = {one["check"]: (one["result"], one["detail"]) for one in findings}
    assert found["disk"][0] == "fail"
    assert found["train"][0] == "warn"
    assert found["train"][1].endswith("pip install 'bailiwick[train]'")


def test_an_ending_that_several_ids_have_is_refused() -> None:
    ids = [{"id": f"00000000-0000-0000-0000-{place}00abcdef"} for place in ("0000", "1111")]
    with pytest.raises(Invalid, match="several ids"):
        whole_id("abcdef", ids, "job")
    assert whole_id("111100ABCDEF", ids, "job") == ids[1]["id"]


def test_a_node_that_is_reached_twice_is_opened_once(capsys: pytest.CaptureFixture[str]) -> None:
    def node(name: str) -> LineageNode:
        return {"type": "dataset-version", "id": name, "name": name if name != "d" else None}

    hops = [("b", "a", 1), ("c", "a", 1), ("d", "b", 2), ("d", "c", 2)]
    found: Lineage = {
        "start": node("a"),
        "direction": "up",
        "steps": [
            {"source": node(source), "run_id": "r", "target": node(target), "depth": depth}
            for source, target, depth in hops
        ],
    }
    output.print_text(lineage_tree(None, found))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "dataset a"
    assert sum("that you may not see" in line for line in lines) == 2
    assert sum("(see above)" in line for line in lines) == 1


def test_every_kind_of_refusal_has_an_error_of_ours() -> None:
    assert set(api_client.KINDS) == {401, 403, 404, 409, 412, 413, 422, 429, 503}
