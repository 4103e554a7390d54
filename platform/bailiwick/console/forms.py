"""Forms that say in their place what is wrong with them, and keep what was typed.

Their fields arrive as they were typed and are read here, so that every mistake is one sentence
above the form, and never a page that tells people to go back.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, time
from types import TracebackType
from typing import Self

from bailiwick.core.errors import BailiwickError, Invalid
from bailiwick.policy import DeniedByPolicy, Unseen
from bailiwick.web import Caller
from bailiwick.web.problem import status_of

MINUTE = "%Y-%m-%dT%H:%M"  # how browsers write and read a day and a time
MAX_TEXT = 2_000


class Attempt:
    """What a form asks for: done wholly, or not at all and `problem` says why.

    Answers with the page of the form come after it; what succeeds returns from within::

        with Attempt(caller) as attempt:
            ...
            return RedirectResponse(...)
        return _form(..., problem=attempt.problem, status=attempt.status)

    What the policy denies or hides passes through: it is recorded, and has a page of its own.
    """

    def __init__(self, caller: Caller) -> None:
        self.problem: str | None = None
        self.status = 200
        self._unit = caller.session.begin_nested()

    def __enter__(self) -> Self:
        self._unit.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        self._unit.__exit__(kind, error, trace)
        if isinstance(error, BailiwickError) and not isinstance(error, DeniedByPolicy | Unseen):
            self.problem, self.status = error.message, status_of(error)
        return self.problem is not None


def text_of(what: str, typed: str, *, longest: int = MAX_TEXT) -> str:
    """What was typed, its lines ended as people end them; `Invalid` if it is too long to keep."""
    text = typed.replace("\r\n", "\n").strip()
    if len(text) > longest:
        raise Invalid(f"the {what} has {len(text):,} characters; shorten it to {longest:,}")
    return text


def words_of(typed: str) -> tuple[str, ...]:
    """Names with spaces or commas between them, each once."""
    return tuple(dict.fromkeys(typed.replace(",", " ").split()))


def moment_of(what: str, typed: str) -> datetime:
    """A moment in UTC as browsers write it."""
    try:
        return datetime.strptime(typed, MINUTE).replace(tzinfo=UTC)
    except ValueError as error:
        raise Invalid(f"{what} is a day and a time in UTC, like 2026-01-31T18:00") from error


def clock_of(what: str, typed: str) -> time:
    """A time of the day as browsers write it."""
    try:
        return datetime.strptime(typed, "%H:%M").time()  # noqa: DTZ007 - of a wall clock
    except ValueError as error:
        raise Invalid(f"{what} is a time like 22:00") from error


def whole_of(what: str, typed: str) -> int:
    """A whole number."""
    if not (typed.isascii() and typed.isdigit() and len(typed) <= 9):  # noqa: PLR2004
        raise Invalid(f"{what} is a whole number, like 15")
    return int(typed)


def one_of(what: str, typed: str, known: Iterable[str]) -> str:
    """One of the words that were offered."""
    if typed not in (words := tuple(known)):
        raise Invalid(f"choose the {what}: {' or '.join(words)}")
    return typed
