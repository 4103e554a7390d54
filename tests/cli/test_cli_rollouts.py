"""`bailiwick deploy rollout`: plans are set, rollouts shown and moved."""

import json
from pathlib import Path

from sqlalchemy import select

from bailiwick.registry import RegisteredModel
from cli.conftest import Shell
from client.installation import Installation
from factories import Factory
from support.lifecycle_world import factory_again


def promoted_again(installation: Installation) -> None:
    """The next version of the model passes its gates, is approved and promoted."""
    with installation.platform.database.transaction() as session:
        make: Factory = factory_again(session, installation.platform)
        data = make.dataset_version(make.dataset("more"))
        model = session.scalars(select(RegisteredModel)).one()
        make.champion(make.model_version(model, data, accuracy=0.85))


def test_a_plan_is_set_shown_and_taken_away(shell: Shell, tmp_path: Path) -> None:
    place = ("deploy", "rollout")
    made = shell(*place, "plan", "finance/cards", "--share", "0.1", "--share", "0.5", "--json").json
    assert made["settings"]["canary_shares"] == [0.1, 0.5]
    assert "10.0%, 50.0%" in shell(*place, "plan", "finance/cards").out
    file = tmp_path / "plan.json"
    file.write_text(json.dumps({"shadow_hours": 2, "limits": {"accuracy": None}}), "utf-8")
    made = shell(*place, "plan", "finance/cards", "--file", str(file), "--json").json
    assert (made["settings"]["shadow_hours"], made["settings"]["limits"]["accuracy"]) == (2, None)
    file.write_text("[]", "utf-8")
    refused = shell(*place, "plan", "finance/cards", "--file", str(file), expect=2)
    assert "no object" in refused.err
    assert "followed at once" in shell(*place, "unplan", "finance/cards").out
    shell(*place, "plan", "finance/cards", expect=1)
    assert "no rollout" in shell(*place, "show", "finance/cards", expect=2).err


def test_a_rollout_is_shown_advanced_rolled_back_and_stopped(
    shell: Shell, installation: Installation
) -> None:
    place = ("deploy", "rollout")
    shell(*place, "plan", "finance/cards", "--share", "0.5")
    promoted_again(installation)
    assert "version 2 (canary, 50.0%)" in shell(*place, "serving", "finance/cards").out
    shown = shell(*place, "show", "finance/cards")
    for said in ("version 1 → 2", "1 of 1", "errors (canary)", "started"):
        assert said in shown.out, said
    full = shell(*place, "advance", "finance/cards", "--reason", "good", "--json").json
    assert full["state"] == "full"
    assert "rolled-back" in shell(*place, "rollback", "finance/cards", "--reason", "worse").out
    (listed,) = shell(*place, "list", "finance/cards", "--json").json["items"]
    assert (listed["id"], listed["ended_why"]) == (full["id"], "worse")
    assert "rolled-back" in shell(*place, "list", "finance/cards").out
    refused = shell(*place, "stop", "finance/cards", "--reason", "x", expect=1)
    assert "no rollout of this deployment is under way" in refused.err
    with installation.client() as client:
        (only,) = client.rollouts.list("finance/cards")
        assert only["state"] == "rolled-back"
