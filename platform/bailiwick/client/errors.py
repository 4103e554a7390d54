"""What the client raises. Every message is a sentence for people."""

from collections.abc import Mapping
from typing import Any

from bailiwick.client.shapes import Job

UNAVAILABLE = 503


class ClientError(Exception):
    """Base of everything that the client raises on purpose."""


class MisusedClient(ClientError, ValueError):
    """An argument that can be seen to be wrong without asking the API."""


class BailiwickAPIError(ClientError):
    """The API refused or failed: an RFC 9457 problem.

    `status` is the HTTP status (None: nothing answered), `code` is stable, `detail` says what to
    do, `problem` is the whole answer; `retry_after_seconds` is the pause that the server asked for.
    """

    def __init__(
        self,
        status: int | None,
        code: str,
        detail: str,
        problem: Mapping[str, Any] | None = None,
        *,
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.problem = problem or {}
        self.retry_after_seconds = retry_after_seconds

    @property
    def is_passing(self) -> bool:
        """Whether the very same request may succeed in a moment."""
        return self.status == UNAVAILABLE

    @property
    def policies(self) -> list[str]:
        """The ids of the policies that decided, if the policy refused."""
        return list(self.problem.get("policies") or [])

    @property
    def decision(self) -> str | None:
        """The id of the recorded decision, if the policy refused."""
        return self.problem.get("decision")


class NotReachable(BailiwickAPIError):
    """Nothing answered; whether a write was carried out is not known."""

    def __init__(self, detail: str, *, is_passing: bool) -> None:
        super().__init__(None, "not-reachable", detail)
        self._is_passing = is_passing

    @property
    def is_passing(self) -> bool:
        """Whether the connection may come back."""
        return self._is_passing


class JobFailed(ClientError):
    """A job that was waited for failed or was cancelled; `job` is its last state."""

    def __init__(self, job: Job) -> None:
        end = f"failed: {job['error']}" if job["state"] == "failed" else f"was {job['state']}"
        super().__init__(f"the {job['kind']} job {job['id']} {end}")
        self.job = job


class WaitTimedOut(ClientError):
    """A job was not finished in the time given. It goes on; wait again, or cancel it."""


class TamperedFile(ClientError):
    """A downloaded file is not the one in the version's manifest; it was not kept."""
