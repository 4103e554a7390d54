"""The HTTP API: one file per capability, its schemas beside its routes."""

from bailiwick.api.app import create_api

__all__ = ["create_api"]
