"""An installation behind its HTTP API: people with tokens, things to ask about, a fake gateway."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from bailiwick.access import Principal, issue_token
from bailiwick.core.errors import Unavailable
from bailiwick.lifecycle import Platform
from bailiwick.monitoring.descriptors import Descriptors
from bailiwick.monitoring.embeddings import EMBEDDING_BYTES
from bailiwick.policy import Label
from bailiwick.registry import Deployment
from bailiwick.serving import Gateway
from bailiwick.serving.classification import Classification, Seen
from bailiwick.texts import measures_of
from factories import CONFIDENTIAL, PURPOSE, Factory
from support.applications import api_of, client_of

V1 = "/api/v1"
SECRET = Label(
    level="restricted",
    compartments=frozenset({"finance"}),
    residency=frozenset({"eu"}),
    purposes=frozenset({PURPOSE}),
)


def seen_of(text: str) -> Seen:
    """What a model server would say beside its answer."""
    own = measures_of(text)
    return Seen(
        entropy=0.25,
        tokens_per_word=1.5,
        non_letter_ratio=own.non_letter_ratio,
        language="en",
        text_key=own.text_key,
        form_key=own.form_key,
        embedding=bytes(EMBEDDING_BYTES),
    )


class FakeGateway(Gateway):
    """The model server's stand-in: answers "Fuel", or is down."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, list[str]]] = []
        self.down = False
        self.broken: set[str] = set()  # versions that cannot answer
        self.said: dict[str, str] = {}  # what versions answer, where it is not "Fuel"
        self.kept: list[str] = []

    def classify(
        self, version_id: str, texts: Sequence[str], *, timeout_seconds: float | None = None
    ) -> list[Classification]:
        """One answer a text."""
        del timeout_seconds
        if self.down:
            raise Unavailable("The model server is not reachable. Start it with `bailiwick serve`.")
        if version_id in self.broken:
            raise Unavailable("The model server cannot load this version.")
        self.asked.append((version_id, list(texts)))
        label = self.said.get(version_id, "Fuel")
        return [
            Classification(
                label, 0.9, Descriptors(len(text), len(text.split()), 0.25), seen_of(text)
            )
            for text in texts
        ]

    def keep(self, version_ids: Sequence[str]) -> None:
        """Note what is to stay in memory."""
        self.kept = list(version_ids)

    def close(self) -> None:
        """Nothing is open."""


@dataclass
class World:
    """One installation, asked over HTTP."""

    platform: Platform
    gateway: FakeGateway = field(default_factory=FakeGateway)
    tokens: dict[str, str] = field(default_factory=dict)
    principals: dict[str, Principal] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.app = api_of(self.platform, self.gateway)
        self.client = client_of(self.app, raise_server_exceptions=False)

    def join(self, name: str, *roles: str, clearance: str = "restricted", **more: Any) -> "World":
        """Somebody with these roles and a token."""
        with self.platform.database.transaction() as session:
            make = self.factory(session)
            principal = make.principal(name, *roles, clearance=clearance, **more)
            self.know(make, principal)
        return self

    def factory(self, session: Any) -> Factory:
        """A factory in this transaction that knows who was made before."""
        make = Factory(session, self.platform)
        for name in ("root", "engineer", "approver"):
            if name in self.principals:
                known = session.merge(self.principals[name])
                make.__dict__[name] = known
        if "root" not in self.principals:
            self.know(make, make.root)
        return make

    def know(self, make: Factory, principal: Principal) -> None:
        """Keep the principal and a token of theirs."""
        make.session.flush()
        _, secret = issue_token(make.session, principal, "test", actor_id=make.root.id, at=make.at)
        self.principals[principal.name] = principal
        self.tokens[principal.name] = secret

    def running(self, *, label: Label = CONFIDENTIAL, keeps_text: bool = False) -> Deployment:
        """A deployment of a champion with all that it took, and the team's tokens."""
        with self.platform.database.transaction() as session:
            make = self.factory(session)
            for person in (make.engineer, make.approver):
                if person.name not in self.tokens:
                    self.know(make, person)
            model = make.model(label=label)
            data = make.dataset_version(make.dataset(label=label))
            make.champion(make.model_version(model, data))
            place = make.environment(clearance=label.level, keeps_text=keeps_text)
            return make.deployment(model, place, keeps_text=keeps_text)

    def ask(self, method: str, path: str, *, by: str | None, **options: Any) -> Any:
        """One request; paths are those under `/api/v1`, or whole ones behind a second slash."""
        headers = dict(options.pop("headers", {}))
        if by is not None:
            headers["Authorization"] = f"Bearer {self.tokens[by]}"
        url = path[1:] if path.startswith("//") else V1 + path
        return self.client.request(method, url, headers=headers, **options)

    def get(self, path: str, *, by: str | None = "engineer", **options: Any) -> Any:
        """GET."""
        return self.ask("GET", path, by=by, **options)

    def post(self, path: str, json: Any = None, *, by: str | None = "engineer", **more: Any) -> Any:
        """POST."""
        return self.ask("POST", path, by=by, json=json, **more)

    def patch(self, path: str, json: Any, *, by: str | None = "engineer", **more: Any) -> Any:
        """PATCH."""
        return self.ask("PATCH", path, by=by, json=json, **more)
