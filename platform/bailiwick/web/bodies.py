"""How much a client may send: checked by what it announces, and again by what arrives."""

from fastapi import Request
from starlette.types import Message

from bailiwick.core.errors import TooLarge
from bailiwick.core.settings import Settings


class BoundedBody:
    """An ASGI `receive` that stops a request's body at its limit, announced or not."""

    def __init__(self, request: Request, settings: Settings, *, streams: bool = False) -> None:
        # What is read piece by piece may be long; all else is held in memory.
        uploads = streams or request.headers.get("content-type", "").startswith("multipart/")
        self.limit_bytes = settings.max_upload_bytes if uploads else settings.max_body_bytes
        self.exceeded = False
        self._receive = request.receive
        self._left_bytes = self.limit_bytes
        stated = request.headers.get("content-length", "0")
        if not stated.isdigit() or int(stated) > self.limit_bytes:
            raise self.error()

    async def __call__(self) -> Message:
        """The next message of the body; `TooLarge` once there are more bytes than allowed."""
        message = await self._receive()
        self._left_bytes -= len(message.get("body", b""))
        if self._left_bytes < 0:
            self.exceeded = True
            raise self.error()
        return message

    def error(self) -> TooLarge:
        """What the client is told."""
        return TooLarge(
            f"this request may have {self.limit_bytes:,} bytes; send it in several parts"
        )
