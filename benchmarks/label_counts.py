"""What counting labels costs: feedback a second with and without, the worker's part, one look.

Batches of 1,000 labels of records that are there, each one transaction on SQLite with
`synchronous=FULL`; rounds with and without counting alternate, so that a busy machine hurts both
alike. Then what a worker needs to count them, and how long `labels_overview` takes over a year of
hours.

    python benchmarks/label_counts.py

Exits with 1 if feedback takes over 5 % more CPU with its labels counted than without.
"""

import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from uuid import UUID

import numpy as np
from report import publish
from sqlalchemy import update

sys.path.append(str(Path(__file__).parents[1] / "tests"))

from bailiwick.core.clock import ReplayClock
from bailiwick.core.settings import Settings
from bailiwick.db import make_engine, migrate
from bailiwick.lifecycle import Platform, open_platform
from bailiwick.monitoring import (
    Inference,
    Monitor,
    Outcome,
    create_monitor,
    log_feedback,
    log_inferences,
)
from bailiwick.monitoring.confusion import LabelLedger
from bailiwick.monitoring.labelled import count, labels_overview
from bailiwick.registry import served_version
from factories import Factory

ROWS, BATCHES, ROUNDS = 1_000, 12, 6
MOST_SLOWER = 0.05
START = datetime(2026, 1, 1, tzinfo=UTC)
LABELS = [f"label {place}" for place in range(20)]


class Stage:
    """A deployment with records, and feedback on them."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.random = np.random.default_rng(1)
        with platform.database.transaction() as session:
            make = Factory(session, platform)
            deployment = make.running()
            self.deployment_id: UUID = deployment.id
            self.version_id: UUID = served_version(session, deployment).id
            self.actor_id: UUID = make.engineer.id
            self.monitor: Monitor = create_monitor(
                session,
                deployment,
                max_accuracy_drop=0.05,
                min_rows=1_000,
                window_days=7,
                actor_id=self.actor_id,
                at=START,
            )

    def ask(self, name: str, rows: int, *, hours: int = 24) -> None:
        """Records over so many hours."""
        said = self.random.choice(LABELS, rows).tolist()
        answers = [
            Inference(
                f"{name}-{row}",
                START + timedelta(hours=row * hours / rows),
                said[row],
                0.8,
                None,
                None,
                None,
                None,
                segments={"region": f"region {row % 5}"},
            )
            for row in range(rows)
        ]
        with self.platform.database.transaction() as session:
            log_inferences(session, self.deployment_id, self.version_id, answers, at=START)

    def tell(self, name: str, first: int, rows: int) -> float:
        """CPU seconds of one batch of labels."""
        labels = self.random.choice(LABELS, rows).tolist()
        said = [Outcome(f"{name}-{first + row}", label) for row, label in enumerate(labels)]
        begun = time.process_time()
        with self.platform.database.transaction() as session:
            log_feedback(session, self.deployment_id, said, actor_id=self.actor_id, at=START)
        return time.process_time() - begun

    def counting(self, begun_at: datetime | None) -> None:
        """Whether feedback notes what it changes."""
        with self.platform.database.transaction() as session:
            session.execute(update(LabelLedger).values(begun_at=begun_at))

    def count(self) -> float:
        """CPU seconds of the worker's turn."""
        begun = time.process_time()
        with self.platform.database.transaction() as session:
            count(session, session.merge(self.monitor), at=START + timedelta(days=1))
        return time.process_time() - begun

    def look(self) -> float:
        """CPU seconds of one look at all labels."""
        begun = time.process_time()
        with self.platform.database.reading() as session:
            end = START + timedelta(days=400)
            labels_overview(session, self.deployment_id, None, by="week", start=START, end=end)
        return time.process_time() - begun


def measured(stage: Stage) -> tuple[dict[str, float], dict[str, float]]:
    """(feedback with and without, the rest), in CPU milliseconds."""
    seconds: dict[bool, list[float]] = {True: [], False: []}
    for place in range(2 * ROUNDS):
        counts = place % 2 == 0
        stage.counting(START if counts else None)
        stage.ask(f"round {place}", ROWS * BATCHES)
        for batch in range(BATCHES):
            seconds[counts].append(stage.tell(f"round {place}", batch * ROWS, ROWS))
    feedback = {
        "without": 1_000 * median(seconds[False]),
        "with": 1_000 * median(seconds[True]),
    }
    stage.counting(START)
    worker = 1_000 * stage.count() / (ROUNDS * BATCHES)
    stage.ask("year", 8_760 * 5, hours=8_760)
    for first in range(0, 8_760 * 5, 10_000):
        stage.tell("year", first, min(10_000, 8_760 * 5 - first))
    stage.count()
    return feedback, {"worker": worker, "look": 1_000 * stage.look()}


def main() -> int:
    """Measure, publish, and say by the exit status whether the bar was met."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        settings = Settings(home=home, database_url=f"sqlite:///{home / 'bench.db'}", threads=1)
        engine = make_engine(settings.database_url)
        migrate.upgrade(engine)
        engine.dispose()
        platform = open_platform(settings, ReplayClock(START))
        feedback, rest = measured(Stage(platform))
        platform.close()
    slower = feedback["with"] / feedback["without"] - 1
    rows = [
        {"what": "feedback, not counted", "CPU ms": feedback["without"]},
        {"what": "feedback, counted", "CPU ms": feedback["with"]},
        {"what": "the worker's part", "CPU ms": rest["worker"]},
        {"what": "one look at a year of hours", "CPU ms": rest["look"]},
    ]
    publish("label_counts", rows, {"more CPU for feedback": f"{slower:.1%}"})
    return int(slower > MOST_SLOWER)


if __name__ == "__main__":
    sys.exit(main())
