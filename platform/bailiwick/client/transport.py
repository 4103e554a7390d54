"""HTTP to the API: the token, patience, idempotency keys, pages, problems as errors."""

import hashlib
import random
import re
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import httpx

from bailiwick.client.errors import BailiwickAPIError, MisusedClient, NotReachable, TamperedFile

ATTEMPTS = 4
FIRST_PAUSE_SECONDS = 0.25
LONGEST_PAUSE_SECONDS = 30.0
PAGE_ITEMS = 200
LOOPBACK = ("127.0.0.1", "::1", "localhost")

_Answer = TypeVar("_Answer")


class Transport:
    """A pooled connection to one API. Thread-safe.

    What can pass (no connection, 503) is tried `ATTEMPTS` times, after the pause that the server
    asks for or a growing one. That is safe for writes, too: each carries an `Idempotency-Key` of
    its own, so the server carries it out once and repeats its answer; the routes that take no key
    (uploads, predictions) recognise what they have by its content.
    """

    def __init__(
        self,
        url: str,
        token: str | None,
        *,
        timeout_seconds: float,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.url = url.rstrip("/")
        self._sleep = sleep
        self._http = httpx.Client(
            base_url=_checked(self.url),
            headers=_authorization(token),
            timeout=httpx.Timeout(timeout_seconds, connect=5.0),
            # A proxy of the environment does not lead to this machine itself.
            trust_env=httpx.URL(self.url).host not in LOOPBACK,
        )

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def get(self, path: str, **query: Any) -> Any:
        """GET under `/api/v1`; the JSON answer. None in the query means left out."""
        return self._call("GET", path, params=_given(query))

    def write(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """A change under `/api/v1`, carried out once; the JSON answer, None if there is none."""
        return self._call(method, path, json=body, headers={"Idempotency-Key": str(uuid4())})

    def upload(self, path: str, fields: Mapping[str, str], file: Path) -> Any:
        """POST a form with a file, streamed from the disk."""

        def send() -> Any:
            with file.open("rb") as stream:
                parts = {"file": (file.name, stream, "application/octet-stream")}
                return self._once("POST", f"/api/v1{path}", data=fields, files=parts)

        return self._patiently(send)

    def send(self, path: str, content: bytes, kind: str, **query: Any) -> Any:
        """POST bytes of a media type, once; the JSON answer. For what the API knows by its ids."""
        return self._once(
            "POST",
            f"/api/v1{path}",
            content=content,
            params=_given(query),
            headers={"Content-Type": kind},
        )

    def send_patiently(self, path: str, content: bytes, kind: str, **query: Any) -> Any:
        """The same, tried again like everything else."""
        return self._patiently(lambda: self.send(path, content, kind, **query))

    def items(self, path: str, **query: Any) -> Iterator[Any]:
        """All items of a collection, newest first; pages are fetched as they are needed."""
        cursor: str | None = None
        while True:
            page = self.get(path, **({"limit": PAGE_ITEMS} | query), cursor=cursor)
            yield from page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                return

    def download(self, path: str, target: Path, *, sha256: str | None = None) -> None:
        """GET to a file, which appears only when it is whole and has the digest expected."""
        part = target.with_name(f"{target.name}.part")

        def receive() -> None:
            digest = hashlib.sha256()
            with self._http.stream("GET", f"/api/v1{path}") as response, part.open("wb") as sink:
                if not response.is_success:
                    response.read()
                    raise _problem(response)
                for chunk in response.iter_bytes():
                    digest.update(chunk)
                    sink.write(chunk)
            if sha256 is not None and digest.hexdigest() != sha256:
                raise TamperedFile(
                    f"{target.name} is not the file that the manifest names, and was not kept; "
                    "try again, and tell whoever runs the API if it stays so"
                )

        try:
            self._patiently(lambda: self._translated(receive))
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)

    def operation(self, path: str) -> Any:
        """GET at the root (`/healthz`, `/readyz`), once; the JSON answer whatever its status."""
        response = self._translated(lambda: self._http.get(path))
        try:
            return response.json()
        except ValueError as error:
            raise _not_ours(response) from error

    def _call(self, method: str, path: str, **request: Any) -> Any:
        return self._patiently(lambda: self._once(method, f"/api/v1{path}", **request))

    def _patiently(self, act: Callable[[], _Answer]) -> _Answer:
        for attempt in range(ATTEMPTS - 1):
            try:
                return act()
            except BailiwickAPIError as error:
                # Jitter, so that many clients do not come back at the same moment.
                growing = FIRST_PAUSE_SECONDS * 2**attempt * random.uniform(0.75, 1.25)  # noqa: S311 - no secret
                pause = error.retry_after_seconds or growing
                if not error.is_passing or pause > LONGEST_PAUSE_SECONDS:
                    raise
                self._sleep(pause)
        return act()

    def _once(self, method: str, path: str, **request: Any) -> Any:
        response = self._translated(lambda: self._http.request(method, path, **request))
        if not response.is_success:
            raise _problem(response)
        if not response.content:
            return None
        try:
            return response.json()
        except ValueError as error:
            raise _not_ours(response) from error

    def _translated(self, act: Callable[[], _Answer]) -> _Answer:
        try:
            return act()
        except httpx.TransportError as error:
            passing = isinstance(
                error, httpx.NetworkError | httpx.TimeoutException | httpx.RemoteProtocolError
            )
            what = (
                "did not answer in time"
                if isinstance(error, httpx.TimeoutException)
                else ("is not reachable")
            )
            raise NotReachable(f"the API at {self.url} {what}", is_passing=passing) from error


def _given(query: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in query.items() if value is not None}


def _checked(url: str) -> str:
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise MisusedClient(f"this is no address of an API: {error}") from error
    if parsed.userinfo:
        raise MisusedClient("an API's address holds no password; sign in with a token")
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise MisusedClient(f"{url!r} is no address of an API; one reads http://127.0.0.1:8321")
    return url


def _authorization(token: str | None) -> dict[str, str]:
    if token is None:
        return {}
    if not re.fullmatch(r"[\x21-\x7e]+", token):  # said here, as a refused header would be shown
        raise MisusedClient("the token has characters that no token has; copy it again")
    return {"Authorization": f"Bearer {token}"}


def _problem(response: httpx.Response) -> BailiwickAPIError:
    try:
        problem = response.json()
        code, detail = str(problem["code"]), str(problem["detail"])
    except (ValueError, KeyError, TypeError):
        return _not_ours(response)
    return BailiwickAPIError(
        response.status_code, code, detail, problem, retry_after_seconds=_retry_after(response)
    )


def _not_ours(response: httpx.Response) -> BailiwickAPIError:
    """Something else answers there, or a proxy in between."""
    return BailiwickAPIError(
        response.status_code,
        "not-bailiwick",
        f"what answers at {response.url.host} is no Bailiwick API (HTTP {response.status_code}); "
        "check the address",
        retry_after_seconds=_retry_after(response),
    )


def _retry_after(response: httpx.Response) -> float | None:
    """The pause that the server asked for; its other form, a date, is not ours."""
    stated = response.headers.get("Retry-After", "")
    return float(stated) if stated.isascii() and stated.isdigit() else None
