"""A watched deployment and seeded requests to it, in a session that is rolled back."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from sqlalchemy import select

from bailiwick.monitoring import Inference, Monitor, create_monitor
from bailiwick.monitoring.intake import log_inferences
from bailiwick.monitoring.watching import (
    LATENESS,
    Watch,
    advance,
)
from bailiwick.registry import Deployment, served_version
from factories import Factory

START = datetime(2026, 3, 2, tzinfo=UTC)  # a Monday
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


class Traffic:
    """A watched deployment and requests to it, seeded."""

    def __init__(self, make: Factory, **settings: Any) -> None:
        self.make = make
        self.deployment: Deployment = make.running()
        self.version_id = served_version(make.session, self.deployment).id
        self.random = np.random.default_rng(7)
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

    def send(
        self, start: datetime, hours: int, *, rows: int = 40, words: float = 8.0, fuel: float = 0.6
    ) -> None:
        """So many requests in each of the hours: words about `words`, a share of them fuel."""
        inferences = [
            Inference(
                record_id=f"{start:%Y%m%d%H}-{hour}-{row}",
                at=start + hour * HOUR + row * timedelta(seconds=30),
                prediction="fuel" if self.random.random() < fuel else "food",
                confidence=float(np.clip(self.random.normal(0.8, 0.1), 0, 1)),
                characters=None,
                words=max(0, round(self.random.normal(words, 3.0))),
                unseen_words_ratio=0.0,
                text=None,
            )
            for hour in range(hours)
            for row in range(rows)
        ]
        self.log(inferences, at=start + hours * HOUR)

    def log(self, inferences: Iterable[Inference], *, at: datetime) -> None:
        log_inferences(
            self.make.session, self.deployment.id, self.version_id, list(inferences), at=at
        )

    def go_on(self, at: datetime) -> int:
        """What the worker does up to then, in two turns; windows that were judged."""
        return sum(self.turn(moment) for moment in (at - LATENESS, at))

    def turn(self, at: datetime) -> int:
        """What the worker does then."""
        return advance(
            self.make.session,
            self.monitor,
            self.version_id,
            actor_id=self.make.engineer.id,
            at=at,
        )

    @property
    def watch(self) -> Watch:
        return self.make.session.get_one(Watch, self.monitor.id)

    def every(self, table: type[Any]) -> list[Any]:
        return list(self.make.session.scalars(select(table).order_by(table.id)))
