"""The Python client: stands alone, on httpx and the standard library.

A domain model from raw text, in five lines once the label says what the data are:

    from bailiwick.client import Bailiwick

    label = {"level": "confidential", "residency": ["eu"], "purposes": ["accounting"]}
    with Bailiwick() as platform:
        platform.datasets.create("finance/purchases", label=label)
        data = platform.datasets.register(
            "finance/purchases", "purchases.csv", text=["merchant"], label="category", date="date"
        )
        platform.models.create("finance/classifier", label=label)
        job = platform.wait(platform.train("finance/classifier", data, purpose="accounting"))
        print(job["result"])

`Bailiwick()` reads `BAILIWICK_URL` and `BAILIWICK_TOKEN`. Answers are the API's JSON as typed
dictionaries; what the API refuses is a `BailiwickAPIError` with its sentence.
"""

from bailiwick.client.errors import (
    BailiwickAPIError,
    ClientError,
    JobFailed,
    MisusedClient,
    NotReachable,
    TamperedFile,
    WaitTimedOut,
)
from bailiwick.client.platform import Bailiwick
from bailiwick.client.recorder import Recorder, Unsent
from bailiwick.client.spool import SpoolFull

__all__ = [
    "Bailiwick",
    "BailiwickAPIError",
    "ClientError",
    "JobFailed",
    "MisusedClient",
    "NotReachable",
    "Recorder",
    "SpoolFull",
    "TamperedFile",
    "Unsent",
    "WaitTimedOut",
]
