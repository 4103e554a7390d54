"""A policy bundle: the files of one folder, what they say, and which bundle is in force.

Its identity is the digest over the names and contents of all its files, tests included.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from bailiwick.core.errors import Invalid
from bailiwick.policy.classification import Label, Scheme
from bailiwick.policy.decisions import PolicyEngine
from bailiwick.policy.tables import BundleActivation
from bailiwick.policy.tallies import Tallies

Files = Mapping[str, bytes]

FILE = re.compile(r"(tests/)?[A-Za-z0-9_-][A-Za-z0-9._-]*\.(cedar|cedarschema|yaml)")
SCHEME_FILE = "classification.yaml"
TESTS = "tests"


@dataclass(frozen=True)
class Rules:
    """A bundle, loaded: what the policies answer and what labels may say.

    `single_sign_on`: whether people can sign in with a provider here, which policies may look
    at. `tallies` counts the answers that are not recorded one by one.
    """

    engine: PolicyEngine
    scheme: Scheme
    files: Files = field(compare=False, repr=False)
    single_sign_on: bool = False
    tallies: Tallies = field(default_factory=Tallies, compare=False, repr=False)

    @classmethod
    def of(cls, files: Files) -> "Rules":
        """Parse and validate a bundle; `Invalid` says which file is wrong."""
        if SCHEME_FILE not in files:
            raise Invalid(f"The policies need the words of labels, {SCHEME_FILE}, beside them.")
        engine = _engine(tuple(sorted(files.items())))
        return cls(engine, engine.scheme, files)

    @classmethod
    def load(cls, folder: Path) -> "Rules":
        """The same, from a folder."""
        return cls.of(read_bundle(folder))

    @property
    def digest(self) -> str:
        """The bundle's identity."""
        return self.engine.bundle_digest


@dataclass(frozen=True, slots=True)
class Standing:
    """Which bundle the newest activation put in force."""

    bundle_id: UUID
    digest: str
    former_digest: str
    number: int


def read_bundle(folder: Path) -> dict[str, bytes]:
    """The files of a bundle's folder by name, those of its tests as `tests/NAME`."""
    try:
        inside = [*folder.iterdir(), *((folder / TESTS).glob("*"))]
        named = {path.relative_to(folder).as_posix(): path for path in sorted(inside)}
        return {name: path.read_bytes() for name, path in named.items() if is_bundle_file(name)}
    except OSError as error:
        raise Invalid(
            f"The policies cannot be read ({error}); BAILIWICK_POLICIES names their folder."
        ) from error


def is_bundle_file(name: str) -> bool:
    """Whether a name is one that a bundle's file can have."""
    return FILE.fullmatch(name) is not None


def standing(session: Session) -> Standing | None:
    """What is in force, in one look at an index; None before the first activation."""
    row = session.execute(_NEWEST).first()
    return None if row is None else Standing(*row)


def least_label(scheme: Scheme) -> Label:
    """The label that asks least of whoever holds it: of what concerns everybody."""
    outermost = frozenset(zone for zone, around in scheme.zones.items() if around is None)
    return Label(scheme.levels[0], frozenset(), outermost, frozenset(scheme.purposes))


@lru_cache(maxsize=8)  # engines never change, and parsing one takes 70 ms
def _engine(files: tuple[tuple[str, bytes], ...]) -> PolicyEngine:
    bundle = dict(files)
    return PolicyEngine(bundle, Scheme.parse_file(SCHEME_FILE, bundle[SCHEME_FILE]))


_NEWEST = (
    select(
        BundleActivation.bundle_id,
        BundleActivation.new_digest,
        BundleActivation.old_digest,
        BundleActivation.number,
    )
    .order_by(BundleActivation.number.desc())
    .limit(1)
)
