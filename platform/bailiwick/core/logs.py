"""Structured logs: what happened to which ids. Never texts, never secrets."""

import logging
import sys

import structlog


def configure_logging(*, json_lines: bool, level: str = "INFO") -> None:
    """Set up logging once, at the edge of a process; everything goes to standard error."""
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if json_lines
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    number = logging.getLevelName(level.upper())
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    # APScheduler warns of every turn that is skipped while a tick is still at work.
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
