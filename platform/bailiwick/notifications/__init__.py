"""Telling people: how loud an alert is, who is told where, when nobody is, and what came of it.

Knows nothing of how alerts come about: `monitoring` announces their events, the worker sends.
"""

from bailiwick.notifications.channels import (
    Target,
    Terms,
    create_channel,
    find_channel,
    try_channel,
    update_channel,
)
from bailiwick.notifications.outbox import Notice, announce, call_off
from bailiwick.notifications.recurrence import Weekly
from bailiwick.notifications.sealing import Vault
from bailiwick.notifications.sending import send_next
from bailiwick.notifications.serving_changes import announce_serving
from bailiwick.notifications.severity import OUT_OF_POLICY, Severity, severity_of
from bailiwick.notifications.silences import (
    Hold,
    Hushable,
    create_silence,
    end_silence,
    hold_on,
    silence_resource,
    standing_silences,
)
from bailiwick.notifications.states import DeliveryState
from bailiwick.notifications.tables import Channel, Delivery, Silence

__all__ = [
    "OUT_OF_POLICY",
    "Channel",
    "Delivery",
    "DeliveryState",
    "Hold",
    "Hushable",
    "Notice",
    "Severity",
    "Silence",
    "Target",
    "Terms",
    "Vault",
    "Weekly",
    "announce",
    "announce_serving",
    "call_off",
    "create_channel",
    "create_silence",
    "end_silence",
    "find_channel",
    "hold_on",
    "send_next",
    "severity_of",
    "silence_resource",
    "standing_silences",
    "try_channel",
    "update_channel",
]
