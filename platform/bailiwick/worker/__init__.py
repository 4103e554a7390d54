"""The background process: a scheduler whose ticks fire schedules, answer alerts, do jobs."""

from bailiwick.worker.scheduler import Worker

__all__ = ["Worker"]
