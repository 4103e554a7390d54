"""Records with texts, and how they are read again."""

from datetime import datetime, timedelta
from typing import Any

from bailiwick.monitoring import Pseudonyms, TextErasure, TextVault, erase_texts, take
from bailiwick.monitoring.intake import Taken
from bailiwick.monitoring.intake.records import Batch, Record, columns_of
from support.api_traffic import START, Traffic

NAMES = Pseudonyms(b"k" * 32)
NOW = START + timedelta(days=1)
SECRET = "Ada paid 17.20 at Zanzibar Garage"


def record(number: int, **changes: Any) -> Record:
    """The request of hour `number`, with a text."""
    values: dict[str, Any] = {
        "record_id": f"r{number:05}",
        "at": START + timedelta(hours=number),
        "prediction": "Fuel",
        "text": f"{SECRET} ({number})",
    } | changes
    return Record(**values)


def keep(traffic: Traffic, vault: TextVault, *records: Record, at: datetime = NOW) -> Taken:
    """Take them into a deployment that keeps texts."""
    batch = Batch(columns_of(records), list(range(len(records))), lambda _: b"")
    return take(
        traffic.make.session,
        traffic.deployment.id,
        traffic.version.id,
        batch,
        keeps_text=True,
        pseudonyms=NAMES,
        vault=vault,
        at=at,
    )


def texts(traffic: Traffic, vault: TextVault) -> dict[str, str | None]:
    """What is read by record id."""
    return {row.record_id: row.text for row in traffic.window(vault=vault)}


def erase(traffic: Traffic, vault: TextVault, subject: str) -> TextErasure:
    """Destroy the texts about a subject."""
    return erase_texts(
        traffic.make.session,
        traffic.deployment.id,
        subject,
        reason="asked for",
        pseudonyms=NAMES,
        vault=vault,
        actor_id=traffic.make.engineer.id,
        at=NOW,
    )
