"""Approvals, the voices that give them, and waivers."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, cast

from bailiwick.client.capability import Capability, given
from bailiwick.client.errors import MisusedClient
from bailiwick.client.references import name_of, path, version_of
from bailiwick.client.shapes import Approval, Comment, Delegation, Page, Waiver


class Approvals(Capability):
    """What other people should approve. Who asks or trained never decides."""

    def page(
        self, *, state: str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> Page[Approval]:
        """One page of requests: `open`, `approved`, `rejected`, `withdrawn`, `expired`, or all."""
        query = {"state": state, "limit": limit, "cursor": cursor}
        return cast("Page[Approval]", self._http.get("/approvals", **query))

    def list(self, *, state: str | None = None) -> Iterator[Approval]:
        """All requests that one may see."""
        return self._http.items("/approvals", state=state)

    def get(self, approval_id: str) -> Approval:
        """One request with its answers, and why they count for nothing, if so."""
        return cast("Approval", self._http.get(path("approvals", approval_id)))

    def request(self, version: str, *, expires_at: datetime | None = None) -> Approval:
        """Ask for a version (`NAMESPACE/NAME@NUMBER`) to be approved for promotion."""
        name, number = version_of(version)
        subject = {"type": "model-version", "model": str(name), "version": number}
        return self._request(subject, expires_at)

    def request_policy(self, policy_id: str, *, expires_at: datetime | None = None) -> Approval:
        """Ask for a retraining policy to be approved as it stands."""
        return self._request({"type": "retraining-policy", "id": policy_id}, expires_at)

    def decide(
        self, approval_id: str, *, approve: bool, comment: str = "", voice_id: str | None = None
    ) -> Approval:
        """Approve or reject; `voice_id`: whose voice, where a lent one is used or could be."""
        body = {"approve": approve, "comment": comment, **given(voice_id=voice_id)}
        return self._act(approval_id, "decide", body)

    def withdraw(self, approval_id: str) -> Approval:
        """Take back what one asked for."""
        return self._act(approval_id, "withdraw", None)

    def comments(self, approval_id: str) -> Iterator[Comment]:
        """What was said about a request, newest first."""
        return self._http.items(path("approvals", approval_id, "comments"))

    def comment(self, approval_id: str, text: str) -> Comment:
        """Say something without deciding."""
        address = path("approvals", approval_id, "comments")
        return cast("Comment", self._http.write("POST", address, {"text": text}))

    def _act(self, approval_id: str, act: str, body: dict[str, Any] | None) -> Approval:
        return cast("Approval", self._http.write("POST", path("approvals", approval_id, act), body))

    def _request(self, subject: dict[str, Any], expires_at: datetime | None) -> Approval:
        body = {"subject": subject, **given(expires_at=_moment(expires_at))}
        return cast("Approval", self._http.write("POST", "/approvals", body))


class Delegations(Capability):
    """Approvers' voices, lent to other people for a time."""

    def page(self, *, limit: int | None = None, cursor: str | None = None) -> Page[Delegation]:
        """One page of delegations."""
        answer = self._http.get("/delegations", limit=limit, cursor=cursor)
        return cast("Page[Delegation]", answer)

    def list(self) -> Iterator[Delegation]:
        """All delegations that one may see, and one's own."""
        return self._http.items("/delegations")

    def create(
        self,
        to: str,
        *,
        namespace: str,
        reason: str,
        until: datetime,
        since: datetime | None = None,
    ) -> Delegation:
        """Lend one's voice to a person, in a namespace or in all (`*`)."""
        body = {"to": to, "namespace": namespace, "reason": reason, "until": _moment(until)}
        body |= given(since=_moment(since))
        return cast("Delegation", self._http.write("POST", "/delegations", body))

    def revoke(self, delegation_id: str) -> None:
        """Take one's voice back."""
        self._http.write("DELETE", path("delegations", delegation_id))


class Waivers(Capability):
    """Exceptions for one exact thing, approved by others, for a limited time."""

    def page(
        self, *, state: str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> Page[Waiver]:
        """One page: `requested`, `active`, `rejected`, `ended`, `expired`, or all."""
        query = {"state": state, "limit": limit, "cursor": cursor}
        return cast("Page[Waiver]", self._http.get("/waivers", **query))

    def list(self, *, state: str | None = None, subject_id: str | None = None) -> Iterator[Waiver]:
        """All waivers that one may see, or those about one thing."""
        return self._http.items("/waivers", state=state, subject_id=subject_id)

    def get(self, waiver_id: str) -> Waiver:
        """One waiver, and why it does not act, if so."""
        return cast("Waiver", self._http.get(path("waivers", waiver_id)))

    def request_label(
        self,
        subject: Mapping[str, Any],
        label: Mapping[str, Any],
        *,
        reason: str,
        evidence: str,
        expires_at: datetime,
    ) -> Waiver:
        """Ask that something (see `about`) counts as a lower label for a time."""
        asked = {"kind": "declassification", "label": dict(label)}
        return self._request(subject, asked, reason, evidence, expires_at)

    def request_gate(
        self, version: str, gate: str, *, reason: str, evidence: str, expires_at: datetime
    ) -> Waiver:
        """Ask that a version (`NAMESPACE/NAME@NUMBER`) need not pass a gate for a time."""
        asked = {"kind": "gate", "gate": gate}
        return self._request(about(f"model:{version}"), asked, reason, evidence, expires_at)

    def end(self, waiver_id: str, *, reason: str) -> Waiver:
        """End an active waiver before its time."""
        answer = self._http.write("POST", path("waivers", waiver_id, "end"), {"reason": reason})
        return cast("Waiver", answer)

    def _request(
        self,
        subject: Mapping[str, Any],
        asked: dict[str, Any],
        reason: str,
        evidence: str,
        expires_at: datetime,
    ) -> Waiver:
        body = {
            "subject": dict(subject),
            "reason": reason,
            "evidence": evidence,
            "expires_at": _moment(expires_at),
            **asked,
        }
        return cast("Waiver", self._http.write("POST", "/waivers", body))


def about(text: str) -> dict[str, Any]:
    """What a waiver is about, from words; `MisusedClient` if it is something else.

    >>> about("model:finance/coder@3")
    {'type': 'model-version', 'model': 'finance/coder', 'version': 3}
    >>> about("dataset:finance/purchases")
    {'type': 'dataset', 'dataset': 'finance/purchases'}
    >>> about("deployment:0190b0c4-0000-7000-8000-000000000000")["type"]
    'deployment'
    """
    kind, _, named = text.partition(":")
    if kind == "model":
        name, number = version_of(named)
        return {"type": "model-version", "model": str(name), "version": number}
    if kind == "dataset" and "@" in named:
        name, number = version_of(named)
        return {"type": "dataset-version", "dataset": str(name), "version": number}
    if kind == "dataset":
        return {"type": "dataset", "dataset": str(name_of(named))}
    if kind == "deployment" and named:
        return {"type": "deployment", "id": named}
    raise MisusedClient(
        f"{text!r} is nothing that can be waived: write model:NAMESPACE/NAME@VERSION, "
        "dataset:NAMESPACE/NAME[@VERSION] or deployment:ID"
    )


def _moment(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()
