"""The HTTP API: one file per capability, its schemas beside its routes."""

from bailiwick.api.app import attach, create_api

__all__ = ["attach", "create_api"]
