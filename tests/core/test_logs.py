"""Logs say where something went wrong, and nothing of what was in hand there."""

import errno
import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from bailiwick.core.logs import configure_logging

SECRET = "bwk_zanzibar-4711"


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """Leaves the configuration as it was."""
    before, level = structlog.get_config(), logging.getLogger("apscheduler").level
    yield
    structlog.configure(**before)
    logging.getLogger("apscheduler").setLevel(level)


def check(token: str) -> None:
    held = {"authorization": token}
    message = f"{held} is not valid"
    raise ValueError(message)


def fail_with(token: str) -> None:
    """The secret is in the variables of two frames, in the error, and in the one behind it."""
    try:
        check(token)
    except ValueError as error:
        raise RuntimeError(token) from error


@pytest.mark.parametrize("json_lines", [True, False])
def test_an_exception_is_told_without_its_words_and_without_variables(
    capsys: pytest.CaptureFixture[str], *, json_lines: bool
) -> None:
    configure_logging(json_lines=json_lines)
    log = structlog.get_logger()
    try:
        fail_with(SECRET)
    except RuntimeError:
        log.exception("unexpected error")
    written = capsys.readouterr().err
    assert "RuntimeError" in written
    assert "in fail_with" in written
    assert SECRET not in written
    if json_lines:
        assert json.loads(written)["event"] == "unexpected error"


def test_an_exception_that_is_passed_on_is_told_so_too(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(json_lines=False)
    structlog.get_logger().error("failed", exc_info=KeyError(SECRET))
    written = capsys.readouterr().err
    assert "KeyError" in written
    assert SECRET not in written


class FullDisk(io.StringIO):
    """A log on a disk that is full, until there is room."""

    full = True

    def write(self, words: str) -> int:
        if self.full:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(words)

    def flush(self) -> None:
        if self.full:
            raise OSError(errno.ENOSPC, "No space left on device")


def test_a_log_on_a_full_disk_loses_lines_and_ends_nobodys_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stream = FullDisk()
    monkeypatch.setattr("sys.stderr", stream)
    configure_logging(json_lines=True)
    structlog.get_logger().warning("lost")
    stream.full = False
    structlog.get_logger().warning("kept")
    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["kept"]
