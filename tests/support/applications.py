"""Applications of many installations over the same routes.

FastAPI prepares a route when it is first asked, and the OpenAPI document when it is first read:
tenths of a second that every test would spend anew. The first application is therefore kept, and
each installation gets a twin of it, which shares the prepared routes and nothing else.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy
from functools import cache
from typing import Any

from anyio.from_thread import BlockingPortal, start_blocking_portal
from fastapi import FastAPI
from fastapi.testclient import TestClient
from starlette.datastructures import State

from bailiwick.api import attach, create_api
from bailiwick.cli.application import create_application
from bailiwick.lifecycle import Platform
from bailiwick.serving import Gateway

Create = Callable[[Platform, Gateway], FastAPI]
_portals: list[BlockingPortal] = []


@contextmanager
def one_event_loop() -> Iterator[None]:
    """Until the block ends, clients of `client_of` are answered in one loop and its threads."""
    with start_blocking_portal() as portal:
        _portals.append(portal)
        yield
        _portals.remove(portal)


def client_of(app: FastAPI, **options: Any) -> TestClient:
    """A client that starts no loop of its own for each request."""
    client = TestClient(app, **options)
    client.portal = _portals[-1]
    return client


def api_of(platform: Platform, gateway: Any) -> FastAPI:
    """What `create_api` makes; `gateway` may be something that stands for one."""
    return _twin(create_api, platform, gateway)


def application_of(platform: Platform, gateway: Any) -> FastAPI:
    """What `create_application` makes: the API with its console."""
    return _twin(create_application, platform, gateway)


def _twin(create: Create, platform: Platform, gateway: Gateway) -> FastAPI:
    """Routes that a test adds to it are its own."""
    prototype = _prototype(create)
    twin = copy(prototype)
    twin.state = State()
    twin.middleware_stack = None  # or it would lead to the prototype's router
    twin.router = copy(prototype.router)
    twin.router.routes = list(prototype.router.routes)
    twin.router.middleware_stack = twin.router.app
    twin.exception_handlers = dict(prototype.exception_handlers)
    twin.user_middleware = list(prototype.user_middleware)
    attach(twin, platform, gateway)
    return twin


@cache
def _prototype(create: Create) -> FastAPI:
    """An application of no installation, which is never asked itself."""
    nothing: Any = None
    return create(nothing, nothing)
