"""A server that says what a test tells it to say, to see how the client takes it."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

DROP = None  # the connection is closed without an answer


@dataclass
class Said:
    """One answer."""

    status: int
    body: Any = b""
    headers: dict[str, str] = field(default_factory=dict)
    cut_bytes: int = 0  # announced, but the connection is closed before them

    @property
    def content(self) -> bytes:
        """The body's bytes."""
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


def problem(status: int, code: str, detail: str, **headers: str) -> Said:
    """A problem, as the API says it."""
    body = {"type": "urn:x", "title": "x", "status": status, "code": code, "detail": detail}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Said(status, body, {"Content-Type": "application/problem+json"} | named)


@dataclass
class Scripted:
    """Its address, what it will say, and what it was asked."""

    url: str
    answers: list[Said | None]
    asked: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)


@contextmanager
def scripted(*answers: Said | None) -> Iterator[Scripted]:
    """Serve the answers in turn, the last one for ever."""
    script = Scripted("", list(answers))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            script.asked.append((self.command, self.path, dict(self.headers)))
            place = min(len(script.asked), len(script.answers)) - 1
            said = script.answers[place]
            if said is DROP:
                self.close_connection = True
                return
            self.send_response(said.status)
            for name, value in said.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(said.content) + said.cut_bytes))
            self.end_headers()
            self.wfile.write(said.content)
            self.close_connection = said.cut_bytes > 0

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
        setattr(Handler, f"do_{method}", Handler.answer)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    script.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield script
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
