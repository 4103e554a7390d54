"""Labels: explained, raised, and tried; and what is out of policy for it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from bailiwick.client.capability import Capability
from bailiwick.client.deployments import Deployments
from bailiwick.client.references import name_of, path, version_of
from bailiwick.client.shapes import Breach, LabelExplained, Page, Relabelled, WhatIf
from bailiwick.client.transport import Transport


class Labels(Capability):
    """Where labels come from. Datasets read `NAMESPACE/NAME`, versions `NAMESPACE/NAME@NUMBER`."""

    def __init__(self, transport: Transport, deployments: Deployments) -> None:
        super().__init__(transport)
        self._deployments = deployments

    def of_dataset(self, reference: str) -> LabelExplained:
        """A dataset's label, or that of one version of it."""
        return self._explained(_dataset_at(reference))

    def of_model_version(self, reference: str) -> LabelExplained:
        """A model version's label, back through all that it learned from."""
        name, number = version_of(reference)
        return self._explained(path("models", *name, "versions", number))

    def of_run(self, run_id: str) -> LabelExplained:
        """A run's label, back through all that it read."""
        return self._explained(path("runs", run_id))

    def of_deployment(self, deployment: str) -> LabelExplained:
        """A deployment's label, back through every version that it has served."""
        return self._explained(path("deployments", self._deployments.id_of(deployment)))

    def raise_dataset(self, reference: str, label: Mapping[str, Any], *, reason: str) -> Relabelled:
        """Raise the label of a dataset or of one version, and of all that was made from it."""
        body = {"label": dict(label), "reason": reason}
        address = f"{_dataset_at(reference)}/label"
        return cast("Relabelled", self._http.write("POST", address, body))

    def what_if(
        self,
        reference: str,
        *,
        level: str | None = None,
        compartments: Sequence[str] | None = None,
        residency: Sequence[str] | None = None,
        purposes: Sequence[str] | None = None,
    ) -> WhatIf:
        """What raising the label would do; what is left out of it stays as it is."""
        query = {
            "dataset": reference,
            "level": level,
            "compartment": compartments,
            "residency": residency,
            "purpose": purposes,
        }
        return cast("WhatIf", self._http.get("/lineage/what-if", **query))

    def _explained(self, address: str) -> LabelExplained:
        return cast("LabelExplained", self._http.get(f"{address}/label"))


class Breaches(Capability):
    """Deployments that the policies would not allow any more."""

    def page(
        self,
        *,
        open: bool | None = None,  # noqa: A002 - the API's word
        namespace: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[Breach]:
        """One page of breaches: those that are not resolved, those that are, or all."""
        query = {"open": open, "namespace": namespace, "limit": limit, "cursor": cursor}
        return cast("Page[Breach]", self._http.get("/breaches", **query))

    def list(
        self,
        *,
        open: bool | None = None,  # noqa: A002 - the API's word
        namespace: str | None = None,
    ) -> Iterator[Breach]:
        """All breaches that one may see."""
        return self._http.items("/breaches", open=open, namespace=namespace)

    def get(self, breach_id: str) -> Breach:
        """One breach."""
        return cast("Breach", self._http.get(path("breaches", breach_id)))


def _dataset_at(reference: str) -> str:
    if "@" not in reference:
        return path("datasets", *name_of(reference))
    name, number = version_of(reference)
    return path("datasets", *name, "versions", number)
