"""`bailiwick principal password`, `bailiwick principal sign-out`."""

from typing import Annotated, Any

import typer

from bailiwick.cli.api_client import command
from bailiwick.cli.output import said
from bailiwick.client import Bailiwick

app = typer.Typer()


@command(app, "password", show=said("The password is set; other sessions have ended."))
def password(
    client: Bailiwick,
    name: Annotated[str | None, typer.Argument(help="Whose; default: your own.")] = None,
) -> None:
    """Set a password for the console, which is asked for: 12 characters or more."""
    own = name is None or client.me()["name"] == name
    current = _ask("Current password (empty if there is none)", default="") if own else ""
    new = _ask("New password", confirmation_prompt=True)
    if own:
        client.change_password(new, current=current)
    else:
        client.principals.set_password(str(name), new)


@command(app, "sign-out", show=said("All their console sessions have ended."))
def sign_out(client: Bailiwick, name: Annotated[str, typer.Argument(metavar="NAME")]) -> None:
    """End a person's console sessions. To keep them out, disable them."""
    client.principals.sign_out(name)


def _ask(what: str, **how: Any) -> str:
    """What is typed, unseen; never an argument, which others on the machine could read."""
    return str(typer.prompt(what, hide_input=True, show_default=False, err=True, **how))
