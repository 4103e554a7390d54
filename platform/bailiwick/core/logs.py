"""Structured logs: what happened to which ids. Never texts, never secrets."""

import logging
import sys
import traceback

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
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    # APScheduler warns of every turn that is skipped while a tick is still at work.
    logging.getLogger("apscheduler").setLevel(logging.ERROR)


def _where(exc_info: ExcInfo) -> str:
    """The kind of an exception, and the lines that it passed.

    Not its words, and not the variables: they may hold a row's text, a password or a token.
    """
    kind, _, trace = exc_info
    return f"{kind.__name__}\n{''.join(traceback.format_tb(trace))}".rstrip()
