"""How long records and their texts are kept, and how they go."""

from bailiwick.monitoring.keeping.backlog import has_plain_texts, seal_plain_texts
from bailiwick.monitoring.keeping.erasure import erase_texts
from bailiwick.monitoring.keeping.moving import archive_next, tally_next
from bailiwick.monitoring.keeping.retention import drop_next, drop_summaries, purge_next
from bailiwick.monitoring.keeping.rotation import give_up_lost, rewrap_some, rotate_key, wrapping
from bailiwick.monitoring.keeping.rules import Keeping, keeping_of, set_keeping

__all__ = [
    "Keeping",
    "archive_next",
    "drop_next",
    "drop_summaries",
    "erase_texts",
    "give_up_lost",
    "has_plain_texts",
    "keeping_of",
    "purge_next",
    "rewrap_some",
    "rotate_key",
    "seal_plain_texts",
    "set_keeping",
    "tally_next",
    "wrapping",
]
