"""Libraries that log what they send: an address can be a secret, so they are told to be quiet."""

import logging

_TALKATIVE = ("apprise", "httpcore", "httpx", "requests", "urllib3")


def hush() -> None:
    """From now on they log nothing; doing it again changes nothing."""
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
