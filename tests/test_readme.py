"""The README's examples run, and its commands exist."""

import re
import sys
from pathlib import Path

import pytest

from bailiwick.cli.main import COMMANDS, main

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def test_every_make_target_that_it_names_exists() -> None:
    named = set(re.findall(r"`?make ([a-z-]+)", README))
    benchmarks = {f"bench-{path.stem}" for path in (ROOT / "benchmarks").glob("*.py")}
    targets = set(re.findall(r"^([a-z-]+):", MAKEFILE, flags=re.MULTILINE)) | benchmarks
    assert {"demo", "test"} <= named
    assert {name for name in named if not name.startswith("bench-")} <= targets
    for name in re.findall(r"make (bench-[a-z_]+)", README):
        assert name in benchmarks


def test_every_command_that_it_shows_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = re.findall(r"(?:\.venv/bin/)?bailiwick ([a-z]+)", "\n".join(blocks("sh")))
    assert shown
    assert set(shown) <= set(COMMANDS)
    for command in ("audit verify", "audit export", "up", "demo"):
        monkeypatch.setattr(sys, "argv", ["bailiwick", *command.split(), "--help"])
        with pytest.raises(SystemExit) as end:
            main()
        assert not end.value.code, command


def test_every_page_that_it_links_to_exists() -> None:
    links = re.findall(r"\]\((?!http)([^)#]+)\)", README)
    assert links
    for link in links:
        assert (ROOT / link).exists(), link


def test_its_client_example_is_the_one_in_the_client_s_docstring() -> None:
    (example,) = blocks("python")
    documented = (ROOT / "platform/bailiwick/client/__init__.py").read_text(encoding="utf-8")
    for line in example.strip().splitlines():
        assert line.strip() in documented


def test_no_page_holds_the_marks_of_a_merge() -> None:
    marks = re.compile(r"^(<{7} |={7}$|>{7} )", flags=re.MULTILINE)
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "policies").rglob("*")]
    written = [page for page in pages if page.is_file()]
    assert len(written) > 20
    assert not [page.name for page in written if marks.search(page.read_text(encoding="utf-8"))]
