"""`bailiwick db`: the database's tables."""

from contextlib import closing
from typing import Annotated

import typer

from bailiwick.audit import accept_restore
from bailiwick.cli.administrators import administrator
from bailiwick.core.clock import SystemClock
from bailiwick.core.settings import read_settings
from bailiwick.db import make_engine
from bailiwick.db.migrate import current, downgrade, head, upgrade
from bailiwick.lifecycle import open_platform

app = typer.Typer(no_args_is_help=True, help="Create and upgrade the database.")


@app.command("upgrade")
def upgrade_command() -> None:
    """Bring the tables to this version; running it again changes nothing."""
    settings = read_settings()
    if settings.database_url is None:
        settings.home.mkdir(parents=True, exist_ok=True)
    upgrade(make_engine(settings.resolved_database_url))
    typer.echo("The database has the tables of this version.")


@app.command("current")
def current_command() -> None:
    """The revision that the database has, and the one that this version wants."""
    found = current(make_engine(read_settings().resolved_database_url))
    typer.echo(f"database: {found or 'no tables'}\nthis version: {head()}")


@app.command("downgrade")
def downgrade_command(
    revision: str = typer.Argument(help="A revision, or `base` for no tables at all."),
    *,
    yes: bool = typer.Option(default=False, help="Do not ask."),
) -> None:
    """Go back to an earlier revision. What only the later one can hold is lost."""
    if not yes:
        typer.confirm("Data that only the later version can hold is lost. Go on?", abort=True)
    downgrade(make_engine(read_settings().resolved_database_url), revision)
    typer.echo(f"The database is at {revision}.")


@app.command("accept-restore")
def accept_restore_command(
    by: Annotated[str, typer.Option(help="The administrator who answers for it.")],
    reason: Annotated[str, typer.Option(help="Why; it is kept in the audit log.")],
) -> None:
    """Go on with a database that was restored from an older backup.

    What happened since that backup is undone: look through it before anybody signs in. Whoever
    can run this holds the audit key already, so the administrator is named, not asked.
    """
    with closing(open_platform(read_settings(), SystemClock())) as platform:
        keepsake = platform.keepsake()
        with platform.database.transaction() as session:
            admin_id = administrator(session, by)
            at, signer = platform.clock.now(), platform.signer()
            note = accept_restore(
                session, keepsake, signer, reason=reason, actor_id=admin_id, at=at
            )
        keepsake.set_aside()
        keepsake.keep(note)
    typer.echo("Accepted, and noted in the audit log. The old checkpoint lies beside the new one.")
