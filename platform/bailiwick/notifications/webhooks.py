"""Signed webhooks, as Standard Webhooks asks for them (https://www.standardwebhooks.com).

A POST of JSON with `webhook-id`, `webhook-timestamp` (Unix seconds) and `webhook-signature`
(`v1,` and the base64 HMAC-SHA256 of `id.timestamp.body`). The receiver checks the signature and
that the time is near, and drops an id that it has seen: a message can arrive twice.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime
from ipaddress import ip_address
from urllib.parse import urlsplit

import httpx

from bailiwick.core.errors import Invalid
from bailiwick.notifications.messages import NotDelivered
from bailiwick.notifications.quiet import hush

PREFIX = "whsec_"
MIN_SECRET_BYTES, MAX_SECRET_BYTES = 24, 64
TIMEOUT_SECONDS = 10.0


def checked_address(address: str) -> str:
    """What may be shown of a webhook's address; `Invalid` if nothing may be sent there."""
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname or "", parts.port
    except ValueError as error:
        raise Invalid("the webhook's address cannot be read; write https://HOST/PATH") from error
    safe = parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(host))
    if not host or not safe or parts.username or parts.password:
        raise Invalid(
            "a webhook's address reads https://HOST/PATH, without a name or password in it; http "
            "is for this machine only"
        )
    return f"{parts.scheme}://{host}"


def checked_secret(secret: str) -> bytes:
    """The key in `whsec_BASE64`; `Invalid` if it is none."""
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith(PREFIX) or not MIN_SECRET_BYTES <= len(key) <= MAX_SECRET_BYTES:
        raise Invalid(
            f"a webhook's secret reads {PREFIX} and the base64 of {MIN_SECRET_BYTES} to "
            f"{MAX_SECRET_BYTES} random bytes"
        )
    return key


def signed_headers(secret: str, message_id: str, body: bytes, *, at: datetime) -> dict[str, str]:
    """The three headers of Standard Webhooks.

    >>> from datetime import UTC
    >>> at = datetime.fromtimestamp(1614265330, UTC)
    >>> secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    >>> body = b'{"test": 2432232314}'
    >>> headers = signed_headers(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", body, at=at)
    >>> headers["webhook-signature"]
    'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE='
    """
    timestamp = str(int(at.timestamp()))
    signed = b".".join([message_id.encode(), timestamp.encode(), body])
    digest = hmac.new(checked_secret(secret), signed, hashlib.sha256).digest()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }


def post(address: str, secret: str, message_id: str, body: bytes, *, at: datetime) -> None:
    """Send it once; `NotDelivered` unless the answer is 2xx. Redirects are not followed.

    The answer's body is not read: nothing in it could change what we do.
    """
    hush()
    headers: Mapping[str, str] = {
        "content-type": "application/json",
        **signed_headers(secret, message_id, body, at=at),
    }
    try:
        with httpx.stream(
            "POST", address, content=body, headers=headers, timeout=TIMEOUT_SECONDS
        ) as answer:
            status, accepted = answer.status_code, answer.is_success
    except httpx.TimeoutException as error:
        raise NotDelivered("the receiver did not answer in time") from error
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        raise NotDelivered("the receiver could not be reached") from error
    if not accepted:
        raise NotDelivered(f"the receiver answered {status}")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
