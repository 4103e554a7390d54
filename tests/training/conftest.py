"""Trained models shared by the tests of training."""

from pathlib import Path

import pytest
import torch

from bailiwick.training.run import run
from support.tiny_training import tiny_spec


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A cluster takes its time to start: it is started only where it is asked for."""
    if "ray" in config.option.markexpr:
        return
    dear = [item for item in items if item.get_closest_marker("ray")]
    config.hook.pytest_deselected(items=dear)
    items[:] = [item for item in items if item not in dear]


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The work folder of a finished tiny job."""
    folder = tmp_path_factory.mktemp("trained")
    run(tiny_spec(folder), lambda *_: None)
    return folder
