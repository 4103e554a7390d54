"""One web application of API and console, and how it is run on an address."""

import contextlib
import errno
import socket
import threading
import time
from collections.abc import Iterator

import uvicorn
from fastapi import FastAPI

from bailiwick.api import create_api
from bailiwick.console import STATIC_PATH, make_router, static_app
from bailiwick.core.errors import Unavailable
from bailiwick.lifecycle import Platform
from bailiwick.serving import Gateway

START_SECONDS = 20


def create_application(platform: Platform, gateway: Gateway) -> FastAPI:
    """API under `/api/v1`, console under `/console`."""
    app = create_api(platform, gateway)
    app.mount(STATIC_PATH, static_app())
    app.include_router(make_router())
    return app


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; a port that is taken is `Unavailable` with what to do.

    The socket is made here with `IPPROTO_TCP`, so that answers on kept connections are sent at
    once (asyncio sets TCP_NODELAY only on sockets that say what they are).
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise Unavailable(
                f"port {port} is in use by another program (another `bailiwick up`?); "
                "stop it, or choose another port with --port or BAILIWICK_PORT"
            ) from error
        raise Unavailable(
            f"{host}:{port} cannot be listened on ({error.strerror}); "
            "choose another with --host and --port"
        ) from error
    listener.listen(2048)
    return listener


def server_of(app: object, *, trusted_proxies: str | None = None) -> uvicorn.Server:
    """A uvicorn server for the application, without its own logging.

    Without trusted proxies nobody says by a header who they are: attempts are counted by address.
    """
    return uvicorn.Server(
        uvicorn.Config(
            app,  # type: ignore[arg-type]  # any ASGI application
            proxy_headers=trusted_proxies is not None,
            forwarded_allow_ips=trusted_proxies,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=10,
        )
    )


@contextlib.contextmanager
def serving_in_background(app: object, listener: socket.socket) -> Iterator[None]:
    """Serve in a thread while the block runs."""
    server = server_of(app)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    deadline = time.monotonic() + START_SECONDS
    while not server.started:
        if not thread.is_alive() or time.monotonic() > deadline:
            raise Unavailable("the server did not start; its log says why")
        time.sleep(0.01)
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(START_SECONDS)
