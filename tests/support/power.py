"""What a power cut would leave: every `fsync`, change of a name, and commit, in their order.

A name is safe once its folder was synced after it was made; bytes once their file was synced.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.engine.default import DefaultDialect

COMMIT = "commit"


class Recorded:
    """The acts of one process, oldest first, as `(act, path)`."""

    def __init__(self) -> None:
        self.acts: list[tuple[str, str]] = []

    def note(self, act: str, path: str | os.PathLike[str]) -> None:
        """It was done, and has returned."""
        self.acts.append((act, os.path.realpath(path)))

    def commits(self) -> list[int]:
        """Where in the list a transaction ended."""
        return [place for place, (act, _) in enumerate(self.acts) if act == COMMIT]

    def unsafe(self, path: Path, *, by: int) -> list[str]:
        """Why, at that place of the list, a power cut could still take the file away."""
        done, real = self.acts[:by], os.path.realpath(path)
        problems = []
        if ("bytes", real) not in done:
            problems.append(f"the bytes of {path.name} were not synced")
        for name in self._made(real, done):
            made = max(place for place, act in enumerate(done) if act == ("name", name))
            if ("synced", str(Path(name).parent)) not in done[made:]:
                problems.append(f"the name of {name} was not synced")
        return problems

    def _made(self, real: str, done: list[tuple[str, str]]) -> list[str]:
        """The names on the way to the file that were made here."""
        above = [real, *(str(parent) for parent in Path(real).parents)]
        return [name for name in above if ("name", name) in done]


@contextmanager
def recording(monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorded]:
    """Write down what is synced, named and committed in this process meanwhile."""
    found = Recorded()
    inodes: set[int] = set()

    def fsync(descriptor: Any, do: Callable[[Any], None] = os.fsync) -> None:
        do(descriptor)
        number = descriptor if isinstance(descriptor, int) else descriptor.fileno()
        path = Path(f"/proc/self/fd/{number}").readlink()
        inodes.add(path.stat().st_ino)
        found.note("synced", path)

    def renamed(do: Callable[..., Any]) -> Callable[..., Any]:
        def act(source: Any, target: Any, *given: Any, **named: Any) -> Any:
            result = do(source, target, *given, **named)
            if Path(target).stat().st_ino in inodes:
                found.note("bytes", target)
            found.note("name", target)
            return result

        return act

    def mkdir(path: Any, *given: Any, do: Callable[..., None] = os.mkdir, **named: Any) -> None:
        do(path, *given, **named)
        found.note("name", path)

    def commit(dialect: Any, connection: Any, do: Any = DefaultDialect.do_commit) -> None:
        do(dialect, connection)
        found.note(COMMIT, "")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", fsync)
        patched.setattr(os, "mkdir", mkdir)
        for name in ("rename", "replace", "link"):
            patched.setattr(os, name, renamed(getattr(os, name)))
        patched.setattr(DefaultDialect, "do_commit", commit)
        yield found
