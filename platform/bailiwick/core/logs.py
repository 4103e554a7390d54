"""Structured logs: what happened to which ids. Never texts, never secrets."""

import contextlib
import logging
import sys
import traceback
from typing import TextIO

import structlog
from structlog.typing import ExcInfo, Processor


def configure_logging(*, json_lines: bool, level: str = "INFO") -> None:
    """Set up logging once, at the edge of a process; everything goes to standard error."""
    renderer: Processor = (
        structlog.processors.JSONRenderer()
        if json_lines
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(),
            # The default shows the variables of every frame.
            exception_formatter=structlog.dev.plain_traceback,
        )
    )
    number = logging.getLevelName(level.upper())
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.ExceptionRenderer(_where),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(_Patient(sys.stderr)),  # type: ignore[arg-type]
        cache_logger_on_first_use=False,
    )
    # APScheduler warns of every turn that is skipped while a tick is still at work.
    logging.getLogger("apscheduler").setLevel(logging.ERROR)


class _Patient:
    """A stream that takes what it can: a full disk loses lines of the log and ends no work."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, words: str) -> None:
        """Write, or lose it."""
        with contextlib.suppress(OSError):
            self._stream.write(words)

    def flush(self) -> None:
        """Flush what can be."""
        with contextlib.suppress(OSError):
            self._stream.flush()


def _where(exc_info: ExcInfo) -> str:
    """The kind of an exception, and the lines that it passed.

    Not its words, and not the variables: they may hold a row's text, a password or a token.
    """
    kind, _, trace = exc_info
    return f"{kind.__name__}\n{''.join(traceback.format_tb(trace))}".rstrip()
