"""The one object that a program works with."""

import os
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Any, Self, cast

from bailiwick.client.access import AccessReviews, Groups, Principals, Tokens
from bailiwick.client.alerting import Channels, Silences
from bailiwick.client.approvals import Approvals, Delegations, Waivers
from bailiwick.client.audit import Audit
from bailiwick.client.backtests import Backtests
from bailiwick.client.datasets import Datasets
from bailiwick.client.deployments import Deployments, Environments
from bailiwick.client.labelled import LabelledTraffic
from bailiwick.client.labelling import Labelling
from bailiwick.client.labels import Breaches, Labels
from bailiwick.client.lineage import LineageGraph
from bailiwick.client.models import Models
from bailiwick.client.rollouts import Rollouts
from bailiwick.client.rules import Rules
from bailiwick.client.shapes import (
    Accepted,
    Alias,
    Deployment,
    Impact,
    Job,
    Me,
    Predictions,
    ProtectedResource,
)
from bailiwick.client.traffic import Traffic
from bailiwick.client.transport import Transport
from bailiwick.client.upkeep import Data, Jobs, RetrainingPolicies
from bailiwick.client.watching import Alerts, Monitors

DEFAULT_URL = "http://127.0.0.1:8321"
TIMEOUT_SECONDS = 120.0  # an upload is read, checked and stored before it is answered


class Bailiwick:
    """An installation, as one principal sees it. Close it, or use it in a `with` block.

    `url` and `token` default to `BAILIWICK_URL` and `BAILIWICK_TOKEN`.
    """

    def __init__(
        self,
        url: str | None = None,
        token: str | None = None,
        *,
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> None:
        self.url = url or os.environ.get("BAILIWICK_URL") or DEFAULT_URL
        token = token or os.environ.get("BAILIWICK_TOKEN")
        http = Transport(self.url, (token or "").strip() or None, timeout_seconds=timeout_seconds)
        self._http = http
        self.models = Models(http)
        self.datasets = Datasets(http)
        self.lineage = LineageGraph(http)
        self.environments = Environments(http)
        self.deployments = Deployments(http)
        self.rollouts = Rollouts(http, self.deployments)
        self.labels = Labels(http, self.deployments)
        self.breaches = Breaches(http)
        self.monitors = Monitors(http, self.deployments)
        self.traffic = Traffic(http, self.deployments)
        self.labelled = LabelledTraffic(http, self.deployments)
        self.labelling = Labelling(http, self.deployments)
        self.alerts = Alerts(http, self.deployments)
        self.silences = Silences(http, self.deployments)
        self.channels = Channels(http)
        self.jobs = Jobs(http)
        self.retraining_policies = RetrainingPolicies(http, self.deployments)
        self.backtests = Backtests(http, self.deployments)
        self.approvals = Approvals(http)
        self.delegations = Delegations(http)
        self.waivers = Waivers(http)
        self.rules = Rules(http)
        self.audit = Audit(http)
        self.principals = Principals(http)
        self.groups = Groups(http)
        self.access_reviews = AccessReviews(http)
        self.tokens = Tokens(http)

    def me(self) -> Me:
        """Who the token stands for, and what they hold."""
        return cast("Me", self._http.get("/me"))

    def change_password(self, new: str, *, current: str = "") -> None:
        """Change one's own password for the console; ends the other sessions."""
        body = {"new_password": new, "current_password": current}
        self._http.write("POST", "/me/password", body)

    def sign_out_everywhere(self) -> None:
        """End all console sessions of one's own."""
        self._http.write("POST", "/me/sign-out")

    def sign_in_methods(self) -> ProtectedResource:
        """Which OpenID provider signs people in (RFC 9728). Needs no token."""
        address = "/.well-known/oauth-protected-resource"
        return cast("ProtectedResource", self._http.operation(address))

    def health(self) -> dict[str, Any]:
        """`/readyz`: `{"status": "ready"}`, or another status and a `detail`."""
        return cast("dict[str, Any]", self._http.operation("/readyz"))

    def train(self, model: str, data: Data, *, purpose: str, **settings: Any) -> Job:
        """Queue a training; the settings are those of `jobs.train`."""
        return self.jobs.train(model, data, purpose=purpose, **settings)

    def wait(
        self,
        job: Job | str,
        *,
        on_progress: Callable[[Job], None] | None = None,
        timeout_seconds: float | None = None,
    ) -> Job:
        """The job once it has succeeded; `JobFailed` if it did not."""
        return self.jobs.wait(job, on_progress=on_progress, timeout_seconds=timeout_seconds)

    def promote(self, version: str, *, reason: str) -> Alias:
        """Make a version (`NAMESPACE/NAME@NUMBER`) champion, if gates and policy agree."""
        return self.models.promote(version, reason=reason)

    def rollback(self, model: str, *, reason: str) -> Alias:
        """Make the previous champion champion again."""
        return self.models.rollback(model, reason=reason)

    def deploy(
        self, model: str, environment: str, *, name: str, purpose: str, **settings: Any
    ) -> Deployment:
        """Run a model in an environment, as deployment `NAMESPACE/NAME`."""
        return self.deployments.create(
            name, model=model, environment=environment, purpose=purpose, **settings
        )

    def predict(
        self, deployment: str, rows: Iterable[Mapping[str, str]], **settings: Any
    ) -> Predictions:
        """Classify rows (text column: value); the settings are those of `deployments.predict`."""
        return self.deployments.predict(deployment, rows, **settings)

    def feedback(self, deployment: str, labels: Mapping[str, str | None]) -> Accepted:
        """Send the labels that turned out to be right, by record id; None withdraws one."""
        return self.deployments.feedback(deployment, labels)

    def impact(self, dataset_version: str) -> Impact:
        """Which models learned from a dataset version, and where they are running."""
        return self.lineage.impact(dataset_version)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
