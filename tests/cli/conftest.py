"""The command line as people use it: words in, an exit code and two streams out."""

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pytest

from bailiwick.cli.main import main
from bailiwick.lifecycle import Platform
from client.installation import Installation, running_installation


@dataclass(frozen=True)
class Ran:
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as JSON."""
        return json.loads(self.out)


class Shell(Protocol):
    """Runs a command as somebody."""

    def __call__(self, *words: str, who: str | None = "engineer", expect: int = 0) -> Ran: ...


@pytest.fixture
def installation(platform: Platform) -> Iterator[Installation]:
    """A real API with a past."""
    with running_installation(platform) as running:
        yield running


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Shell:
    """Runs a command with no settings but those of the test."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NO_COLOR", "1")

    def ran(*words: str, who: str | None = None, expect: int = 0) -> Ran:
        assert who is None
        monkeypatch.setattr(sys, "argv", ["bailiwick", *words])
        capsys.readouterr()
        code = 0
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
        said = capsys.readouterr()
        assert code == expect, f"{code}: {said.err}{said.out}"
        assert "Traceback" not in said.err
        return Ran(code, said.out, said.err)

    return ran


@pytest.fixture
def shell(run: Shell, installation: Installation, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """Runs a command against the installation, signed in as somebody."""
    monkeypatch.setenv("BAILIWICK_URL", installation.url)

    def as_somebody(*words: str, who: str | None = "engineer", expect: int = 0) -> Ran:
        if who is None:
            monkeypatch.delenv("BAILIWICK_TOKEN", raising=False)
        else:
            monkeypatch.setenv("BAILIWICK_TOKEN", installation.tokens[who])
        return run(*words, expect=expect)

    return as_somebody
