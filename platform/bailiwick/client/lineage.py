"""What was made from what."""

from collections.abc import Iterator
from typing import Literal, cast

from bailiwick.client.capability import Capability
from bailiwick.client.references import path, version_of
from bailiwick.client.shapes import Impact, Lineage, Run


class LineageGraph(Capability):
    """Runs, and the versions that they read and wrote."""

    def of(
        self, node: str, *, direction: Literal["up", "down"] = "up", depth: int | None = None
    ) -> Lineage:
        """What a version was made from (`up`), or what was made from it (`down`).

        `node` reads `dataset:NAMESPACE/NAME@NUMBER` or `model:NAMESPACE/NAME@NUMBER`.
        """
        query = {"node": node, "direction": direction, "depth": depth}
        return cast("Lineage", self._http.get("/lineage", **query))

    def impact(self, dataset_version: str) -> Impact:
        """Which models learned from `NAMESPACE/NAME@NUMBER`, and where they are running."""
        query = {"dataset": str(version_of(dataset_version))}
        return cast("Impact", self._http.get("/lineage/impact", **query))

    def runs(self, *, kind: str | None = None) -> Iterator[Run]:
        """All runs that one may see: `ingest`, `prepare`, `train`, `evaluate`."""
        return self._http.items("/runs", kind=kind)

    def run(self, run_id: str) -> Run:
        """One run."""
        return cast("Run", self._http.get(path("runs", run_id)))
