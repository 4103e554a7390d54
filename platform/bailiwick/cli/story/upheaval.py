"""One morning of the story, minute by minute: a sudden change, and what answers it by itself."""

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from bailiwick.cli.story.narrator import POLL_SECONDS, UNFINISHED, Narrator, StoryFailed
from bailiwick.cli.story.stage import TICK_SECONDS, Person, Stage
from bailiwick.cli.story.traffic import Row
from bailiwick.core.durations import duration

NAME = "coder-live"
CHECK_MINUTES, LABEL_MINUTES = 10, 5
QUIET_MINUTES, MOST_MINUTES = 30, 180
ROWS_A_MINUTE = 40
SEED = 11
MINUTE = timedelta(minutes=1)
_VOWELS = re.compile(r"(?<=\w)[aeiou]", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Step:
    """A moment of the morning: so many seconds after the change."""

    seconds: float
    sentence: str


@dataclass(frozen=True, slots=True)
class Morning:
    """What happened, from the change to the replacement that answers all requests."""

    steps: tuple[Step, ...]
    wrong_before: float
    wrong_after: float

    @property
    def minutes(self) -> float:
        """From the change to the replacement."""
        return self.steps[-1].seconds / 60

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {**asdict(self), "minutes": round(self.minutes, 1)}


def abbreviated(features: Mapping[str, str]) -> dict[str, str]:
    """The same purchase as another payment provider writes it: no vowels, and its own prefix."""
    first, *others = features
    short = _VOWELS.sub("", features[first]).upper()
    return {first: f"PAYFLOW* {short}", **{name: features[name] for name in others}}


@dataclass
class Upheaval:
    """A deployment with a check each ten minutes and a rollout plan, and its requests."""

    stage: Stage
    tell: Narrator
    engineer: Person
    approver: Person
    app: Person
    rows: Sequence[Row]
    recipe: Mapping[str, Any]
    deployment: Mapping[str, Any]
    policy: Mapping[str, Any]
    _awaiting: list[tuple[datetime, str, str]] = field(default_factory=list)
    _sent: int = 0

    def play(self) -> Morning:
        """Watch it happen, and switch everything off again."""
        clock = self.stage.clock
        chance = np.random.default_rng(SEED)
        nine = (clock.now() + timedelta(days=1)).replace(hour=9, minute=0, second=0, microsecond=0)
        clock.advance_to(nine)
        deployment_id, ids = self._watched()
        first = self._champion()
        for _ in range(QUIET_MINUTES):
            self._minute(deployment_id, chance, changed=False)
        change = clock.now()
        self.tell.say(f"{change:%H:%M} another payment provider takes over: texts are abbreviated")
        champion = first
        while champion == first:
            if clock.now() - change > MOST_MINUTES * MINUTE:
                raise StoryFailed(f"no replacement within {MOST_MINUTES} minutes of the change")
            self._minute(deployment_id, chance, changed=True)
            champion = self._champion()
        morning = self._told(deployment_id, change, clock.now())
        for path in ids:
            self.engineer.patch(path, {"enabled": False})
        return morning

    def _watched(self) -> tuple[str, list[str]]:
        """The deployment's id; the paths of its monitor and policy, approved by another person."""
        deployed = self.engineer.post("/deployments", {**self.deployment, "name": NAME})
        one = f"/deployments/{deployed['id']}"
        plan = {
            "canary_shares": [0.25],
            "step_hours": 5 / 60,
            "min_requests": 25,
            "min_labels": 10,
            "limits": {"slow": 0.5},  # one machine does everything here
        }
        self.engineer.put(f"{one}/rollout-plan", plan)
        monitor = self.engineer.post(
            "/monitors",
            {
                "deployment_id": deployed["id"],
                "acts_as": "retrainer",
                "cron": f"*/{CHECK_MINUTES} * * * *",
                "alarms_by": "checks",
                "window_days": 1,
                "min_rows": 100_000,  # labels come within minutes: they are enough
                "max_accuracy_drop": 0.05,
            },
        )
        policy = self.engineer.post(
            "/retraining-policies",
            {**self.policy, **self.recipe, "deployment_id": deployed["id"]},
        )
        subject = {"type": "retraining-policy", "id": policy["id"]}
        asked = self.engineer.post("/approvals", {"subject": subject})
        yes = {"approve": True, "comment": "cheap recipes only, gated and rolled out"}
        self.approver.post(f"/approvals/{asked['id']}/decide", yes)
        self.tell.say(
            f"{NAME}: {ROWS_A_MINUTE} requests a minute, labels {LABEL_MINUTES} minutes later, a "
            f"check each {CHECK_MINUTES}, a canary of a quarter for 5"
        )
        return deployed["id"], [
            f"/monitors/{monitor['id']}",
            f"/retraining-policies/{policy['id']}",
        ]

    def _minute(self, deployment_id: str, chance: np.random.Generator, *, changed: bool) -> None:
        """A minute's requests, the labels of those before, and all that follows from them."""
        clock = self.stage.clock
        begins = clock.now()
        clock.advance_to(begins + MINUTE)
        instances: list[dict[str, Any]] = []
        for place in chance.integers(len(self.rows), size=ROWS_A_MINUTE):
            row = self.rows[place]
            self._sent += 1
            at = begins + (len(instances) / ROWS_A_MINUTE) * MINUTE
            features = abbreviated(row.features) if changed else dict(row.features)
            name = f"live-{self._sent}"
            instances.append({"record_id": name, "at": at.isoformat(), "features": features})
            self._awaiting.append((at, name, row.label))
        self.app.post(f"/deployments/{deployment_id}/predict", {"instances": instances})
        self._label(deployment_id)
        self._let_work(minute=begins.minute + 1)

    def _label(self, deployment_id: str) -> None:
        known = self.stage.clock.now() - LABEL_MINUTES * MINUTE
        due = [
            {"record_id": name, "label": label} for at, name, label in self._awaiting if at < known
        ]
        self._awaiting = [one for one in self._awaiting if one[0] >= known]
        if due:
            self.app.post(f"/deployments/{deployment_id}/feedback", {"feedback": due})

    def _let_work(self, *, minute: int) -> None:
        """Ticks pass; while a job is under way the story's clock runs like any other."""
        clock, ticks = self.stage.clock, 5 if minute % CHECK_MINUTES == 0 else 1
        quiet = 0
        while quiet < ticks:
            time.sleep(max(POLL_SECONDS, TICK_SECONDS))
            working = any(
                self.engineer.get("/jobs", state=state, limit=1)["items"] for state in UNFINISHED
            )
            quiet = 0 if working else quiet + 1
            if working:
                clock.advance_to(clock.now() + timedelta(seconds=POLL_SECONDS))

    def _champion(self) -> int:
        model = self.deployment["model"]
        version: int = self.engineer.get(f"/models/{model}/aliases/champion")["version"]
        return version

    def _told(self, deployment_id: str, change: datetime, end: datetime) -> Morning:
        """The alert's own timeline, counted from the change, which only the story knows."""
        alerts = self.engineer.get("/alerts", deployment_id=deployment_id)["items"]
        timeline = self.engineer.get(f"/alerts/{alerts[-1]['id']}/timeline")
        began = datetime.fromisoformat(timeline["began_at"])
        steps = [Step(0.0, f"the texts change (the check will say: at {began:%H:%M})")]
        for moment in timeline["moments"][1:]:
            at = datetime.fromisoformat(moment["at"])
            first, stop, _ = moment["sentence"].partition(". ")  # an alert says more
            said = f"{first}." if stop else moment["sentence"]
            steps.append(Step((at - change).total_seconds(), said))
        answered = (datetime.fromisoformat(timeline["answered_at"]) - change).total_seconds()
        steps = [step for step in steps if step.seconds <= answered]
        self.tell.steps((duration(step.seconds), step.sentence) for step in steps)
        before = self._wrong(deployment_id, change - QUIET_MINUTES * MINUTE, change)
        after = self._wrong(deployment_id, change, end)
        morning = Morning(tuple(steps), before, after)
        self.tell.say(
            f"{morning.minutes:.0f} minutes from the change to its replacement; wrong answers "
            f"{before:.1%} before, {after:.1%} in between"
        )
        return morning

    def _wrong(self, deployment_id: str, start: datetime, end: datetime) -> float:
        found = self.engineer.get(
            f"/deployments/{deployment_id}/accuracy", start=start.isoformat(), end=end.isoformat()
        )
        return 1.0 - float(found["accuracy"])
