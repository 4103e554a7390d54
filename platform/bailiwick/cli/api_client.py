"""How commands reach the API, and how its refusals are told: one sentence and an exit code."""

import contextlib
import inspect
import os
from collections.abc import Callable, Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any, Concatenate, ParamSpec, TypeVar, get_type_hints

import typer
from rich.console import RenderableType

from bailiwick.cli.output import print_json, print_text
from bailiwick.cli.sign_ins import current_token
from bailiwick.client import Bailiwick, BailiwickAPIError, ClientError, MisusedClient, NotReachable
from bailiwick.client.platform import DEFAULT_URL
from bailiwick.core.errors import (
    BailiwickError,
    Conflict,
    Denied,
    Invalid,
    NotFound,
    PreconditionFailed,
    TooLarge,
    TooManyAttempts,
    Unauthenticated,
    Unavailable,
)

Url = Annotated[str | None, typer.Option(help="Address of the API [BAILIWICK_URL].")]
TokenFile = Annotated[
    Path | None, typer.Option(help="File that holds the token; default: BAILIWICK_TOKEN.")
]
Json = Annotated[bool, typer.Option("--json", help="Print the API's JSON.")]
Limit = Annotated[int, typer.Option(min=1, max=500, help="Items on a page.")]
Cursor = Annotated[str | None, typer.Option(help="Where the page before said to go on.")]

KINDS: dict[int, type[BailiwickError]] = {
    HTTPStatus.UNAUTHORIZED: Unauthenticated,
    HTTPStatus.FORBIDDEN: Denied,
    HTTPStatus.NOT_FOUND: NotFound,
    HTTPStatus.CONFLICT: Conflict,
    HTTPStatus.PRECONDITION_FAILED: PreconditionFailed,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: TooLarge,
    HTTPStatus.UNPROCESSABLE_ENTITY: Invalid,
    HTTPStatus.TOO_MANY_REQUESTS: TooManyAttempts,
    HTTPStatus.SERVICE_UNAVAILABLE: Unavailable,
}

_Given = ParamSpec("_Given")
_Answer = TypeVar("_Answer")
_Act = Callable[Concatenate[Bailiwick, _Given], _Answer]


@contextlib.contextmanager
def connected(
    url: str | None = None, token_file: Path | None = None, *, anonymously: bool = False
) -> Iterator[Bailiwick]:
    """A client for the block; what it raises becomes one of our errors.

    Its token is the file's, else that of BAILIWICK_TOKEN, else that of `bailiwick login`.
    """
    address = url or os.environ.get("BAILIWICK_URL") or DEFAULT_URL
    token = _token_in(token_file) or os.environ.get("BAILIWICK_TOKEN")
    if not token and not anonymously:
        token = current_token(address)
    try:
        with Bailiwick(address, token) as client:
            yield client
    except ClientError as error:
        raise translated(error) from error


def translated(error: ClientError) -> BailiwickError:
    """The client's error as the kind of ours that it is, with what to do."""
    match error:
        case MisusedClient():
            return Invalid(str(error))
        case NotReachable():
            return Unavailable(
                f"{error.detail}: start it with `bailiwick up`, or set BAILIWICK_URL to where it is"
            )
        case BailiwickAPIError(status=HTTPStatus.UNAUTHORIZED):
            return Unauthenticated(
                f"not signed in: {_one_line(error.detail)}; set BAILIWICK_TOKEN to a token that is "
                "in force, name a file that holds one with --token-file, or run `bailiwick login`"
            )
        case BailiwickAPIError():
            kind = KINDS.get(error.status or 0, BailiwickError)
            return kind(_one_line(error.detail) + _who_decided(error))
        case _:
            return BailiwickError(_one_line(str(error)))


def command(
    app: typer.Typer, name: str, *, show: Callable[[Bailiwick, _Answer], RenderableType]
) -> Callable[[_Act[_Given, _Answer]], _Act[_Given, _Answer]]:
    """Make a command of a function that gets a client and returns the API's answer.

    The command has the function's own options and `--json`, `--url` and `--token-file`; `show`
    makes the text for people.
    """

    def register(act: _Act[_Given, _Answer]) -> _Act[_Given, _Answer]:
        def run(
            *, as_json: Json = False, url: Url = None, token_file: TokenFile = None, **given: Any
        ) -> None:
            with connected(url, token_file) as client:
                answer = act(client, **given)  # type: ignore[call-arg]  # its own options, by name
                if as_json:
                    print_json(answer)
                else:
                    print_text(show(client, answer))

        _take_options_of(act, run)
        app.command(name)(run)
        return act

    return register


def _token_in(file: Path | None) -> str | None:
    if file is None:
        return None
    try:
        token = file.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise Invalid(f"the token file {file} cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise Invalid(f"the token file {file} holds no text") from error
    if not token:
        raise Invalid(f"the token file {file} is empty")
    return token


def _who_decided(error: BailiwickAPIError) -> str:
    if error.decision is None:
        return ""
    policies = ", ".join(error.policies) or "no policy allows it"
    return f" ({policies}; see `bailiwick policy explain {error.decision}`)"


def _one_line(text: str) -> str:
    """The server's words without control characters, which could repaint a terminal."""
    return "".join(char if char.isprintable() else " " for char in text)


def _take_options_of(act: Callable[..., Any], run: Callable[..., Any]) -> None:
    """Give `run` the name, text and parameters of `act` (but its client), beside its own."""
    hints = get_type_hints(act, include_extras=True) | get_type_hints(run, include_extras=True)
    theirs = list(inspect.signature(act).parameters.values())[1:]
    common = [
        parameter
        for parameter in inspect.signature(run).parameters.values()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    ]
    parameters = [
        parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=hints[parameter.name])
        for parameter in (*theirs, *common)
    ]
    run.__name__, run.__doc__ = act.__name__, act.__doc__
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # functions take it
    run.__annotations__ = {parameter.name: hints[parameter.name] for parameter in parameters}
