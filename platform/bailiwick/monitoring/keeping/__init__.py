"""How long records and their texts are kept, and how they go."""

from bailiwick.monitoring.keeping.backlog import has_plain_texts, seal_plain_texts
from bailiwick.monitoring.keeping.erasure import erase_texts
from bailiwick.monitoring.keeping.rotation import give_up_lost, rewrap_some, rotate_key, wrapping

__all__ = [
    "erase_texts",
    "give_up_lost",
    "has_plain_texts",
    "rewrap_some",
    "rotate_key",
    "seal_plain_texts",
    "wrapping",
]
