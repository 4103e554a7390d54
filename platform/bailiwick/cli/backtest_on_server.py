"""`bailiwick backtest --deployment`: the same on a server, where it is a job."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType

from bailiwick.cli.api_client import connected
from bailiwick.cli.moments import utc
from bailiwick.cli.output import percent, plain, short, table
from bailiwick.cli.references import of_deployment
from bailiwick.cli.training import waited_for
from bailiwick.client.shapes import BacktestResult
from bailiwick.core.errors import Invalid


@dataclass(frozen=True, slots=True)
class Server:
    """Where it is, whose history is to be replayed there (one of three), and since when."""

    url: str | None
    token_file: Path | None
    deployment: str | None
    policy: str | None
    dataset: str | None
    purpose: str | None
    since: datetime | None

    @property
    def is_asked(self) -> bool:
        """Whether something on a server was named."""
        return any((self.deployment, self.policy, self.dataset))


def replay_on_server(server: Server, settings: Mapping[str, Any]) -> BacktestResult:
    """Ask for it, wait until it is done, with a progress bar, and fetch it."""
    if sum(map(bool, (server.deployment, server.policy, server.dataset))) != 1:
        raise Invalid("name one thing to replay: --deployment, --policy or --dataset")
    with connected(server.url, server.token_file) as client:
        policies = client.retraining_policies.list() if server.policy else iter(())
        asked = client.backtests.start(
            deployment=server.deployment,
            policy_id=of_deployment(client, server.policy, policies, "retraining policy")
            if server.policy
            else None,
            dataset=server.dataset,
            purpose=server.purpose,
            since=None if server.since is None else utc(server.since).isoformat(),
            **settings,
        )
        waited_for(client, client.jobs.get(asked["job_id"]))
        return client.backtests.get(asked["id"])


def written(result: BacktestResult, file: Path) -> None:
    """Write every period to `file`, as for a dated file."""
    file.write_text(json.dumps(result["strategies"], indent=1) + "\n", encoding="utf-8")


def shown(result: BacktestResult) -> RenderableType:
    """A line for each strategy, and where the evidence is."""
    told = result["summary"] or {"strategies": []}
    headings = ("STRATEGY", "ACCURACY", "RECOVERED", "REGRET", "RETRAINS", "ALERTS", "COST")
    rows = (
        (
            one["strategy"],
            percent(one["accuracy"]),
            percent(one["recovered_ratio"]),
            "-" if one["regret_answers"] is None else f"{one['regret_answers']:,}",
            one["retrains"],
            one["alerts"],
            f"{one['cost_answers']:,}",
        )
        for one in told["strategies"]
    )
    span = f"{told['first'][:10]} to {told['last'][:10]}, {told['rows']:,} rows answered."
    lines = [f"{span} Cost: wrong answers, and each retraining at its price."]
    if told["late_rows"]:
        lines.append(f"{told['late_rows']:,} labels came too late and were left out.")
    if told["without_text"]:
        lines.append(f"{told['without_text']:,} rows have no text and were left out.")
    lines.append(f"Backtest {short(result['id'])}, result {result['digest']}.")
    return Group(table(headings, rows), *map(plain, lines))
