"""The split of traffic, and engines that are kept for a rollout."""

from pathlib import Path
from uuid import UUID

import pytest

from bailiwick.serving import engines as module
from bailiwick.serving.engines import Engines
from bailiwick.serving.splitting import is_in_canary, point_of

ROLLOUT = UUID("0192f1c4-0000-7000-8000-000000000001")
OTHER = UUID("0192f1c4-0000-7000-8000-000000000002")
KEYS = [f"customer-{number}" for number in range(20_000)]


@pytest.mark.parametrize("share", [0.01, 0.05, 0.25, 0.5])
def test_a_canary_gets_its_share_of_the_keys(share: float) -> None:
    counted = sum(is_in_canary(ROLLOUT, key, share) for key in KEYS)
    spread = (len(KEYS) * share * (1 - share)) ** 0.5
    assert abs(counted - len(KEYS) * share) < 4 * spread


def test_who_was_in_stays_in_as_the_share_grows() -> None:
    members = [
        {key for key in KEYS[:2_000] if is_in_canary(ROLLOUT, key, share)}
        for share in (0.0, 0.05, 0.25, 1.0)
    ]
    assert members[0] == set()
    assert members[1] < members[2] < members[3] == set(KEYS[:2_000])


def test_another_rollout_draws_anew() -> None:
    both = sum(
        is_in_canary(ROLLOUT, key, 0.5) and is_in_canary(OTHER, key, 0.5) for key in KEYS[:4_000]
    )
    assert 850 < both < 1_150
    assert all(0 <= point_of(OTHER, key) < 1 for key in KEYS[:100])


class Loaded:
    """Stands for an engine's class: loading is noted."""

    noted: list[str] = []  # noqa: RUF012 - emptied by each test

    @classmethod
    def load(cls, folder: Path) -> "Loaded":
        """Note it."""
        cls.noted.append(folder.name)
        return cls()


def test_kept_engines_outlive_others_and_go_when_they_are_not_kept_any_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "Engine", Loaded)
    Loaded.noted.clear()
    engines = Engines(Path, capacity=2)
    assert engines.keep(["old", "new"]) == ["old", "new"]
    for version in ("old", "new", "a", "b", "c"):
        engines.get(version)
    assert [one for one in ("old", "new", "a", "b", "c") if engines.loaded(one)] == [
        "old",
        "new",
        "b",
        "c",
    ]
    assert engines.keep(["new"]) == []
    assert [one for one in ("old", "new", "b", "c") if engines.loaded(one)] == ["new", "b", "c"]
    assert Loaded.noted == ["old", "new", "a", "b", "c"]
