"""The few kinds of error that a use case raises.

Each carries a stable `code` for machines and one sentence for people that says what
happened and what to do. Subclasses live beside the code that raises them; `web.problem`
maps kinds to HTTP, `cli.main` maps them to exit codes.
"""

from typing import ClassVar


class BailiwickError(Exception):
    """Base of every error that a user is meant to read."""

    code: ClassVar[str] = "error"

    def __init__(self, message: str, **details: object) -> None:
        super().__init__(message)
        self.message = message
        self.details = details


class NotFound(BailiwickError):
    """There is no such thing, or the caller may not know that there is."""

    code = "not-found"


class Conflict(BailiwickError):
    """The request is fine but contradicts what stands now."""

    code = "conflict"


class LastingConflict(Conflict):
    """What stands contradicts until somebody changes it: repeating the request alone is vain."""


class PreconditionFailed(Conflict):
    """The thing changed since the caller read it (`If-Match`)."""

    code = "precondition-failed"


class Denied(BailiwickError):
    """The policy said no; `details` names the policies and the decision."""

    code = "denied"


class Unauthenticated(Denied):
    """Nobody, or nobody known, is asking."""

    code = "unauthenticated"


class TooManyAttempts(BailiwickError):
    """Proving who one is has failed too often; `retry_after_seconds` says when to try again."""

    code = "too-many-attempts"


class Invalid(BailiwickError):
    """The input cannot be used as it is."""

    code = "invalid"


class Unavailable(BailiwickError):
    """Something needed is not there now (disk, database, model server); nothing was changed."""

    code = "unavailable"


class DiskFull(Unavailable):
    """A disk that is written to is full; somebody has to make room."""


class TooLarge(BailiwickError):
    """The input is over a stated limit."""

    code = "too-large"
