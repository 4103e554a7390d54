"""Models, their versions, and the pointers to them."""

from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, cast

from bailiwick.client.capability import Capability, given
from bailiwick.client.errors import MisusedClient
from bailiwick.client.references import Numbered, name_of, path, version_of
from bailiwick.client.shapes import Alias, EvaluationSettings, Model, Move, Page, Version


class Models(Capability):
    """The registry. Models read `NAMESPACE/NAME`, versions `NAMESPACE/NAME@NUMBER`."""

    def page(
        self, *, namespace: str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> Page[Model]:
        """One page of models."""
        query = {"namespace": namespace, "limit": limit, "cursor": cursor}
        return cast("Page[Model]", self._http.get("/models", **query))

    def list(self, *, namespace: str | None = None) -> Iterator[Model]:
        """All models that one may see."""
        return self._http.items("/models", namespace=namespace)

    def get(self, model: str) -> Model:
        """One model."""
        return cast("Model", self._http.get(_at(model)))

    def create(self, model: str, *, label: Mapping[str, Any], description: str = "") -> Model:
        """Register a model. Its label says what it may hold."""
        namespace, name = name_of(model)
        body = given(namespace=namespace, name=name, label=dict(label), description=description)
        return cast("Model", self._http.write("POST", "/models", body))

    def describe(self, model: str, description: str) -> Model:
        """Change a model's description."""
        return cast("Model", self._http.write("PATCH", _at(model), {"description": description}))

    def evaluation_settings(self, model: str) -> EvaluationSettings:
        """What the model's versions are judged by, beside the newest labelled rows."""
        return cast("EvaluationSettings", self._http.get(f"{_at(model)}/evaluation-settings"))

    def set_evaluation_settings(self, model: str, **changes: Any) -> EvaluationSettings:
        """Change some of `golden_set` (`NAMESPACE/NAME@NUMBER`), `segments`, `key_column`."""
        standing = self.evaluation_settings(model)
        if (
            standing["golden_version_id"]
            and not standing["golden_set"]
            and "golden_set" not in changes
        ):
            raise MisusedClient(
                "a golden set is named that you may not read: say golden_set, or ask who may"
            )
        body = {name: standing[name] for name in ("golden_set", "segments", "key_column")}
        address = f"{_at(model)}/evaluation-settings"
        return cast("EvaluationSettings", self._http.write("PUT", address, body | changes))

    def versions_page(
        self, model: str, *, limit: int | None = None, cursor: str | None = None
    ) -> Page[Version]:
        """One page of a model's versions."""
        address = f"{_at(model)}/versions"
        return cast("Page[Version]", self._http.get(address, limit=limit, cursor=cursor))

    def versions(self, model: str) -> Iterator[Version]:
        """All versions of a model that one may see."""
        return self._http.items(f"{_at(model)}/versions")

    def version(self, reference: str) -> Version:
        """One version: `NAMESPACE/NAME@NUMBER`, or an alias, as in `finance/cards@champion`."""
        numbered = self._numbered(reference)
        return cast("Version", self._http.get(_version_at(numbered)))

    def alias(self, model: str, alias: str) -> Alias:
        """Which version an alias points at."""
        return cast("Alias", self._http.get(_at(model) + path("aliases", alias)))

    def promote(self, reference: str, *, reason: str) -> Alias:
        """Make a version champion: its gates, approvals and the policy decide."""
        (namespace, name), number = version_of(reference)
        address = path("models", namespace, name, "aliases", "champion")
        body = {"version": number, "reason": reason}
        return cast("Alias", self._http.write("PUT", address, body))

    def rollback(self, model: str, *, reason: str) -> Alias:
        """Make the previous champion champion again."""
        address = f"{_at(model)}/aliases/champion/rollback"
        return cast("Alias", self._http.write("POST", address, {"reason": reason}))

    def history_page(
        self, model: str, *, limit: int | None = None, cursor: str | None = None
    ) -> Page[Move]:
        """One page of a model's moves of pointers."""
        address = f"{_at(model)}/history"
        return cast("Page[Move]", self._http.get(address, limit=limit, cursor=cursor))

    def history(self, model: str) -> Iterator[Move]:
        """Which version every alias pointed at, when, why, and who moved it."""
        return self._http.items(f"{_at(model)}/history")

    def download(self, reference: str, folder: str | Path) -> tuple[Path, ...]:
        """Fetch a version's files into a folder, each verified against the manifest."""
        version = self.version(reference)
        base = _version_at(version_of(f"{version['model']}@{version['number']}"))
        files = []
        for file in version["manifest"]:
            target = Path(folder) / _inside(file["path"])
            target.parent.mkdir(parents=True, exist_ok=True)
            address = f"{base}/files{path(*PurePosixPath(file['path']).parts)}"
            self._http.download(address, target, sha256=file["sha256"])
            files.append(target)
        return tuple(files)

    def _numbered(self, reference: str) -> Numbered:
        model, _, named = reference.partition("@")
        if not named or named.isdigit():
            return version_of(reference)
        return Numbered(name_of(model), self.alias(model, named)["version"])


def _at(model: str) -> str:
    return path("models", *name_of(model))


def _version_at(version: Numbered) -> str:
    return path("models", *version.name, "versions", version.number)


def _inside(name: str) -> PurePosixPath:
    """A manifest's path, which must stay inside the folder it is written to."""
    relative = PurePosixPath(name)
    if relative.is_absolute() or ".." in relative.parts or "\\" in name:
        raise MisusedClient(f"the manifest names {name!r}, outside the folder: nothing was fetched")
    return relative
