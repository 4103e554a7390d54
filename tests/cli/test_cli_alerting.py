"""`alert history`, `alert deliveries`, `alert silence`, `alert channel`."""

from pathlib import Path
from typing import Any

import pytest
import typer

from bailiwick.cli import channels
from cli.conftest import Shell
from client.installation import Installation
from support.alerting import SECRET, receiving, send_all

CLEARED = ("--clearance", "confidential", "--compartment", "finance")
WEEKLY = ("--on", "friday", "--hours", "22:00-02:00", "--zone", "Europe/London")


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """A file with an address and a secret."""
    file = tmp_path / "target"
    file.write_text(f"https://hooks.example.com/let-me-in\n{SECRET}\n")
    return file


def test_a_channel_is_opened_shown_changed_and_tried(
    shell: Shell, installation: Installation, target: Path
) -> None:
    with receiving() as receiver:
        target.write_text(f"{receiver.url}\n{SECRET}\n")
        made = shell(
            *("alert", "channel", "create", "pager", "--kind", "webhook", *CLEARED),
            *("--severity", "page", "--severity", "note", "--target-file", str(target)),
            who="ada",
        )
        assert "http://127.0.0.1" in made.out
        assert receiver.url not in made.out
        assert "confidential" in shell("alert", "channel", "show", "pager", who="ada").out
        assert "pager" in shell("alert", "channel", "list", who="ada").out
        alert = installation.open_alert()
        shell("alert", "channel", "try", "pager", who="ada")
        send_all(installation.platform)
        assert {told["type"] for told in receiver.bodies} == {"trial", "alert.raised"}
    assert "delivered" in shell("alert", "channel", "trials", "pager", who="ada").out
    told = shell("alert", "deliveries", alert[-8:])
    assert "pager" in told.out
    assert "delivered" in told.out
    off = shell("alert", "channel", "update", "pager", "--off", "--json", who="ada")
    assert off.json["enabled"] is False
    assert shell("alert", "channel", "list", expect=1).err  # an engineer may not see them


def test_an_address_that_is_typed_is_not_shown(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed = ["jsons://user:let-me-in@chat.example.com"]

    def prompt(_: str, *, hide_input: bool, err: bool) -> Any:
        assert hide_input
        assert err
        return typed.pop()

    monkeypatch.setattr(channels.typer, "prompt", prompt)
    words = ("alert", "channel", "create", "chat", "--kind", "apprise", *CLEARED)
    made = shell(*words, "--on-hand-over", who="ada")
    assert shell("alert", "channel", "show", "chat", "--json", who="ada").json["severities"] == []
    assert "jsons://" in made.out
    assert "let-me-in" not in made.out + made.err


def test_what_is_missing_or_misread_is_told_with_what_to_write(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    def prompt(*_: Any, **__: Any) -> Any:
        raise typer.Abort

    monkeypatch.setattr(channels.typer, "prompt", prompt)
    silence = ("alert", "silence", "create", "--reason", "move", "--until", "2026-12-01")
    weekly = (*silence, "--namespace", "finance", "--on", "friday", "--hours")
    wrong = {
        ("alert", "channel", "create", "x", "--kind", "apprise", *CLEARED): "--target-file",
        ("alert", "channel", "update", "x"): "say what to change",
        ("alert", "show", "abc"): "or its last six characters",
        silence: "--deployment NAMESPACE/NAME or --namespace NAME",
        (*weekly, "22-02"): "like 22:00-02:00",
        (*weekly, "25:00-26:00"): "like 22:00-02:00",
    }
    for words, told in wrong.items():
        assert told in shell(*words, who="ada", expect=2).err


def test_a_file_that_holds_no_target_is_refused(shell: Shell, target: Path) -> None:
    words = ("alert", "channel", "create", "x", *CLEARED, "--target-file")
    for kind, file in (("apprise", target), ("webhook", target.parent / "none")):
        assert shell(*words, str(file), "--kind", kind, who="ada", expect=2).err


def test_a_silence_is_made_listed_and_ended(shell: Shell, installation: Installation) -> None:
    alert = installation.open_alert()
    words = ("alert", "silence", "create", "--deployment", "finance/cards", "--reason", "move")
    made = shell(*words, "--until", "2026-01-20", "--json").json
    assert made["state"] == "acting"
    assert "silenced" in shell("alert", "list").out
    assert "2026-01-20" in shell("alert", "show", alert).out
    listed = shell("alert", "silence", "list").out
    assert "finance/cards" in listed
    assert all(len(line) <= 80 for line in listed.splitlines())
    shell("alert", "silence", "end", made["id"][-8:])
    assert "silenced" not in shell("alert", "list").out.replace("silenced until", "")
    weekly = shell(*words, "--until", "2026-12-01", *WEEKLY, "--json").json
    assert weekly["weekly"]["weekdays"] == ["friday"]
    assert shell(*words, "--until", "2026-12-01", "--on", "friday", expect=2).err


def test_the_history_of_an_alert_is_told(shell: Shell, installation: Installation) -> None:
    alert = installation.open_alert()
    shell("alert", "acknowledge", alert)
    shell("alert", "resolve", alert, "--reason", "seasonal")
    moves = [event["move"] for event in shell("alert", "history", alert, "--json").json]
    assert moves == ["resolved", "acknowledged", "raised"]
    told = shell("alert", "history", alert).out
    assert "seasonal" in told
    assert all(len(line) <= 80 for line in told.splitlines())
