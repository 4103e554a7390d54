"""The acts of the story, each told on the console and done through the HTTP API."""

import time
from datetime import timedelta
from typing import Any

from rich.console import Console

from bailiwick.cli.story.ledger import Ledger, PeriodResult
from bailiwick.cli.story.names import (
    DATASET,
    LABEL,
    MODEL,
    NAMESPACE,
    PURPOSE,
    deployment_wish,
)
from bailiwick.cli.story.narrator import POLL_SECONDS, UNFINISHED, Narrator, StoryFailed
from bailiwick.cli.story.settings import StorySettings
from bailiwick.cli.story.stage import TICK_SECONDS, Person, Refused, Stage
from bailiwick.cli.story.traffic import Month, Quarter, Row, Traffic
from bailiwick.cli.story.upheaval import Upheaval

FEEDBACK_DELAY = timedelta(days=30)
CHECK_CRON = "0 6 1 1,4,7,10 *"  # at six in the morning of each quarter's first day
BATCH_ROWS = 500
QUIET_TICKS = 6
JOB_SECONDS = 600


class Story:
    """The demo, act by act. Call the acts in order."""

    def __init__(
        self,
        stage: Stage,
        traffic: Traffic,
        console: Console,
        settings: StorySettings | None = None,
    ) -> None:
        self.settings = settings or StorySettings()
        self.stage = stage
        self.traffic = traffic
        self._tell = Narrator(console, stage.clock)
        self.ledger = Ledger()
        self.governed_id = self.frozen_id = self.policy_id = ""
        self._awaiting: list[Row] = []
        self._happened: list[tuple[Quarter, bool, bool]] = []

    def cast(self) -> None:
        """People and services with roles; nobody can do everything."""
        self._tell.title("Who acts", "each with a token and the least roles")
        person = self.stage.person
        self.steward = person("steward", "person", ["steward"], namespace=NAMESPACE)
        self.engineer = person("engineer", "person", ["engineer"], namespace=NAMESPACE)
        self.approver = person("approver", "person", ["approver"], namespace=NAMESPACE)
        self.auditor = person("auditor", "person", ["auditor"], namespace="*")
        self.retrainer = person("retrainer", "service", ["service"], namespace=NAMESPACE)
        self.ledger_app = person("ledger-app", "service", ["service"], namespace=NAMESPACE)
        self._tell.say("steward, engineer, approver, auditor; services retrainer and ledger-app")

    def register_data(self) -> None:
        """The first months become a dataset version; unusable rows are kept aside."""
        self._tell.title("Data", "registered once, labelled once")
        namespace, name = DATASET.split("/")
        self.steward.post(
            "/datasets",
            {
                "namespace": namespace,
                "name": name,
                "description": "Purchase-card transactions with the category that was booked.",
                "label": LABEL,
            },
        )
        version = self.steward.upload(
            f"/datasets/{DATASET}/versions",
            {
                "text": ",".join(self.traffic.columns.text),
                "label": self.traffic.columns.label,
                "date": self.traffic.columns.date,
            },
            "history.csv",
            self.traffic.history.read_bytes(),
        )
        self._tell.say(
            f"{DATASET} v{version['number']}: {version['rows']:,} rows, "
            f"{version['first_time'][:10]} to {version['last_time'][:10]}, confidential, "
            f"sha256 {version['content_digest'][:12]}…"
        )
        if version["rejected_rows"]:
            self._tell.say(f"kept aside: {version['rejected_rows']} rows")
            for row in version["rejected"][:5]:
                self._tell.say(f"  line {row['line']}: {row['reason']}")

    def train_first(self) -> None:
        """A small transformer learns from the first months, in a process of its own."""
        self._tell.title("Train", "a small language model from nothing, on this machine")
        namespace, name = MODEL.split("/")
        self.engineer.post(
            "/models",
            {
                "namespace": namespace,
                "name": name,
                "description": "Codes purchase-card transactions to ledger categories.",
                "label": LABEL,
            },
        )
        job = self.engineer.post(
            "/jobs",
            {
                "model": MODEL,
                "dataset": DATASET,
                "dataset_versions": [1],
                "purpose": PURPOSE,
                **self.settings.training,
            },
        )
        result = self._tell.follow(self.engineer, job["id"], "training version 1")["result"]
        version = self.engineer.get(f"/models/{MODEL}/versions/1")
        self._tell.say(
            f"{MODEL} v1: {version['parameters']:,} parameters, holdout accuracy "
            f"{result['accuracy']:.1%}, {result['seconds']:.0f} s, gates {result['verdict']}, "
            f"inherited {version['label']['level']}/{','.join(version['label']['compartments'])}"
        )

    def approve_and_deploy(self) -> None:
        """Gates, four eyes, champion; allowed where cleared, refused where not."""
        self._tell.title("Approve and deploy", "four eyes, and only where the label allows")
        champion = f"/models/{MODEL}/aliases/champion"
        wish = {"version": 1, "reason": "first model"}
        self._expect_refusal(lambda: self.engineer.put(champion, wish), "promote unapproved")
        asked = self.engineer.post(
            "/approvals", {"subject": {"type": "model-version", "model": MODEL, "version": 1}}
        )
        decide = f"/approvals/{asked['id']}/decide"
        yes = {"approve": True, "comment": "metrics and label checked"}
        self._expect_refusal(lambda: self.engineer.post(decide, yes), "approve one's own")
        self.approver.post(decide, yes)
        self.engineer.put(champion, wish)
        self._tell.say("approved by another person; v1 is champion")
        self._environments()
        self._expect_refusal(
            lambda: self._deploy("coder-abroad", "cloud-us", pinned=None), "deploy to cloud-us"
        )
        self.governed_id = self._deploy("coder", "ledger-uk", pinned=None)["id"]
        self.frozen_id = self._deploy("coder-frozen", "ledger-uk", pinned=1)["id"]
        self._tell.say(
            "deployed to ledger-uk: coder (follows champion), coder-frozen (stays at v1)"
        )

    def watch(self) -> None:
        """A monitor on a schedule and a retraining policy that somebody else approved."""
        self._tell.title("Watch", "a scheduled check, and a mandate to retrain")
        self.engineer.post(
            "/monitors",
            {
                "deployment_id": self.governed_id,
                "acts_as": "retrainer",
                "cron": CHECK_CRON,
                "alarms_by": "checks",  # a quarter at a time: there are no weeks to learn from
                **self.settings.monitor,
            },
        )
        policy = self.engineer.post(
            "/retraining-policies",
            {
                "deployment_id": self.governed_id,
                "dataset": DATASET,
                "acts_as": "retrainer",
                **self.settings.retraining,
            },
        )
        self.policy_id = policy["id"]
        asked = self.engineer.post(
            "/approvals", {"subject": {"type": "retraining-policy", "id": policy["id"]}}
        )
        self.approver.post(
            f"/approvals/{asked['id']}/decide", {"approve": True, "comment": "within budget"}
        )
        self._tell.say("checks each quarter; retraining on harm, approved by another person")

    def play(self) -> None:
        """The later months, month by month, through the deployments' predict endpoints."""
        self._tell.title("Months pass", f"{len(self.traffic.quarters)} quarters of requests")
        clock = self.stage.clock
        for quarter in self.traffic.quarters:
            before = time.monotonic()
            for month in quarter.months:
                clock.advance_to(month.end)
                self._predict(month)
                self._send_feedback()
            alert, retrained = self._check(quarter)
            self._happened.append((quarter, alert, retrained))
            self._tell.say(
                f"{quarter.name}: {quarter.rows:,} rows"
                + (", alert" if alert else ", quiet")
                + (", retrained and promoted" if retrained else "")
                + f" ({time.monotonic() - before:.0f} s)"
            )

    def reject_one(self) -> None:
        """Somebody retrains by hand on far too little; the gates say no."""
        self._tell.title(
            "A worse challenger", "retrained by hand, in a hurry, on a few hundred rows"
        )
        job = self.engineer.post(
            f"/retraining-policies/{self.policy_id}/jobs",
            {"reason": "quick refresh", **self.settings.careless},
        )
        result = self._tell.follow(self.engineer, job["id"], "training the challenger")["result"]
        self._tell.say(f"version {result['version']} {result['verdict']}:")
        for reason in result["reasons"]:
            self._tell.say(f"  {reason}")

    def upheaval(self) -> None:
        """A sudden change on one morning, and how many minutes its replacement takes."""
        self._tell.title("A sudden change", "minute by minute, and nobody touches anything")
        policy = {
            "dataset": DATASET,
            "acts_as": "retrainer",
            "on_alert": ["harm"],
            "cooldown_days": 0,
            "window_days": 1,
            "max_rows": 5_000,
        }
        self.ledger.morning = Upheaval(
            stage=self.stage,
            tell=self._tell,
            engineer=self.engineer,
            approver=self.approver,
            app=self.ledger_app,
            rows=[row for month in self.traffic.quarters[-1].months for row in month.rows],
            recipe=self.settings.upheaval,
            deployment=deployment_wish("", "ledger-uk", pinned=None),
            policy=policy,
        ).play()

    def conclude(self) -> Ledger:
        """Deliver the last labels, add everything up, verify the log."""
        self._tell.title("What it came to", "measured through the same API")
        clock, ledger = self.stage.clock, self.ledger
        clock.advance_to(clock.now() + FEEDBACK_DELAY + timedelta(days=2))
        self._send_feedback()
        for quarter, alert, retrained in self._happened:
            ledger.periods.append(
                PeriodResult(
                    period=quarter.name,
                    rows=quarter.rows,
                    frozen_accuracy=self._accuracy(self.frozen_id, quarter),
                    governed_accuracy=self._accuracy(self.governed_id, quarter),
                    alert=alert,
                    retrained=retrained,
                )
            )
        jobs = self._all("/jobs", kind="retrain")
        verdicts = [(job["result"] or {}).get("verdict") for job in jobs]
        ledger.retrains = verdicts.count("promoted")
        ledger.rejected_challengers = verdicts.count("rejected")
        ledger.alerts = len(self._all("/alerts"))
        ledger.decisions = len(self._all("/decisions", person=self.stage.admin))
        report = self._verified()
        ledger.audit_verified, ledger.audit_events = report["ok"], report["size"]
        self._pause()
        return ledger

    def _environments(self) -> None:
        cleared = {"clearance_level": "confidential", "clearance_compartments": ["finance"]}
        places = (
            {"name": "ledger-uk", "zone": "uk", "keeps_text": True, **cleared},
            {"name": "cloud-us", "zone": "us", "clearance_level": "internal"},
        )
        for place in places:
            self.stage.admin.post("/environments", place)

    def _deploy(self, name: str, environment: str, *, pinned: int | None) -> dict[str, Any]:
        return self.engineer.post("/deployments", deployment_wish(name, environment, pinned=pinned))

    def _predict(self, month: Month) -> None:
        for start in range(0, len(month.rows), BATCH_ROWS):
            batch = month.rows[start : start + BATCH_ROWS]
            instances = [
                {"record_id": row.record_id, "at": row.at.isoformat(), "features": row.features}
                for row in batch
            ]
            for deployment_id in (self.governed_id, self.frozen_id):
                self.ledger_app.post(
                    f"/deployments/{deployment_id}/predict", {"instances": instances}
                )
        self._awaiting.extend(month.rows)

    def _send_feedback(self) -> None:
        """Labels come `FEEDBACK_DELAY` after the transaction."""
        known_until = self.stage.clock.now() - FEEDBACK_DELAY
        due = [row for row in self._awaiting if row.at <= known_until]
        self._awaiting = [row for row in self._awaiting if row.at > known_until]
        for start in range(0, len(due), BATCH_ROWS * 4):
            feedback = [
                {"record_id": row.record_id, "label": row.label}
                for row in due[start : start + BATCH_ROWS * 4]
            ]
            for deployment_id in (self.governed_id, self.frozen_id):
                self.ledger_app.post(
                    f"/deployments/{deployment_id}/feedback", {"feedback": feedback}
                )

    def _check(self, quarter: Quarter) -> tuple[bool, bool]:
        """Let the schedule fire and everything that follows from it happen."""
        checks = f"/deployments/{self.governed_id}/checks"
        known = len(self._all(checks))
        champion = self._champion()
        self.stage.clock.advance_to(quarter.end + timedelta(hours=6, minutes=1))
        deadline = time.monotonic() + JOB_SECONDS
        while len(self._all(checks)) == known:
            if time.monotonic() > deadline:
                raise StoryFailed(f"the check of {quarter.name} did not happen in time")
            self._follow_jobs()
            time.sleep(POLL_SECONDS)
        self._settle()
        newest = self.engineer.get(checks, limit=1)["items"][0]
        alert = newest["verdict"] in ("drift", "harm")
        if alert:
            first, *others = newest["sentence"].split(". ")
            more = f" (and {len(others)} more)" if others else ""
            self._tell.say(f"  {newest['verdict']}: {first.removesuffix('.')}{more}")
        return alert, self._champion() != champion

    def _settle(self) -> None:
        """Wait until no job has been waiting or running for some ticks of the scheduler."""
        quiet_since = time.monotonic()
        deadline = quiet_since + JOB_SECONDS
        while time.monotonic() - quiet_since < QUIET_TICKS * TICK_SECONDS:
            if self._follow_jobs():
                quiet_since = time.monotonic()
            if time.monotonic() > deadline:
                raise StoryFailed("jobs did not come to an end in time; the worker's log says why")
            time.sleep(POLL_SECONDS)

    def _follow_jobs(self) -> bool:
        """Follow a job that has not ended, through its retries; whether there was one."""
        for state in UNFINISHED:
            for job in self.engineer.get("/jobs", state=state, limit=1)["items"]:
                self._tell.follow(self.engineer, job["id"], job["kind"])
                return True
        return False

    def _champion(self) -> int:
        version: int = self.engineer.get(f"/models/{MODEL}/aliases/champion")["version"]
        return version

    def _accuracy(self, deployment_id: str, quarter: Quarter) -> float:
        first = quarter.months[0]
        start = (first.end - timedelta(days=1)).replace(day=1)
        found = self.engineer.get(
            f"/deployments/{deployment_id}/accuracy",
            start=start.isoformat(),
            end=quarter.end.isoformat(),
        )
        if found["labelled_rows"] != quarter.rows:
            raise StoryFailed(
                f"{quarter.name} has {found['labelled_rows']} labelled rows of {quarter.rows}"
            )
        accuracy: float = found["accuracy"]
        return accuracy

    def _verified(self) -> dict[str, Any]:
        """Wait until the sequencer has caught up, then recompute the log."""
        while True:
            report = self.auditor.get("/audit/verification")
            if not report["waiting"] or not report["ok"]:
                return report
            time.sleep(POLL_SECONDS)

    def _pause(self) -> None:
        """The replay ends here: years later by the real clock, nothing of it is due."""
        for path in ("/monitors", "/retraining-policies"):
            for found in self._all(path):
                self.engineer.patch(f"{path}/{found['id']}", {"enabled": False})

    def _all(
        self, path: str, *, person: Person | None = None, **query: str
    ) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = []
        cursor: dict[str, str] = {}
        while True:
            page = (person or self.engineer).get(path, limit=500, **query, **cursor)
            items += page["items"]
            if page["next_cursor"] is None:
                return items
            cursor = {"cursor": page["next_cursor"]}

    def _expect_refusal(self, attempt: Any, what: str) -> None:
        try:
            attempt()
        except Refused as refused:
            policies = ", ".join(refused.problem.get("policies") or [])
            self._tell.say(f"refused: {what} ({policies}): {refused.problem['detail']}")
        else:
            raise StoryFailed(f"it should have been refused to {what}")
