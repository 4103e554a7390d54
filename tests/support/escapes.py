"""A vault: one of everything, above the clearance of a junior who holds every role that works.

The escape suite asks for it in every way. Whatever it is asked, the answer must be the one that is
given where nothing is; that the same question opens the vault for a senior shows that it is the
label, or the namespace, that keeps it shut.
"""

from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import select

from bailiwick.db import make_engine
from bailiwick.lifecycle import Platform
from bailiwick.lineage import DatasetVersion, find_dataset
from bailiwick.policy import Label
from bailiwick.registry import ModelVersion, find_model
from support import api_bodies
from support.api_everything import Places, elsewhere, furnish
from support.api_matrix import Undone
from support.api_world import SECRET, World
from support.applications import application_of, client_of

Json = dict[str, Any]
WORKING = ("engineer", "steward", "service", "approver")
TEXT = "zanzibar garage 4711"  # of a confidential request
NAMES = ("finance/classifier", "finance/purchases", "finance/cards", TEXT)  # in the vault
VARYING = {"date", "content-length"}


@dataclass
class Vault:
    """An installation whose requests leave nothing behind, and where things are in it."""

    world: World
    places: Places
    nowhere: Places

    def ask(self, method: str, path: str, *, by: str | None, **options: Any) -> Any:
        """A request; `{model}` and the like in its path are places of the vault."""
        return self.world.ask(method, path.format(**self.places), by=by, **options)

    def get(self, path: str, *, by: str | None = "junior", **options: Any) -> Any:
        """GET."""
        return self.ask("GET", path, by=by, **options)

    def is_shut(
        self,
        path: str,
        *,
        method: str = "GET",
        by: tuple[str, ...] = ("junior", "stranger"),
        **options: Any,
    ) -> None:
        """To those, it answers as if nothing were there; to the senior, something is."""
        for name in by:
            hidden = self.ask(method, path, by=name, **options)
            absent = self.world.ask(method, path.format(**self.nowhere), by=name, **options)
            assert hidden.status_code == 404, (name, hidden.status_code, hidden.text)
            assert told(hidden) == told(absent), name
        opened = self.ask(method, path, by="senior", **options)
        assert opened.status_code not in {401, 403, 404, 405}, opened.text


def told(answer: Any) -> tuple[int, str, dict[str, str]]:
    """All that a caller can tell an answer by."""
    headers = {name: value for name, value in answer.headers.items() if name not in VARYING}
    return answer.status_code, answer.text, headers


def with_console(world: World) -> World:
    """The world's application with its console, as `bailiwick up` runs it."""
    world.client.close()
    world.app = application_of(world.platform, world.gateway)
    world.client = client_of(world.app, raise_server_exceptions=False, follow_redirects=False)
    return world


def founded(platform: Platform) -> World:
    """An installation with a team that may do everything, and nothing in it yet."""
    world = with_console(World(platform))
    world.join("engineer", "engineer").join("approver", "approver")
    return world.join("robot", "service", kind="service").join("steward", "steward")


def lock_up(platform: Platform, label: Label = SECRET) -> Vault:
    """Everything under one label, a senior who may see it, a junior and a stranger who may not."""
    world = founded(platform)
    places = furnish(world, label, champions=2)
    request = {
        "record_id": "first",
        "at": platform.clock.now().isoformat(),
        "prediction": "Fuel",
        "confidence": 0.9,
        "characters": 20,
        "words": 3,
        "unseen_words_ratio": 0.1,
        "text": TEXT,
    }
    logged = world.post(
        f"/deployments/{places['deployment_id']}/inferences", {"records": [request]}
    )
    assert logged.status_code == 202, logged.text
    with platform.database.reading() as session:
        places["version_id"] = str(session.scalars(select(ModelVersion.id)).first())
        places["content_digest"] = session.scalars(select(DatasetVersion.content_digest)).one()
        places["manifest_digest"] = str(
            session.scalars(select(ModelVersion.manifest_digest)).first()
        )
    world.join("senior", *WORKING, "admin").join("stranger", *WORKING, namespace="people")
    world.join("junior", *WORKING, clearance="confidential").join("auditor", "auditor")
    undone = Undone(make_engine(platform.settings.resolved_database_url))
    world.app.state.platform = replace(platform, database=undone)
    return Vault(world, places, elsewhere(places))


def denied_by(answer: Any) -> list[str]:
    """The policies that refused."""
    assert answer.status_code == 403, answer.text
    policies: list[str] = answer.json()["policies"]
    return policies


def label_of(level: str = "confidential", **changes: Any) -> Json:
    """A label as requests say it."""
    return api_bodies.LABEL | {"level": level} | changes


def rows(name: str) -> bytes:
    """A file of rows that no other file holds."""
    return api_bodies.CSV.replace(b"Shop", name.encode())


def made(
    world: World, kind: str, path: str, *, label: Json | None = None, by: str = "engineer"
) -> str:
    """A new model or dataset (`kind`: where it is made); its path."""
    namespace, _, name = path.partition("/")
    body = api_bodies.model(name, namespace=namespace, label=label or label_of())
    answer = world.post(kind, body, by=by)
    assert answer.status_code == 201, answer.text
    return path


def uploaded(
    world: World,
    path: str,
    *,
    label: Json | None = None,
    csv: bytes = api_bodies.CSV,
    by: str = "steward",
    **options: Any,
) -> str:
    """The dataset's next version from this file, the dataset made if it is new; its path."""
    arrived(world, path, label=label, csv=csv, by=by, **options)
    return path


def arrived(
    world: World,
    path: str,
    *,
    label: Json | None = None,
    csv: bytes = api_bodies.CSV,
    by: str = "steward",
    **spec: str,
) -> Json:
    """The same; what was answered."""
    if world.get(f"/datasets/{path}", by=by).status_code != 200:
        made(world, "/datasets", path, label=label, by=by)
    answer = world.ask(
        "POST",
        f"/datasets/{path}/versions",
        by=by,
        data=api_bodies.SPEC | spec,
        files={"file": ("rows.csv", csv)},
    )
    assert answer.status_code == 201, answer.text
    answered: Json = answer.json()
    return answered


def trained(world: World, data: str, *, namespace: str = "finance") -> tuple[str, str]:
    """A version of a new model, as after a training on the dataset's newest version.

    The model's path, and the id of what it learned from.
    """
    model = f"{namespace}/{data.partition('/')[2]}-model"
    made(world, "/models", model)
    with world.platform.database.transaction() as session:
        make = world.factory(session)
        dataset = find_dataset(session, *data.split("/"))
        newest = select(DatasetVersion).where(DatasetVersion.dataset_id == dataset.id)
        version = session.scalars(newest.order_by(DatasetVersion.number.desc())).first()
        assert version is not None
        make.model_version(find_model(session, *model.split("/")), version)
        return model, str(version.id)
