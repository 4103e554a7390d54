"""How the other processes ask the model server; no torch here."""

from collections.abc import Sequence
from dataclasses import fields
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self

import httpx
from pydantic_core import from_json, to_json

from bailiwick.core.errors import BailiwickError, Invalid, NotFound, TooLarge, Unavailable
from bailiwick.monitoring.descriptors import Descriptors
from bailiwick.serving.classification import Classification, Seen

_SEEN = tuple(field.name for field in fields(Seen))
_KINDS: dict[int, type[BailiwickError]] = {
    HTTPStatus.NOT_FOUND: NotFound,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: TooLarge,
    HTTPStatus.UNPROCESSABLE_ENTITY: Invalid,
    HTTPStatus.SERVICE_UNAVAILABLE: Unavailable,
}


class Gateway:
    """A pooled, keep-alive connection to one model server. Thread-safe.

    The time limit is generous because a version's first request waits for its files to load.
    """

    def __init__(self, url: str, secret: str, *, timeout_seconds: float = 60.0) -> None:
        self._url = url
        self._client = httpx.Client(
            base_url=url,
            headers={"authorization": f"Bearer {secret}", "content-type": "application/json"},
            timeout=httpx.Timeout(timeout_seconds, connect=2.0),
            # Between platform processes: a proxy of the environment has no part in it.
            trust_env=False,
        )

    def classify(
        self, version_id: str, texts: Sequence[str], *, timeout_seconds: float | None = None
    ) -> list[Classification]:
        """One answer a text, in order; an empty request asks nobody.

        `timeout_seconds`: wait no longer than that, where somebody else can answer instead.

        Raises `Unavailable` when the server is not reachable, busy or broken, `NotFound` for an
        unknown version, `Invalid` for an unusable artifact or request, `TooLarge` over a limit.
        """
        if not texts:
            return []
        body = to_json({"version_id": version_id, "texts": list(texts)})
        response = self._post(body, timeout_seconds=timeout_seconds)
        if response.status_code != HTTPStatus.OK:
            raise self._error(response)
        return [_classification(answer) for answer in from_json(response.content)["predictions"]]

    def keep(self, version_ids: Sequence[str]) -> None:
        """Have exactly these versions loaded and kept in memory, until told otherwise.

        Returns at once; they load meanwhile. Raises what `classify` raises.
        """
        response = self._post(to_json({"version_ids": list(version_ids)}), "/keep")
        if response.status_code != HTTPStatus.OK:
            raise self._error(response)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _post(
        self, body: bytes, path: str = "/classify", *, timeout_seconds: float | None = None
    ) -> httpx.Response:
        limit = httpx.USE_CLIENT_DEFAULT if timeout_seconds is None else timeout_seconds
        try:
            try:
                return self._client.post(path, content=body, timeout=limit)
            except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
                # A kept connection that the server had closed; asking twice changes nothing.
                return self._client.post(path, content=body, timeout=limit)
        except httpx.TimeoutException as error:
            raise Unavailable(
                f"The model server at {self._url} did not answer in time. "
                "Try again; if it stays so, look at its log and its load."
            ) from error
        except httpx.HTTPError as error:
            raise Unavailable(
                f"The model server at {self._url} is not reachable. "
                "Start it with `bailiwick serve` or check the address."
            ) from error

    def _error(self, response: httpx.Response) -> BailiwickError:
        kind = _KINDS.get(response.status_code)
        if kind is None:
            return Unavailable(
                f"The model server at {self._url} answered {response.status_code}. "
                "Check that both sides hold the same secret, and look at its log."
            )
        try:
            return kind(str(from_json(response.content)["detail"]))
        except (ValueError, KeyError, TypeError):
            return Unavailable(
                f"What answers at {self._url} is not a model server. Check the address."
            )


def _classification(answer: dict[str, Any]) -> Classification:
    packed = answer["embedding"]
    embedding = None if packed is None else bytes.fromhex(packed)
    return Classification(
        label=answer["label"],
        confidence=answer["confidence"],
        descriptors=Descriptors(
            characters=answer["characters"],
            words=answer["words"],
            unseen_words_ratio=answer["unseen_words_ratio"],
        ),
        seen=Seen(**{name: answer[name] for name in _SEEN} | {"embedding": embedding}),
    )
