"""What child processes take of this machine, as `/proc` tells it (proc(5)); Linux only."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_PARENT, _RESIDENT_PAGES = 1, 21  # fields of `stat` after the process's name, from 0


@dataclass(frozen=True, slots=True)
class _Process:
    """A process that runs: its id, its parent's, and its resident memory."""

    pid: int
    parent: int
    resident_bytes: int


def resident_bytes(folder: Path) -> int:
    """Bytes of memory that this process's children at work in `folder`, and theirs, hold.

    Those that were started with a file of the folder as an argument, as job processes are. Pages
    that several share count for each. 0 where there is no `/proc`.
    """
    running = list(_running())
    tree = {one.pid for one in running if one.parent == os.getpid() and _was_given(one.pid, folder)}
    grown = -1
    while grown != len(tree):  # a child's number may be lower than its parent's
        grown = len(tree)
        tree |= {one.pid for one in running if one.parent in tree}
    return sum(one.resident_bytes for one in running if one.pid in tree)


def is_running(pid: int) -> bool:
    """Whether there is a process of that id on this machine."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's
        return True
    return True


def _running() -> Iterator[_Process]:
    page_bytes = os.sysconf("SC_PAGE_SIZE")
    for path in _PROC.glob("[0-9]*/stat"):
        try:
            fields = path.read_text(errors="replace").rpartition(")")[2].split()
        except OSError:  # it has ended
            continue
        resident = int(fields[_RESIDENT_PAGES]) * page_bytes
        yield _Process(int(path.parent.name), int(fields[_PARENT]), resident)


def _was_given(pid: int, folder: Path) -> bool:
    try:
        arguments = (_PROC / str(pid) / "cmdline").read_bytes().split(b"\0")
    except OSError:  # it has ended
        return False
    return any(argument.startswith(os.fsencode(folder) + b"/") for argument in arguments)
