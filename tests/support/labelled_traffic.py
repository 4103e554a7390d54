"""A deployment whose labels are watched, seeded: requests, their labels, what the worker does."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from sqlalchemy import inspect, select

from bailiwick.core.ids import new_id
from bailiwick.lineage import DatasetVersion
from bailiwick.monitoring import (
    Inference,
    Monitor,
    Outcome,
    create_monitor,
    log_feedback,
    log_inferences,
)
from bailiwick.monitoring.labelled import LATENESS, LabelWatch, advance
from bailiwick.registry import Deployment, ModelVersion, served_version
from factories import Factory

START = datetime(2026, 3, 2, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
LABELS = ("fuel", "food", "travel")
REGIONS = ("north", "south")


class LabelledTraffic:
    """Requests a day, of which a share is answered right; evaluated at 80 % on 1,000 rows."""

    def __init__(
        self,
        make: Factory,
        *,
        deployment: Deployment | None = None,
        **settings: Any,
    ) -> None:
        self.make = make
        self.deployment: Deployment = deployment or make.running()
        self.version_id = served_version(make.session, self.deployment).id
        self.random = np.random.default_rng(5)
        self.monitor: Monitor = create_monitor(
            make.session,
            self.deployment,
            max_accuracy_drop=0.05,
            min_rows=1_000,
            window_days=7,
            actor_id=make.engineer.id,
            at=make.at,
            **settings,
        )

    def serve_another(self, *, evaluated: bool) -> None:
        """Serve the next version from now on, which may never have been evaluated."""
        session, model = self.make.session, self.deployment.model
        if evaluated:
            data = session.scalars(select(DatasetVersion)).first()
            assert data is not None
            self.version_id = self.make.model_version(model, data).id
            return
        old = session.get_one(ModelVersion, self.version_id)
        values = {one.key: getattr(old, one.key) for one in inspect(ModelVersion).column_attrs}
        newer = ModelVersion(**values | {"id": new_id(), "number": old.number + 1})
        session.add(newer)
        session.flush()
        self.version_id = newer.id

    def day(self, number: int, right: float = 0.8, rows: int = 200, *, late_days: int = 0) -> None:
        """A day of requests, and their labels so many days later; south loses all that is lost."""
        start = START + number * DAY
        truth = self.random.choice(LABELS, rows).tolist()
        region = self.random.choice(REGIONS, rows).tolist()
        lost = 0.8 - right
        chance = [0.8 - (2 * lost if one == "south" else 0.0) for one in region]
        said = [
            true if self.random.random() < p else LABELS[(LABELS.index(true) + 1) % 3]
            for true, p in zip(truth, chance, strict=True)
        ]
        inferences = [
            Inference(
                record_id=f"{number}-{row}",
                at=start + row * DAY / rows,
                prediction=said[row],
                confidence=0.8,
                characters=None,
                words=None,
                unseen_words_ratio=None,
                text=None,
                segments={"region": region[row]},
            )
            for row in range(rows)
        ]
        log_inferences(
            self.make.session, self.deployment.id, self.version_id, inferences, at=start + DAY
        )
        labels = {f"{number}-{row}": label for row, label in enumerate(truth)}
        self.tell(labels, at=start + DAY - HOUR + late_days * DAY)

    def tell(self, labels: dict[str, str | None], *, at: datetime) -> None:
        log_feedback(
            self.make.session,
            self.deployment.id,
            [Outcome(record_id, label) for record_id, label in labels.items()],
            actor_id=self.make.engineer.id,
            at=at,
        )

    def turn(self, at: datetime) -> int:
        """What the worker does then; steps that were judged."""
        return advance(
            self.make.session,
            self.monitor,
            self.version_id,
            actor_id=self.make.engineer.id,
            at=at + LATENESS,
        )

    def days(self, first: int, end: int, right: float = 0.8, **options: Any) -> None:
        """Days one after the other, each judged when it has ended."""
        for number in range(first, end):
            self.day(number, right, **options)
            self.turn(START + (number + 1) * DAY)

    @property
    def watch(self) -> LabelWatch:
        return self.make.session.get_one(LabelWatch, self.monitor.id)

    def every(self, table: type[Any]) -> list[Any]:
        return list(self.make.session.scalars(select(table).order_by(table.id)))
