"""`bailiwick texts`: the key that wraps the keys of kept texts."""

from contextlib import closing
from typing import Annotated

import typer

from bailiwick.cli.administrators import administrator
from bailiwick.cli.output import print_json
from bailiwick.core.clock import SystemClock
from bailiwick.core.settings import read_settings
from bailiwick.lifecycle import open_platform
from bailiwick.monitoring.keeping import give_up_lost, rewrap_some, rotate_key, wrapping

app = typer.Typer(no_args_is_help=True, help="The key under which kept texts are encrypted.")


@app.callback()
def group() -> None:
    """The key under which kept texts are encrypted."""


@app.command("rotate-key")
def rotate_key_command(
    by: Annotated[str, typer.Option(help="The administrator who answers for it.")],
    *,
    give_up: Annotated[
        bool,
        typer.Option("--give-up-lost", help="Go on without texts whose key is lost for good."),
    ] = False,
) -> None:
    """Wrap the keys of all texts under a fresh key; the texts themselves are not touched.

    If it breaks off, run it again. The key before stays in the file until the next rotation.
    Other machines need the new file.
    """
    with closing(open_platform(read_settings(), SystemClock())) as platform:
        vault, database, at = platform.texts, platform.database, platform.clock.now()
        vault.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with vault.rotating():
            with database.transaction() as session:
                admin_id = administrator(session, by)
                lost = give_up_lost(session, vault, actor_id=admin_id, at=at) if give_up else 0
                name = rotate_key(session, vault, actor_id=admin_id, at=at)
            done = 0
            while True:
                with database.transaction() as session:
                    some = rewrap_some(session, vault)
                if not some:
                    break
                done += some
    typer.echo(f"{done:,} keys of texts are wrapped under {name} now.")
    if lost:
        typer.echo(f"{lost:,} keys were lost, and their texts with them.")


@app.command("key")
def key_command(
    *, as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False
) -> None:
    """Which keys the file has, and what depends on each."""
    with closing(open_platform(read_settings(), SystemClock())) as platform:
        vault = platform.texts
        names = [kek.name for kek in vault.ring().keks] if vault.path.exists() else []
        with platform.database.reading() as session:
            used = wrapping(session)
    told = [
        {"key": name, "in_file": name in names, "data_keys": used.get(name, 0)}
        for name in dict.fromkeys([*names, *used])
    ]
    if as_json:
        print_json(told)
        return
    if not told:
        typer.echo("No text has been kept yet; the key is made with the first.")
    for one in told:
        place = "in the file" if one["in_file"] else "LOST: restore the key file"
        typer.echo(f"{one['key']}  {one['data_keys']:>9,} data keys  {place}")
