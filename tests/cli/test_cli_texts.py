"""`deploy erase-texts`, `text-erasures` and `texts` on a real installation."""

import pytest

from bailiwick.monitoring.texts import DataKey, seal
from bailiwick.monitoring.texts.sealing import RECORD, Clear
from bailiwick.registry import Deployment
from cli.conftest import Shell
from client.installation import Installation

NAME = "finance/cards"


@pytest.fixture
def at_home(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> Installation:
    """Commands that work on the installation itself find it."""
    settings = installation.platform.settings
    monkeypatch.setenv("BAILIWICK_HOME", str(settings.home))
    monkeypatch.setenv("BAILIWICK_DATABASE_URL", settings.resolved_database_url)
    return installation


def test_texts_are_destroyed_and_it_can_be_shown(shell: Shell) -> None:
    command = ("deploy", "erase-texts", NAME, "--subject", "Ada", "--reason", "asked for")
    assert "records without text now" in shell(*command, who="ada").out
    page = shell("deploy", "text-erasures", NAME, "--json").json
    assert [(one["records"], one["reason"]) for one in page["items"]] == [(0, "asked for")]
    assert "asked for" in shell("deploy", "text-erasures", NAME).out


def test_the_key_is_rotated_by_an_administrator(shell: Shell, at_home: Installation) -> None:
    platform = at_home.platform
    assert "No text has been kept yet" in shell("texts", "key").out
    with platform.database.transaction() as session:
        deployment = session.query(Deployment).first()
        assert deployment is not None
        texts = [Clear("r1", "2026-01-02", "Zebra")]
        at = platform.clock.now()
        seal(session, platform.texts, deployment.id, RECORD, texts, at=at)
    first = platform.texts.ring().newest
    assert "administer" in shell("texts", "rotate-key", "--by", "engineer", expect=1).err
    assert "1 keys of texts" in shell("texts", "rotate-key", "--by", "ada").out
    newest = platform.texts.ring().newest
    with platform.database.reading() as session:
        assert [key.kek for key in session.query(DataKey)] == [newest] != [first]
    told = shell("texts", "key", "--json").json
    assert told == [
        {"key": newest, "in_file": True, "data_keys": 1},
        {"key": first, "in_file": True, "data_keys": 0},
    ]
    platform.texts.path.unlink()
    assert "LOST: restore the key file" in shell("texts", "key").out
    lost = shell("texts", "rotate-key", "--by", "ada", "--give-up-lost").out
    assert "1 keys were lost" in lost
    assert "in the file" in shell("texts", "key").out


def test_how_long_records_are_kept_is_told_and_changed(shell: Shell) -> None:
    assert "for ever" in shell("deploy", "records", NAME).out
    refused = shell("deploy", "records", NAME, "--hot-days", "35", expect=2)
    assert "lower max_age_days first" in refused.err.replace("\n", " ")
    shell("deploy", "intake", NAME, "--max-age-days", "35")
    told = shell(
        "deploy", "records", NAME, "--hot-days", "35", "--retention-days", "400", "--json"
    ).json
    assert (told["hot_days"], told["retention_days"], told["summary_days"]) == (35, 400, None)
    told = shell("deploy", "records", NAME, "--retention-days", "0", "--json").json
    assert (told["hot_days"], told["retention_days"]) == (35, None)
    assert "until 35 days old" in shell("deploy", "records", NAME).out
