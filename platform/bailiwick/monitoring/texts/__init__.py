"""Texts at rest: each is encrypted under the data key of its subject or its day.

Data keys lie in the database, wrapped by a key that does not. To destroy a data key is to destroy
every copy of its texts. `open_texts` is the one place where a text is read again.
"""

from bailiwick.monitoring.texts.sealing import (
    RECORD,
    REJECTED,
    Clear,
    Sealed,
    open_texts,
    seal,
    sealed_columns,
)
from bailiwick.monitoring.texts.tables import DataKey, TextErasure
from bailiwick.monitoring.texts.vault import TextVault

__all__ = [
    "RECORD",
    "REJECTED",
    "Clear",
    "DataKey",
    "Sealed",
    "TextErasure",
    "TextVault",
    "open_texts",
    "seal",
    "sealed_columns",
]
