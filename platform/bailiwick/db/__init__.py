"""The database: declarative base, column types, engine, and the only place that commits."""

from bailiwick.db.base import Base
from bailiwick.db.engine import make_engine
from bailiwick.db.session import Database

__all__ = ["Base", "Database", "make_engine"]
