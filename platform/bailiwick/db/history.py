"""Tables whose rows are facts: the database itself refuses to change or remove them.

For migrations, which call `protect` when they create such a table. The words "is immutable" are
what `db.session` recognises as `ImmutableRow`.
"""

from collections.abc import Collection, Iterable

from alembic import op
from sqlalchemy import inspect

FUNCTION = "refuse_change"


def install() -> None:
    """Create what the triggers call (PostgreSQL only)."""
    if _on_postgresql():
        op.execute(
            f"CREATE FUNCTION {FUNCTION}() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION '% is immutable', TG_TABLE_NAME; END $$"
        )


def uninstall() -> None:
    """Take it away again, once no table is protected."""
    if _on_postgresql():
        op.execute(f"DROP FUNCTION {FUNCTION}()")


def protect(
    tables: Iterable[str], *, pointers: Collection[str] = (), removable: bool = False
) -> None:
    """From now on these tables only take new rows. Dropping a table drops its protection.

    `pointers` are columns that may move all the same; every other column may not. Rows that are
    `removable` need a trigger of their own that says when.
    """
    for table in tables:
        change = f"UPDATE OF {', '.join(_columns(table, pointers))}" if pointers else "UPDATE"
        if _on_postgresql():
            call = f"EXECUTE FUNCTION {FUNCTION}()"
            also = "" if removable else " OR DELETE"
            _trigger(table, "change", f"BEFORE {change}{also} ON {table} FOR EACH ROW {call}")
            _trigger(table, "truncate", f"BEFORE TRUNCATE ON {table} FOR EACH STATEMENT {call}")
        else:
            refusal = f"BEGIN SELECT RAISE(ABORT, '{table} is immutable'); END"
            _trigger(table, "update", f"BEFORE {change} ON {table} {refusal}")
            if not removable:
                _trigger(table, "delete", f"BEFORE DELETE ON {table} {refusal}")


def guard(table: str, name: str, change: str, *, unless: str) -> None:
    """Refuse a change (`DELETE`, `UPDATE OF a, b`) of a row, except under a condition.

    The condition speaks of OLD and NEW and is never NULL. Dropping the table drops the guard.
    """
    refused = f"WHEN (NOT ({unless}))"
    if _on_postgresql():
        action = f"FOR EACH ROW {refused} EXECUTE FUNCTION {FUNCTION}()"
    else:
        action = f"{refused} BEGIN SELECT RAISE(ABORT, '{table} is immutable'); END"
    _trigger(table, name, f"BEFORE {change} ON {table} {action}")


def unguard(table: str, name: str) -> None:
    """Take a guard away again."""
    place = f" ON {table}" if _on_postgresql() else ""
    op.execute(f"DROP TRIGGER {table}_refuses_{name}{place}")


def release(tables: Iterable[str], *, removable: bool = False) -> None:
    """Take the protection away, for a migration that changes such a table."""
    on_sqlite = ("update",) if removable else ("update", "delete")
    changes = ("change", "truncate") if _on_postgresql() else on_sqlite
    for table in tables:
        place = f" ON {table}" if _on_postgresql() else ""
        for change in changes:
            op.execute(f"DROP TRIGGER {table}_refuses_{change}{place}")


def _columns(table: str, pointers: Collection[str]) -> list[str]:
    names = (column["name"] for column in inspect(op.get_bind()).get_columns(table))
    return [f'"{name}"' for name in names if name not in pointers]


def _trigger(table: str, change: str, definition: str) -> None:
    op.execute(f"CREATE TRIGGER {table}_refuses_{change} {definition}")


def _on_postgresql() -> bool:
    return op.get_context().dialect.name == "postgresql"
