"""Engines of one process that share what SQLAlchemy learned about statements.

Each test has a database and so an engine of its own, which would compile each statement anew and
work out again how its rows are read.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Dialect, Engine, create_engine

from bailiwick.db import engine as product

CACHED_STATEMENTS = 10_000


@contextmanager
def shared_statements() -> Iterator[None]:
    """Until the block ends, engines for the same driver share a dialect and its statements."""
    first: dict[str, Engine] = {}

    def create(url: Any, **options: Any) -> Engine:
        made = create_engine(url, query_cache_size=CACHED_STATEMENTS, **options)
        shared = first.setdefault(made.driver, made)
        if _knows_its_server(shared.dialect):
            made.dialect = shared.dialect
            made._compiled_cache = shared._compiled_cache
        return made

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(product, "create_engine", create)
        yield


def _knows_its_server(dialect: Dialect) -> bool:
    """Whether it was connected: only then does it know what the server can do."""
    return dialect.server_version_info is not None
