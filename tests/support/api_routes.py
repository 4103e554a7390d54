"""Every route of the API as its OpenAPI document lists it, and requests that reach it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

METHODS = ("get", "post", "put", "patch", "delete")
OPEN = {"/healthz", "/readyz", "/.well-known/oauth-protected-resource"}


@dataclass(frozen=True)
class Operation:
    """One method on one path."""

    method: str
    path: str
    document: dict[str, Any]

    @property
    def action(self) -> str | None:
        """The policy action that it declares."""
        found: str | None = self.document.get("x-bailiwick-action")
        return found

    def url(self, places: dict[str, str]) -> str:
        """The path with its parameters filled in, queries included where they are required."""
        url = self.path
        for name, value in places.items():
            url = url.replace("{" + name + "}", value)
        required = [p for p in self.document.get("parameters", []) if p.get("required")]
        query = [f"{p['name']}={places[p['name']]}" for p in required if p["in"] == "query"]
        return "/" + url + ("?" + "&".join(query) if query else "")


def operations(document: dict[str, Any]) -> Iterator[Operation]:
    """Every operation of an OpenAPI document."""
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                yield Operation(method.upper(), path, item[method])


def served(app: FastAPI) -> set[tuple[str, str]]:
    """What the application really answers: (method, path), documentation left out."""
    found = set()
    for context in iter_route_contexts(app.routes):
        path, methods = getattr(context, "path", None), getattr(context, "methods", None)
        if path and methods:
            found |= {(method, path) for method in methods if method != "HEAD"}
    return found
