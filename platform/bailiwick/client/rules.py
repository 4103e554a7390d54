"""Approvals, decisions and policies."""

from collections.abc import Iterator
from typing import Any, cast

from bailiwick.client.capability import Capability
from bailiwick.client.references import path, version_of
from bailiwick.client.shapes import Approval, Bundle, Decision, Page, Scheme


class Approvals(Capability):
    """What other people should approve. Who asks or trained never decides."""

    def page(
        self, *, state: str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> Page[Approval]:
        """One page of requests: `open`, `approved`, `rejected`, or all."""
        query = {"state": state, "limit": limit, "cursor": cursor}
        return cast("Page[Approval]", self._http.get("/approvals", **query))

    def list(self, *, state: str | None = None) -> Iterator[Approval]:
        """All requests that one may see."""
        return self._http.items("/approvals", state=state)

    def get(self, approval_id: str) -> Approval:
        """One request with its answers."""
        return cast("Approval", self._http.get(path("approvals", approval_id)))

    def request(self, version: str) -> Approval:
        """Ask for a version (`NAMESPACE/NAME@NUMBER`) to be approved for promotion."""
        name, number = version_of(version)
        return self._request({"type": "model-version", "model": str(name), "version": number})

    def request_policy(self, policy_id: str) -> Approval:
        """Ask for a retraining policy to be approved as it stands."""
        return self._request({"type": "retraining-policy", "id": policy_id})

    def decide(self, approval_id: str, *, approve: bool, comment: str = "") -> Approval:
        """Approve or reject."""
        body = {"approve": approve, "comment": comment}
        return cast(
            "Approval", self._http.write("POST", path("approvals", approval_id, "decide"), body)
        )

    def _request(self, subject: dict[str, Any]) -> Approval:
        return cast("Approval", self._http.write("POST", "/approvals", {"subject": subject}))


class Rules(Capability):
    """The policies in force, the words of labels, and the decisions that were made."""

    def policies(self) -> Bundle:
        """The policy bundle in force."""
        return cast("Bundle", self._http.get("/policies"))

    def classifications(self) -> Scheme:
        """The levels, compartments, zones and purposes that labels may name."""
        return cast("Scheme", self._http.get("/classifications"))

    def decisions(self, *, allowed: bool | None = None) -> Iterator[Decision]:
        """Recorded decisions: changes that were allowed, and all denials."""
        return self._http.items("/decisions", allowed=allowed)

    def decisions_page(
        self, *, allowed: bool | None = None, limit: int | None = None, cursor: str | None = None
    ) -> Page[Decision]:
        """One page of recorded decisions."""
        query = {"allowed": allowed, "limit": limit, "cursor": cursor}
        return cast("Page[Decision]", self._http.get("/decisions", **query))

    def decision(self, decision_id: str) -> Decision:
        """One decision: what was asked, and which policies decided."""
        return cast("Decision", self._http.get(path("decisions", decision_id)))
