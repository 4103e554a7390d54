"""Telling the story on the console, and following its jobs there."""

import time
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from bailiwick.cli.story.stage import Person
from bailiwick.core.clock import ReplayClock
from bailiwick.core.errors import BailiwickError

INDENT = 2
POLL_SECONDS = 0.2
UNFINISHED = ("queued", "running")


class StoryFailed(BailiwickError):
    """A step of the demo did not come out as it must."""

    code = "demo-failed"


class Narrator:
    """Prints titles, sentences and the progress of jobs."""

    def __init__(self, console: Console, clock: ReplayClock) -> None:
        self._console = console
        self._clock = clock

    def title(self, title: str, text: str) -> None:
        """Begin an act."""
        self._console.print(f"\n[bold]{title}[/bold]  [dim]{text}[/dim]")

    def say(self, text: str) -> None:
        """One line of an act."""
        indent = len(text) - len(text.lstrip()) + INDENT
        self._console.print(Padding(Text(text.lstrip()), (0, 0, 0, indent)))

    def steps(self, steps: Iterable[tuple[str, str]]) -> None:
        """When and what, a step a line."""
        table = Table.grid(padding=(0, 2))
        table.add_column(justify="right", no_wrap=True)
        table.add_column(overflow="fold")
        for when, what in steps:
            table.add_row(Text(when), Text(what))
        self._console.print(Padding(table, (0, 0, 0, 2 * INDENT)))

    def follow(self, person: Person, job_id: str, title: str) -> dict[str, Any]:
        """Show a job's progress until it ends; a failed one ends the story.

        A job that waits to be retried waits on the story's clock, so that is moved.
        """
        with Progress(
            TextColumn("  {task.description}"),
            BarColumn(bar_width=30),
            TextColumn("{task.fields[stage]}"),
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
        ) as progress:
            task = progress.add_task(title, total=None, stage="")
            while True:
                job = person.get(f"/jobs/{job_id}")
                if job["state"] not in UNFINISHED:
                    break
                self._clock.advance_to(datetime.fromisoformat(job["available_at"]))
                said = job["progress"]
                progress.update(
                    task,
                    completed=said.get("step", 0),
                    total=said.get("steps"),
                    stage=str(said.get("stage", "")),
                )
                time.sleep(POLL_SECONDS)
        if job["state"] != "succeeded":
            raise StoryFailed(f"{title} {job['state']}: {job['error']}")
        return job
