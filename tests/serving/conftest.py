"""A trained artifact shared by the tests of serving."""

import shutil
from pathlib import Path

import pytest
import torch

from bailiwick.training.run import run
from support.tiny_training import tiny_spec


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny trained model; not to be changed."""
    folder = tmp_path_factory.mktemp("served")
    run(tiny_spec(folder), lambda *_: None)
    return folder / "artifact"


@pytest.fixture
def spoiled(artifact: Path, tmp_path: Path) -> Path:
    """A copy of the artifact, to be damaged by the test."""
    return Path(shutil.copytree(artifact, tmp_path / "artifact"))
