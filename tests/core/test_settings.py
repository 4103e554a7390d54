"""Settings: from the environment, frozen, each one documented, wrong ones named."""

import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from bailiwick.core.errors import Invalid
from bailiwick.core.settings import Settings, read_settings

DOCUMENT = Path(__file__).parents[2] / "docs" / "settings.md"
ROW = re.compile(r"^\| `(BAILIWICK_[A-Z_]+)` \| (.*) \| (.*) \|$", re.MULTILINE)


def test_every_setting_is_documented_with_its_default_and_nothing_else_is() -> None:
    documented = {
        name: (default, what) for name, default, what in ROW.findall(DOCUMENT.read_text())
    }
    expected = {
        f"BAILIWICK_{name.upper()}": (
            "" if field.default is None else f"`{field.default}`",
            field.description,
        )
        for name, field in Settings.model_fields.items()
    }
    assert documented == expected


def test_a_setting_comes_from_its_variable_and_an_argument_wins(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("BAILIWICK_PORT", "9000")
    assert read_settings().port == 9000
    assert read_settings(port=9001, host=None).port == 9001
    assert read_settings(host=None).host == "127.0.0.1"


def test_settings_do_not_change_once_read() -> None:
    settings = read_settings()
    with pytest.raises(ValidationError, match="frozen"):
        settings.port = 1  # type: ignore[misc]  # what is tested


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("BAILIWICK_PORT", "http"),
        ("BAILIWICK_PORT", "70000"),
        ("BAILIWICK_WORKERS", "0"),
        ("BAILIWICK_LEASE_SECONDS", "1"),
        ("BAILIWICK_MAX_BODY_BYTES", "2 MB"),
    ],
)
def test_a_wrong_value_is_refused_by_the_name_of_its_variable(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(Invalid, match=variable):
        read_settings()


def test_secrets_do_not_show_when_settings_are_printed() -> None:
    settings = Settings(token="bwk_secret", serving_secret="hush")
    assert "bwk_secret" not in repr(settings)
    assert "hush" not in repr(settings)


def test_the_embedded_default_lives_in_the_home_folder(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    assert settings.resolved_database_url == f"sqlite:///{tmp_path}/bailiwick.db"
    assert settings.blob_folder == tmp_path / "blobs"
    assert settings.key_file.is_relative_to(tmp_path)
    assert settings.work_folder.is_relative_to(tmp_path)


def test_a_blob_address_of_another_kind_says_what_to_write() -> None:
    with pytest.raises(Invalid, match="file:///PATH"):
        _ = Settings(blob_url="s3://bucket").blob_folder
    assert Settings(blob_url="file:///srv/blobs").blob_folder == Path("/srv/blobs")
