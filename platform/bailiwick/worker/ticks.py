"""What the scheduler does again and again; each tick is one transaction or one job."""

from threading import Event

from bailiwick.audit import has_waiting, sequence
from bailiwick.lifecycle import Platform, run_next
from bailiwick.lifecycle.retrain import start_due
from bailiwick.lifecycle.schedules import fire_due


def fire_schedules(platform: Platform) -> None:
    """Queue a job for every schedule that is due."""
    with platform.database.transaction() as session:
        fire_due(session, at=platform.clock.now())


def answer_alerts(platform: Platform) -> None:
    """Start the retraining that alerts call for."""
    with platform.database.transaction() as session:
        start_due(session, at=platform.clock.now())


def sequence_audit(platform: Platform) -> None:
    """Give new audit events their place and sign a checkpoint."""
    with platform.database.reading() as session:
        if not has_waiting(session):
            return
    with platform.database.transaction() as session:
        sequence(session, platform.signer(), at=platform.clock.now())


def work(platform: Platform, owner: str, stopping: Event) -> None:
    """Carry out jobs until none waits, or the worker is to stop."""
    while not stopping.is_set() and run_next(platform, owner=owner):
        pass
