"""What one attempt of a job may take: memory of its processes, and time.

They are watched, not fenced in by the kernel: torch reserves far more address space than it uses,
so limits on that would end jobs that fit, and control groups are not there on every machine.
"""

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from bailiwick.core.errors import Invalid
from bailiwick.core.processes import resident_bytes
from bailiwick.core.settings import Settings

MIB = 1024**2


class LimitExceeded(Invalid):
    """The attempt took more than it may; it would again, so the job is not tried again."""

    code = "limit-exceeded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Of each attempt: bytes of memory that its processes hold together, seconds by the clock."""

    memory_bytes: int
    time_seconds: int

    @classmethod
    def of(cls, settings: Settings, kind: str, ordered: Mapping[str, int]) -> Self:
        """The installation's for jobs of that kind, or what was ordered where that is less."""
        memory_bytes, time_seconds = (
            settings.job_memory_bytes[kind],
            settings.job_time_seconds[kind],
        )
        return cls(
            memory_bytes=min(memory_bytes, ordered.get("memory_bytes", memory_bytes)),
            time_seconds=min(time_seconds, ordered.get("time_seconds", time_seconds)),
        )


def ordered_limits(
    settings: Settings, kind: str, *, memory_bytes: int | None, time_seconds: int | None
) -> dict[str, int]:
    """Limits of one order. `Invalid` if one is above what jobs of its kind may take here."""
    asked = {"memory_bytes": memory_bytes, "time_seconds": time_seconds}
    ordered = {name: value for name, value in asked.items() if value is not None}
    for name, allowed in asdict(Limits.of(settings, kind, {})).items():
        if ordered.get(name, 0) > allowed:
            raise Invalid(
                f"{name} of a {kind} job is at most {allowed} here; ask for less, or an "
                f"administrator to raise {_setting(name)}"
            )
    return ordered


class Watch:
    """Watches one attempt, which begins now, and whose processes work in `folder`."""

    def __init__(self, limits: Limits, ordered: Mapping[str, int], folder: Path) -> None:
        self._limits, self._ordered, self._folder = limits, ordered, folder
        self._started = time.monotonic()

    def check(self) -> None:
        """Raise `LimitExceeded` once it took more than it may."""
        if time.monotonic() - self._started > self._limits.time_seconds:
            self._refuse("time_seconds", f"ran for more than {self._limits.time_seconds} s")
        if resident_bytes(self._folder) > self._limits.memory_bytes:
            allowed_mib = self._limits.memory_bytes // MIB
            self._refuse("memory_bytes", f"used more than {allowed_mib} MiB of memory")

    def _refuse(self, name: str, done: str) -> None:
        ordered = self._ordered.get(name) == asdict(self._limits)[name]
        source = f"the {name} that was ordered" if ordered else _setting(name)
        raise LimitExceeded(
            f"the job {done} and was ended ({source}); give it fewer rows or a smaller recipe, "
            "or raise that limit"
        )


def _setting(name: str) -> str:
    return f"BAILIWICK_JOB_{name.upper()}"
