"""Decisions and policies."""

from collections.abc import Iterator, Mapping
from typing import Any, cast

from bailiwick.client.capability import Capability, given
from bailiwick.client.references import path
from bailiwick.client.shapes import (
    Activation,
    Bundle,
    BundleApproval,
    BundleDetail,
    Decision,
    DryRun,
    Explanation,
    Page,
    RulesInForce,
    Scheme,
)


class Rules(Capability):
    """The policies in force and how they change, the words of labels, and the decisions made."""

    def policies(self) -> RulesInForce:
        """The policy bundle in force."""
        return cast("RulesInForce", self._http.get("/policies"))

    def classifications(self) -> Scheme:
        """The levels, compartments, zones and purposes that labels may name."""
        return cast("Scheme", self._http.get("/classifications"))

    def decisions(self, **only: Any) -> Iterator[Decision]:
        """Recorded decisions: changes that were allowed, and all denials.

        `only`: `principal`, `action`, `allowed`, `namespace`, `since`.
        """
        return self._http.items("/decisions", **only)

    def decisions_page(
        self, *, limit: int | None = None, cursor: str | None = None, **only: Any
    ) -> Page[Decision]:
        """One page of recorded decisions; `only` as for `decisions`."""
        query = {**only, "limit": limit, "cursor": cursor}
        return cast("Page[Decision]", self._http.get("/decisions", **query))

    def decision(self, decision_id: str) -> Explanation:
        """One decision in words: what was asked, what decided it, what would change the answer."""
        return cast("Explanation", self._http.get(path("decisions", decision_id)))

    def bundles(self) -> Iterator[Bundle]:
        """All policy bundles that were proposed."""
        return self._http.items("/policies/bundles")

    def bundles_page(self, *, limit: int | None = None, cursor: str | None = None) -> Page[Bundle]:
        """One page of them."""
        answer = self._http.get("/policies/bundles", limit=limit, cursor=cursor)
        return cast("Page[Bundle]", answer)

    def bundle(self, digest: str) -> BundleDetail:
        """One bundle with its files and the report of its checks."""
        return cast("BundleDetail", self._http.get(path("policies", "bundles", digest)))

    def propose(
        self, files: Mapping[str, str], *, note: str = "", last: int | None = None
    ) -> BundleDetail:
        """Propose a bundle (path to text); `last`: how many decisions are asked again."""
        body = given(files=dict(files), note=note, last=last)
        return cast("BundleDetail", self._http.write("POST", "/policies/bundles", body))

    def request_approval(self, digest: str) -> BundleApproval:
        """Ask another person to approve exactly this bundle."""
        address = path("policies", "bundles", digest, "approval")
        return cast("BundleApproval", self._http.write("POST", address))

    def activate(self, digest: str, *, reason: str) -> Activation:
        """Put a bundle in force that passed its checks and was approved."""
        address = path("policies", "bundles", digest, "activate")
        return cast("Activation", self._http.write("POST", address, {"reason": reason}))

    def roll_back(self, *, reason: str, digest: str | None = None) -> Activation:
        """Bring back the bundle that was in force before, or another one that has been."""
        body = given(reason=reason, digest=digest)
        return cast("Activation", self._http.write("POST", "/policies/rollback", body))

    def diff(self, digest: str, *, against: str | None = None) -> dict[str, Any]:
        """What differs from the bundle in force, or from another: policies, words, tests."""
        address = path("policies", "bundles", digest, "diff")
        return cast("dict[str, Any]", self._http.get(address, against=against))

    def dry_run(self, files: Mapping[str, str], *, last: int | None = None) -> DryRun:
        """What differs from the rules in force, and which decisions would; nothing is kept."""
        body = given(files=dict(files), last=last)
        return cast("DryRun", self._http.write("POST", "/policies/dry-run", body))
