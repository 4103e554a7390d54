"""Records as clients send them."""

from datetime import timedelta
from typing import Any

from support.api_traffic import START

EXACTLY = START + timedelta(microseconds=123_457)


def record(number: int = 1, **changes: Any) -> dict[str, Any]:
    fine = {
        "record_id": f"r{number:05}",
        "at": START.isoformat(),
        "prediction": "Fuel",
        "confidence": 0.5,
    }
    return {name: value for name, value in (fine | changes).items() if value is not None}


FULL = record(
    at=EXACTLY.isoformat(),
    characters=31,
    words=5,
    unseen_words_ratio=0.25,
    latency_ms=12.5,
    tokens=7,
    mean_log_probability=-0.25,
    segments={"region": "north"},
    features={"amount": 12.5, "supplier": "Zanzibar Garage"},
    subject="Ada Lovelace",
    join_key="INV-4711",
    tokens_per_word=1.5,
    non_letter_ratio=0.125,
    language="da",
    text_key="5f2a",
    form_key="77c0",
    entropy=0.75,
    refusal=False,
    repetition_ratio=0.5,
)
