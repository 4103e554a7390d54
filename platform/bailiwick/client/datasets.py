"""Datasets, and the files that bring them in."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from bailiwick.client.capability import Capability, given
from bailiwick.client.errors import MisusedClient
from bailiwick.client.references import name_of, path, version_of
from bailiwick.client.shapes import (
    BatchQuarantine,
    ColumnMark,
    Dataset,
    DatasetVersion,
    LikelyRename,
    Page,
    Registered,
    Scan,
    Taxonomy,
)


class Datasets(Capability):
    """Data. Datasets read `NAMESPACE/NAME`, versions `NAMESPACE/NAME@NUMBER`."""

    def page(self, *, limit: int | None = None, cursor: str | None = None) -> Page[Dataset]:
        """One page of datasets."""
        return cast("Page[Dataset]", self._http.get("/datasets", limit=limit, cursor=cursor))

    def list(self) -> Iterator[Dataset]:
        """All datasets that one may see."""
        return self._http.items("/datasets")

    def update(self, dataset: str, **changes: Any) -> Dataset:
        """Change `description`, or `retention_days` (None: rows may be read without end)."""
        return cast("Dataset", self._http.write("PATCH", _at(dataset), changes))

    def get(self, dataset: str) -> Dataset:
        """One dataset."""
        return cast("Dataset", self._http.get(_at(dataset)))

    def create(self, dataset: str, *, label: Mapping[str, Any], description: str = "") -> Dataset:
        """Create an empty dataset; its label is inherited by all that learns from it."""
        namespace, name = name_of(dataset)
        body = given(namespace=namespace, name=name, label=dict(label), description=description)
        return cast("Dataset", self._http.write("POST", "/datasets", body))

    def taxonomy(self, dataset: str) -> Taxonomy:
        """What old names of the dataset's labels mean."""
        return cast("Taxonomy", self._http.get(f"{_at(dataset)}/taxonomy"))

    def rename_labels(
        self, dataset: str, renames: Mapping[str, str | None], *, reason: str
    ) -> Taxonomy:
        """Say what old names mean from now on, all of them; None gives a label up."""
        body = {"renames": dict(renames), "reason": reason}
        return cast("Taxonomy", self._http.write("PUT", f"{_at(dataset)}/taxonomy", body))

    def quarantine(self, dataset: str) -> BatchQuarantine:
        """Which batches of the dataset nothing may learn from, and why."""
        return cast("BatchQuarantine", self._http.get(f"{_at(dataset)}/quarantine"))

    def set_quarantine(
        self, dataset: str, batches: Sequence[Mapping[str, Any]], *, reason: str
    ) -> BatchQuarantine:
        """Quarantine batches, all of them: `{"version", "why"}` or `{"start", "end", "why"}`."""
        body = {"batches": [dict(batch) for batch in batches], "reason": reason}
        return cast("BatchQuarantine", self._http.write("PUT", f"{_at(dataset)}/quarantine", body))

    def likely_renames(self, dataset: str) -> Sequence[LikelyRename]:
        """Which labels seem to have been renamed, the likeliest first."""
        answer = self._http.get(f"{_at(dataset)}/taxonomy/suggestions")
        return cast("Sequence[LikelyRename]", answer["renames"])

    def register(
        self, dataset: str, file: str | Path, *, text: Sequence[str], label: str, date: str
    ) -> Registered:
        """Register the rows of a CSV (also gzipped) or Parquet file as the next version.

        `text`, `label` and `date` name columns. The same rows again give the same version.
        Unusable rows are kept aside: `rejected_rows` counts them, `rejected` shows the first.
        """
        address, source = f"{_at(dataset)}/versions", Path(file)
        if isinstance(text, str):
            raise MisusedClient("text is a list of columns, as in text=['merchant']")
        fields = {"text": ",".join(text), "label": label, "date": date}
        try:
            return cast("Registered", self._http.upload(address, fields, source))
        except OSError as error:
            raise MisusedClient(f"{source} cannot be read ({error.strerror})") from error

    def versions_page(
        self, dataset: str, *, limit: int | None = None, cursor: str | None = None
    ) -> Page[DatasetVersion]:
        """One page of a dataset's versions."""
        address = f"{_at(dataset)}/versions"
        return cast("Page[DatasetVersion]", self._http.get(address, limit=limit, cursor=cursor))

    def versions(self, dataset: str) -> Iterator[DatasetVersion]:
        """All versions of a dataset that one may see."""
        return self._http.items(f"{_at(dataset)}/versions")

    def version(self, reference: str) -> DatasetVersion:
        """One version: `NAMESPACE/NAME@NUMBER`."""
        name, number = version_of(reference)
        return cast("DatasetVersion", self._http.get(path("datasets", *name, "versions", number)))

    def scan(
        self, reference: str, *, rows: int | None = None, presidio: bool | None = None
    ) -> Scan:
        """Look for personal data, free text and identifiers in a sample of a version's rows.

        What is found is proposed as marks. `presidio` asks for its second opinion, where it is
        installed beside the API. One must be allowed to read the rows.
        """
        name, number = version_of(reference)
        address = path("datasets", *name, "versions", number, "scan")
        wanted = given(rows=rows, presidio=presidio)
        return cast("Scan", self._http.write("POST", address, wanted))

    def marks(self, dataset: str, *, state: str | None = None) -> Iterator[ColumnMark]:
        """All marks on a dataset's columns, newest first; `state`: proposed, accepted, rejected."""
        return self._http.items(f"{_at(dataset)}/marks", state=state)

    def mark(self, dataset: str, column: str, mark: str) -> ColumnMark:
        """Say that a column holds `personal-data`, `free-text` or an `identifier`."""
        body = {"column": column, "mark": mark}
        return cast("ColumnMark", self._http.write("POST", f"{_at(dataset)}/marks", body))

    def decide_mark(self, dataset: str, mark_id: str, *, accept: bool) -> ColumnMark:
        """Accept or reject a mark."""
        address = f"{_at(dataset)}{path('marks', mark_id, 'decide')}"
        return cast("ColumnMark", self._http.write("POST", address, {"accept": accept}))


def _at(dataset: str) -> str:
    return path("datasets", *name_of(dataset))
