"""What the scheduler does again and again; each tick is one transaction or one job."""

from threading import Event

from bailiwick.audit import has_waiting
from bailiwick.lifecycle import Platform, run_next
from bailiwick.lifecycle.compliance import stop_due
from bailiwick.lifecycle.considering import start_due
from bailiwick.lifecycle.label_watching import watch_all_labels
from bailiwick.lifecycle.leftovers import clear_leftovers as clear_files
from bailiwick.lifecycle.rolling_out import judge_all
from bailiwick.lifecycle.rollouts.observed import forget_records
from bailiwick.lifecycle.schedules import fire_due
from bailiwick.lifecycle.serving_elsewhere import check_all_elsewhere
from bailiwick.lifecycle.waivers import end_expired_waivers
from bailiwick.lifecycle.watching import watch_all
from bailiwick.monitoring import forget_rejected
from bailiwick.monitoring.intake import has_expired
from bailiwick.monitoring.keeping import (
    archive_next,
    drop_next,
    drop_summaries,
    has_plain_texts,
    purge_next,
    seal_plain_texts,
    tally_next,
)
from bailiwick.notifications import send_next
from bailiwick.policy.waivers import expired


def fire_schedules(platform: Platform) -> None:
    """Queue a job for every schedule that is due."""
    with platform.database.transaction() as session:
        fire_due(session, at=platform.clock.now())


def watch_traffic(platform: Platform) -> None:
    """Judge the windows of traffic that have ended since."""
    watch_all(platform)


def watch_labels(platform: Platform) -> None:
    """Count the labels that came, and judge the steps of time that have ended since."""
    watch_all_labels(platform)


def answer_alerts(platform: Platform) -> None:
    """Start the retraining that alerts, calendars and versions call for."""
    with platform.database.transaction() as session:
        start_due(session, counting=False, at=platform.clock.now())


def count_labels(platform: Platform) -> None:
    """Start the retraining that new labels call for."""
    with platform.database.transaction() as session:
        start_due(session, at=platform.clock.now())


def judge_rollouts(platform: Platform) -> None:
    """Take rollouts on, or back, by what their requests showed since."""
    judge_all(platform)


def check_served_elsewhere(platform: Platform) -> None:
    """Find out whether other systems serve the versions that they were told to."""
    check_all_elsewhere(platform)


def forget_rollout_records(platform: Platform) -> None:
    """Delete the requests that guards of long ended rollouts looked at."""
    with platform.database.transaction() as session:
        forget_records(session, at=platform.clock.now())


def stop_out_of_policy(platform: Platform) -> None:
    """Stop what has been out of policy for longer than its grace time."""
    with platform.database.transaction() as session:
        stop_due(session, rules=platform.rules, at=platform.clock.now())


def sequence_audit(platform: Platform) -> None:
    """Give new audit events their place, sign a checkpoint and keep its note."""
    with platform.database.reading() as session:
        if not has_waiting(session) and not platform.note_is_behind(session):
            return
    platform.sequence_audit()


def end_waivers(platform: Platform) -> None:
    """Note the waivers whose time is over, and review what ran by them."""
    at = platform.clock.now()
    with platform.database.reading() as session:
        if not expired(session, at=at):
            return
    with platform.database.transaction() as session:
        end_expired_waivers(session, rules=platform.rules, at=at)


def send_messages(platform: Platform, stopping: Event) -> None:
    """Send what channels are to be told, until nothing is due or the worker is to stop."""
    while not stopping.is_set() and send_next(
        platform.database,
        rules=platform.rules,
        vault=platform.vault,
        public_url=platform.settings.public_url,
        clock=platform.clock,
    ):
        pass


def forget_rejected_records(platform: Platform) -> None:
    """Delete the records that could not be used, once they have been kept long enough."""
    at = platform.clock.now()
    with platform.database.reading() as session:
        if not has_expired(session, at=at):
            return
    with platform.database.transaction() as session:
        forget_rejected(session, at=at)


def seal_texts(platform: Platform, stopping: Event) -> None:
    """Encrypt the texts that are left from before texts were encrypted, until none is."""
    while not stopping.is_set():
        with platform.database.reading() as session:
            if not has_plain_texts(session):
                return
        with platform.database.transaction() as session:
            sealed = seal_plain_texts(
                session,
                platform.texts,
                pseudonyms=platform.pseudonyms,
                at=platform.clock.now(),
            )
        if not sealed:  # another process is at them
            return


def archive_records(platform: Platform, stopping: Event) -> None:
    """Move whole days of old records into segments, until none is due; count late labels."""
    database, blobs, folder = platform.database, platform.blobs, platform.settings.work_folder
    while not stopping.is_set() and archive_next(
        database, blobs, folder / "segments", at=platform.clock.now()
    ):
        pass
    tally_next(database, blobs, at=platform.clock.now())


def drop_records(platform: Platform, stopping: Event) -> None:
    """Drop what has been kept for long enough."""
    database, blobs, at = platform.database, platform.blobs, platform.clock.now()
    while not stopping.is_set() and (
        drop_next(database, blobs, at=at) or purge_next(database, blobs, at=at)
    ):
        pass
    with database.transaction() as session:
        drop_summaries(session, at=at)


def clear_leftovers(platform: Platform) -> None:
    """Remove the files of processes that died."""
    clear_files(platform)


def write_counts(platform: Platform) -> None:
    """Write how often the policy allowed what changes nothing."""
    platform.rules.tallies.flush(platform.database)


def work(platform: Platform, owner: str, stopping: Event) -> None:
    """Carry out jobs until none waits, or the worker is to stop."""
    while not stopping.is_set() and run_next(platform, owner=owner):
        pass
