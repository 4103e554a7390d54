"""`model evaluation-settings`, and the gates of a version, against the real API."""

from cli.conftest import Shell
from client.installation import Installation

SETTINGS = ("model", "evaluation-settings", "finance/classifier")


def test_what_a_model_is_judged_by_is_shown_changed_and_taken_back(
    shell: Shell, installation: Installation
) -> None:
    installation.tokens["engineer"] = installation.tokens["ada"]  # an admin may name them
    assert "none" in shell(*SETTINGS).out
    changed = shell(*SETTINGS, "--segment", "region", "--segment", "branch", "--key", "customer")
    assert "region, branch" in changed.out
    assert shell(*SETTINGS, "--key", "account", "--json").json["segments"] == ["region", "branch"]
    taken_back = shell(*SETTINGS, "--none", "--segment", "region", "--json").json
    assert (taken_back["segments"], taken_back["key_column"]) == (["region"], None)
    refused = shell(*SETTINGS, "--golden-set", "finance/none@1", expect=1)
    assert "may not see it" in refused.err


def test_who_builds_models_is_refused(shell: Shell) -> None:
    refused = shell(*SETTINGS, "--segment", "region", expect=1)
    assert "model:set-evaluation was denied" in refused.err


def test_a_version_shows_how_its_gates_stand(shell: Shell) -> None:
    shown = shell("model", "show", "finance/classifier@1").out
    assert "robustness" in shown
    assert "not required" in shown
