"""Which requests a canary answers: a pure function of the rollout and the request's key.

A key's point on [0, 1) is the SHA-256 of the rollout's id and the key; the canary answers what
lies below its share. No process keeps anything, so all of them agree, also after a restart; a key
that was in a canary stays in it when the share grows; another rollout draws anew.
"""

import hashlib
from uuid import UUID

_POINTS = 2.0**53  # as many as a double tells apart evenly


def point_of(rollout_id: UUID, key: str) -> float:
    """Where the key lies on [0, 1): uniform over keys, and the same everywhere.

    >>> rollout = UUID("0192f1c4-0000-7000-8000-000000000001")
    >>> [round(point_of(rollout, key), 3) for key in ("ada", "grace")]
    [0.226, 0.187]
    """
    digest = hashlib.sha256(rollout_id.bytes + key.encode()).digest()
    return (int.from_bytes(digest[:8], "big") >> 11) / _POINTS


def is_in_canary(rollout_id: UUID, key: str, share: float) -> bool:
    """Whether the canary of that share (0 to 1) answers requests with this key."""
    return point_of(rollout_id, key) < share
