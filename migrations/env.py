"""How Alembic runs: on the caller's connection (`bailiwick.db.migrate`), or for an author.

An author's command (`alembic revision --autogenerate`) has no connection yet and needs all
tables; a user's upgrade needs neither.
"""

import importlib
from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlalchemy import Connection

from bailiwick.core.resources import bundled
from bailiwick.core.settings import read_settings
from bailiwick.db import Base, make_engine
from bailiwick.db.base import Json, UTCDateTime


def render_item(kind: str, item: Any, _: AutogenContext) -> str | Literal[False]:
    """Spell our column types so that a migration does not depend on today's code."""
    if kind == "type" and isinstance(item, UTCDateTime):
        return "MOMENT"
    if kind == "type" and item is Json:
        return "JSON"
    return False


def migrate(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_as_batch=True,  # SQLite alters a table by rebuilding it
        render_item=render_item,
    )
    with context.begin_transaction():
        context.run_migrations()


def author() -> None:
    for tables in sorted(bundled("platform").glob("bailiwick/*/tables.py")):
        importlib.import_module(f"bailiwick.{tables.parent.name}.tables")
    engine = make_engine(read_settings().resolved_database_url)
    with engine.begin() as connection:
        migrate(connection)
    engine.dispose()


given = context.config.attributes.get("connection")
if given is None:
    author()
else:
    migrate(given)
