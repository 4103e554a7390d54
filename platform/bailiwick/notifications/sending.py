"""Sending what the outbox holds: one message at a time, no transaction open meanwhile."""

import json
import traceback
from collections.abc import Callable

import structlog

from bailiwick.core.canonical import canonical_bytes
from bailiwick.core.clock import Clock
from bailiwick.core.errors import BailiwickError
from bailiwick.db import Database
from bailiwick.notifications import apprise_urls, webhooks
from bailiwick.notifications.channels import WEBHOOK
from bailiwick.notifications.outbox import Task, claim, has_due, mark
from bailiwick.notifications.sealing import Vault
from bailiwick.policy import Rules

MAX_ERROR = 200  # characters that the column holds

log = structlog.get_logger(__name__)


def send_next(
    database: Database,
    *,
    rules: Rules,
    vault: Callable[[], Vault],
    public_url: str,
    clock: Clock,
) -> bool:
    """Send the next message that is due and note how it went; False if none is due.

    `vault` is asked for the key only when there is something to send.
    """
    with database.reading() as session:
        if not has_due(session, at=clock.now()):
            return False  # the database's one writer is not disturbed
    with database.transaction() as session:
        task = claim(session, rules=rules, public_url=public_url, at=clock.now())
    if task is None:
        return False
    error = _tried(task, vault, clock)
    with database.transaction() as session:
        mark(session, task, error=error, at=clock.now())
    return True


def _tried(task: Task, vault: Callable[[], Vault], clock: Clock) -> str | None:
    """Send it once; what went wrong in words that hold no secret, None if nothing did."""
    try:
        address, secret = json.loads(vault().open(task.target, task.channel_id))
        if task.channel_kind == WEBHOOK:
            body = canonical_bytes(task.message.to_dict())
            webhooks.post(address, secret, str(task.delivery_id), body, at=clock.now())
        else:
            apprise_urls.send(address, task.message)
    except BailiwickError as error:
        return error.message[:MAX_ERROR]
    except Exception as error:  # noqa: BLE001 - whatever a service's library does, others are told
        # Without the error's own text, which may hold the address.
        place = traceback.format_tb(error.__traceback__)
        log.warning("message met a fault", kind=type(error).__name__, place=place)
        return f"a fault of the platform ({type(error).__name__}); see the worker's log"
    return None
