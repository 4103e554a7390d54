"""The README's Python example, run as it stands."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bailiwick.cli.purchases import write_purchases
from bailiwick.cli.story import set_stage
from bailiwick.core.clock import ReplayClock
from bailiwick.core.settings import Settings
from support.databases import Databases

README = Path(__file__).parents[2] / "README.md"


@pytest.mark.torch
@pytest.mark.any_database
def test_the_python_example_trains_a_model_from_raw_text(
    databases: Databases,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), flags=re.DOTALL)
    settings = Settings(home=tmp_path / "home", database_url=databases.empty(), port=0, threads=1)
    monkeypatch.chdir(tmp_path)
    write_purchases(tmp_path / "purchases.csv", rows=2_000)
    with set_stage(settings, ReplayClock(datetime(2025, 1, 6, tzinfo=UTC))) as stage:
        monkeypatch.setenv("BAILIWICK_URL", stage.url)
        monkeypatch.setenv("BAILIWICK_TOKEN", stage.admin_token)
        exec(compile(example, str(README), "exec"), {})  # noqa: S102 - our own README
    assert "'verdict': 'passed'" in capsys.readouterr().out
