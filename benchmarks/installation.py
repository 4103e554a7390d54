"""A running installation for the benchmarks: the demo's stage with a small trained champion."""

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from rich.console import Console

from bailiwick.cli.purchases import write_purchases
from bailiwick.cli.story import Columns, Stage, Story, StorySettings, load_traffic, set_stage
from bailiwick.core.clock import ReplayClock
from bailiwick.core.logs import configure_logging
from bailiwick.core.settings import Settings

COLUMNS = Columns(("merchant", "cost_centre"), "category", "date")
# The network of the default recipe; how well it has learned does not change what it costs.
SETTINGS = StorySettings(
    training={"max_rows": 4_000, "recipe": {"pretrain_epochs": 0, "train_epochs": 2}}
)


@dataclass(frozen=True)
class Installation:
    """A deployed champion, and rows to send to it."""

    stage: Stage
    story: Story
    features: list[dict[str, str]]


@contextlib.contextmanager
def running() -> Iterator[Installation]:
    """Start an installation in a temporary folder, train, approve and deploy."""
    configure_logging(json_lines=False, level="ERROR")
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "purchases.csv"
        write_purchases(source, rows=20_000)
        traffic = load_traffic(
            source,
            COLUMNS,
            Path(folder),
            history_quarters=8,
            rows_per_quarter=2_000,
            seed=0,
        )
        settings = Settings(home=Path(folder) / "home", port=0)
        clock = ReplayClock(traffic.history_end + timedelta(days=1))
        with set_stage(settings, clock) as stage:
            story = Story(stage, traffic, Console(quiet=True), SETTINGS)
            for act in (
                story.cast,
                story.register_data,
                story.train_first,
                story.approve_and_deploy,
            ):
                act()
            rows = [
                row
                for quarter in traffic.quarters
                for month in quarter.months
                for row in month.rows
            ]
            yield Installation(stage, story, [dict(row.features) for row in rows])
