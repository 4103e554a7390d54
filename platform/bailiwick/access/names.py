"""Names as they may be written: one slug for people, places and things."""

import re

from bailiwick.core.errors import Invalid

NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,98}[a-z0-9])?")


def checked_name(name: str, what: str = "name") -> str:
    """`name` if it is a usable slug, else `Invalid`."""
    if not NAME.fullmatch(name):
        raise Invalid(
            f"the {what} must be 1 to 100 lower-case letters, digits, '.', '_' or '-', "
            "beginning and ending with a letter or digit"
        )
    return name
